-- The heads of the accounts ($1, $2), locked in ascending order.
SELECT a.beneficiary_role, a.beneficiary_id, a.version, a.policy_version, a.deferred,
       a.lifetime_points, a.grade, a.changed_at, a.is_vip, a.vip_changes_at, a.vip_version
FROM (
    SELECT b.role, b.id FROM unnest($1::text[], $2::uuid[]) AS b (role, id)
    ORDER BY b.role, b.id
) b
CROSS JOIN LATERAL (
    SELECT * FROM bonus.accounts
    WHERE beneficiary_role = b.role AND beneficiary_id = b.id
    LIMIT 1
    FOR UPDATE
) a
