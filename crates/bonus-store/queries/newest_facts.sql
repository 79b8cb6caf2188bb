-- The newest facts of the types $4 that the accounts ($1, $2) count, at most $6 of each: those up to
-- $3, or all, that occurred after $5. The lateral form keeps the planner on the index.
SELECT l.source_event_id, l.event_type, l.beneficiary_role, l.beneficiary_id, l.order_id,
       l.by_dispute, l.occurred_at
FROM unnest($2::uuid[]) AS a (id)
CROSS JOIN LATERAL (
    SELECT * FROM bonus.ledger
    WHERE beneficiary_role = $1 AND beneficiary_id = a.id
      AND event_type = ANY ($4)
      AND account_version IS NOT NULL
      AND occurred_at <= coalesce($3, 'infinity'::timestamptz)
      AND occurred_at > coalesce($5, '-infinity'::timestamptz)
    ORDER BY occurred_at DESC, source_event_id DESC
    LIMIT $6
) l
