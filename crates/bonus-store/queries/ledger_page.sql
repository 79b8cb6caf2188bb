-- An account's awards, newest first, as of version $3, after the key ($5, $6): its facts of the types
-- $4, without those that another fact of their order reverses, by the rules ($8, $9, $10). The
-- subquery with a limit is asked row by row and keeps the planner on the index.
SELECT l.source_event_id, l.event_type, l.beneficiary_role, l.beneficiary_id, l.order_id,
       l.by_dispute, l.occurred_at, l.recorded_at
FROM bonus.ledger l
WHERE l.beneficiary_role = $1 AND l.beneficiary_id = $2
  AND l.account_version <= $3
  AND l.event_type = ANY ($4)
  AND (l.occurred_at, l.source_event_id)
    < (coalesce($5, 'infinity'::timestamptz),
       coalesce($6, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
  AND (SELECT true
       FROM unnest($8::text[], $9::boolean[], $10::text[]) AS r (event, by_dispute, reversed)
       CROSS JOIN LATERAL (
           SELECT true FROM bonus.ledger o
           WHERE o.beneficiary_role = $1 AND o.beneficiary_id = $2 AND o.order_id = l.order_id
             AND o.event_type = r.event AND o.by_dispute = r.by_dispute
             AND o.account_version <= $3
           LIMIT 1
       ) o
       WHERE r.reversed = l.event_type
       LIMIT 1) IS NULL
ORDER BY l.occurred_at DESC, l.source_event_id DESC
LIMIT $7
