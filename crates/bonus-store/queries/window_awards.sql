-- How many awards of each of the types $4 an account has, as of version $3, that occurred after $5
-- and not after $6: without those that another fact of their order reverses, by the rules ($7, $8,
-- $9).
SELECT l.event_type, count(*) AS "awards!"
FROM bonus.ledger l
WHERE l.beneficiary_role = $1 AND l.beneficiary_id = $2
  AND l.account_version <= $3
  AND l.event_type = ANY ($4)
  AND l.occurred_at > $5 AND l.occurred_at <= $6
  AND (SELECT true
       FROM unnest($7::text[], $8::boolean[], $9::text[]) AS r (event, by_dispute, reversed)
       CROSS JOIN LATERAL (
           SELECT true FROM bonus.ledger o
           WHERE o.beneficiary_role = $1 AND o.beneficiary_id = $2 AND o.order_id = l.order_id
             AND o.event_type = r.event AND o.by_dispute = r.by_dispute
             AND o.account_version <= $3
           LIMIT 1
       ) o
       WHERE r.reversed = l.event_type
       LIMIT 1) IS NULL
GROUP BY l.event_type
