-- Of these events ($5) the awards of an account as of version $3: those of the types $4, without what
-- another fact of their order reverses, by the rules ($6, $7, $8), as in ledger_page.sql.
SELECT l.source_event_id, l.event_type, l.beneficiary_role, l.beneficiary_id, l.order_id,
       l.by_dispute, l.occurred_at, l.recorded_at
FROM unnest($5::uuid[]) AS told (id)
CROSS JOIN LATERAL (
    SELECT * FROM bonus.ledger l WHERE l.source_event_id = told.id LIMIT 1
) l
WHERE l.beneficiary_role = $1 AND l.beneficiary_id = $2
  AND l.account_version <= $3
  AND l.event_type = ANY ($4)
  AND (SELECT true
       FROM unnest($6::text[], $7::boolean[], $8::text[]) AS r (event, by_dispute, reversed)
       CROSS JOIN LATERAL (
           SELECT true FROM bonus.ledger o
           WHERE o.beneficiary_role = $1 AND o.beneficiary_id = $2 AND o.order_id = l.order_id
             AND o.event_type = r.event AND o.by_dispute = r.by_dispute
             AND o.account_version <= $3
           LIMIT 1
       ) o
       WHERE r.reversed = l.event_type
       LIMIT 1) IS NULL
