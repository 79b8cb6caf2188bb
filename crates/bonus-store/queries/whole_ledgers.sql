-- The whole ledgers of the accounts ($1, $2), each ascending, with the place of its account in the
-- arrays. No award reads this, and it has no limit: a recompute counts every fact.
SELECT a.place AS "place!", l.source_event_id, l.event_type, l.order_id, l.by_dispute,
       l.occurred_at, l.account_version IS NULL AS "is_deferred!"
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS a (role, id, place)
CROSS JOIN LATERAL (
    SELECT * FROM bonus.ledger
    WHERE beneficiary_role = a.role AND beneficiary_id = a.id
    ORDER BY occurred_at, source_event_id
) l
