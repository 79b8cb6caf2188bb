-- Everything that an account's ledger holds of the orders $4, as of version $3.
SELECT l.source_event_id, l.event_type, l.beneficiary_role, l.beneficiary_id, l.order_id,
       l.by_dispute, l.occurred_at
FROM unnest($4::uuid[]) AS shown (order_id)
CROSS JOIN LATERAL (
    SELECT * FROM bonus.ledger
    WHERE beneficiary_role = $1 AND beneficiary_id = $2 AND order_id = shown.order_id
      AND account_version <= $3
    LIMIT $5
) l
LIMIT $5
