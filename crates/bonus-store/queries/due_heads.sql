-- The heads of at most $2 accounts whose VIP changes by $1, what is due first, without those of
-- ($3, $4), locked. One that a consumer holds is settled by it.
SELECT beneficiary_role, beneficiary_id, version, policy_version, deferred, lifetime_points, grade,
       changed_at, is_vip, vip_changes_at, vip_version
FROM bonus.accounts
WHERE vip_changes_at <= $1
  AND (beneficiary_role, beneficiary_id)
      NOT IN (SELECT * FROM unnest($3::text[], $4::uuid[]))
ORDER BY vip_changes_at
LIMIT $2
FOR UPDATE SKIP LOCKED
