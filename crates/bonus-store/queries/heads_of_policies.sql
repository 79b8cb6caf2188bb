-- The heads of at most $3 accounts of the policies $1 to $2, without those of ($4, $5), locked. One
-- that a consumer holds comes with the next look.
SELECT beneficiary_role, beneficiary_id, version, policy_version, deferred, lifetime_points, grade,
       changed_at, is_vip, vip_changes_at, vip_version
FROM bonus.accounts
WHERE policy_version BETWEEN $1 AND $2
  AND (beneficiary_role, beneficiary_id)
      NOT IN (SELECT * FROM unnest($4::text[], $5::uuid[]))
ORDER BY policy_version, beneficiary_role, beneficiary_id
LIMIT $3
FOR UPDATE SKIP LOCKED
