-- Lets the accounts ($1, $2), each from its version of $3 on, count the facts that were deferred until
-- now.
UPDATE bonus.ledger l SET account_version = n.version
FROM unnest($1::text[], $2::uuid[], $3::bigint[]) AS n (role, id, version)
WHERE l.beneficiary_role = n.role AND l.beneficiary_id = n.id
  AND l.account_version IS NULL
