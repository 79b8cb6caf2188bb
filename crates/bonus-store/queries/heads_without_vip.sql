-- The heads of at most $1 accounts that a release without VIP moved last, without those of ($2, $3),
-- locked.
SELECT beneficiary_role, beneficiary_id, version, policy_version, deferred, lifetime_points, grade,
       changed_at, is_vip, vip_changes_at, vip_version
FROM bonus.accounts
WHERE vip_version <> version
  AND (beneficiary_role, beneficiary_id)
      NOT IN (SELECT * FROM unnest($2::text[], $3::uuid[]))
ORDER BY beneficiary_role, beneficiary_id
LIMIT $1
FOR UPDATE SKIP LOCKED
