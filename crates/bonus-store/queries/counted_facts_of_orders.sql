-- The facts of orders ($1, $2, $3) that their accounts count, of the types $4 or, without it, all.
-- The lateral form keeps the planner on the index.
SELECT l.source_event_id, l.event_type, l.beneficiary_role, l.beneficiary_id, l.order_id,
       l.by_dispute, l.occurred_at
FROM unnest($1::text[], $2::uuid[], $3::uuid[]) AS told (role, id, order_id)
CROSS JOIN LATERAL (
    SELECT * FROM bonus.ledger
    WHERE beneficiary_role = told.role AND beneficiary_id = told.id
      AND order_id = told.order_id
      AND account_version IS NOT NULL
      AND event_type = ANY (coalesce($4, ARRAY[event_type]))
    LIMIT $5
) l
LIMIT $5
