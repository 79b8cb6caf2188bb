-- What a batch has to know of the ledger: the rows of the told events themselves ($1), the rows of
-- the orders told of ($2, $3, $4), and every row of accounts that are not open yet ($5, $6).
-- The lateral forms with a limit keep the planner on the indexes.
SELECT l.source_event_id AS "source_event_id!", l.event_type AS "event_type!",
       l.beneficiary_role AS "beneficiary_role!", l.beneficiary_id AS "beneficiary_id!",
       l.order_id, l.by_dispute AS "by_dispute!", l.occurred_at AS "occurred_at!"
FROM (
    SELECT l.* FROM unnest($1::uuid[]) AS told (id)
    CROSS JOIN LATERAL (
        SELECT * FROM bonus.ledger WHERE source_event_id = told.id LIMIT 1
    ) l
    UNION
    SELECT l.* FROM unnest($2::text[], $3::uuid[], $4::uuid[]) AS told (role, id, order_id)
    CROSS JOIN LATERAL (
        SELECT * FROM bonus.ledger
        WHERE beneficiary_role = told.role AND beneficiary_id = told.id
          AND order_id = told.order_id
        LIMIT $7
    ) l
    UNION
    SELECT l.* FROM unnest($5::text[], $6::uuid[]) AS unopened (role, id)
    CROSS JOIN LATERAL (
        SELECT * FROM bonus.ledger
        WHERE beneficiary_role = unopened.role AND beneficiary_id = unopened.id
        LIMIT $7
    ) l
) l
LIMIT $7
