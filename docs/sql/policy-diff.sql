-- Whom another policy would give other points, another grade or another VIP standing, and by how
-- much: every beneficiary of the kept facts, with an account or without one. What `projector policy
-- diff 1 2` says, from the facts and the rules as rows. For other versions change the next line.
WITH asked (version_a, version_b) AS (VALUES (1, 2)),
versions (side, policy_version) AS (
    SELECT 'a', version_a FROM asked UNION ALL SELECT 'b', version_b FROM asked
),
-- What each fact is worth under each of the two; 0 where another fact of its order reverses it.
worths AS (
    SELECT v.side, v.policy_version, f.beneficiary_role, f.beneficiary_id, f.occurred_at,
           CASE WHEN EXISTS (
               SELECT FROM policy_rules r
               JOIN bonus_facts c ON c.event = r.event AND c.by_dispute = r.by_dispute
               WHERE r.policy_version = v.policy_version AND r.rule = 'reversal'
                 AND r.reverses = f.event AND r.beneficiary_role = f.beneficiary_role
                 AND c.beneficiary_role = f.beneficiary_role
                 AND c.beneficiary_id = f.beneficiary_id AND c.order_id = f.order_id
           ) THEN 0 ELSE coalesce(a.points, 0) END AS points
    FROM bonus_facts f
    CROSS JOIN versions v
    LEFT JOIN policy_rules a ON a.policy_version = v.policy_version AND a.rule = 'award'
     AND a.event = f.event AND a.beneficiary_role = f.beneficiary_role
),
standings AS (
    SELECT w.side, w.policy_version, w.beneficiary_role, w.beneficiary_id,
           sum(w.points)::bigint AS points,
           coalesce(sum(w.points) FILTER (
               WHERE w.occurred_at > now() - make_interval(hours => 24 * p.window_days)
                 AND w.occurred_at <= now()), 0) >= min(p.threshold) AS is_vip
    FROM worths w JOIN policy_vip p ON p.policy_version = w.policy_version
    GROUP BY 1, 2, 3, 4
),
graded AS (
    SELECT s.*, (SELECT g.grade FROM policy_grades g
                 WHERE g.policy_version = s.policy_version AND g.from_points <= s.points
                 ORDER BY g.from_points DESC LIMIT 1) AS grade
    FROM standings s
)
SELECT a.beneficiary_role, a.beneficiary_id, a.points AS points_before, b.points AS points_after,
       b.points - a.points AS points_moved, a.grade AS grade_before, b.grade AS grade_after,
       a.is_vip AS vip_before, b.is_vip AS vip_after
FROM graded a
JOIN graded b ON b.side = 'b' AND b.beneficiary_role = a.beneficiary_role
 AND b.beneficiary_id = a.beneficiary_id
WHERE a.side = 'a' AND (a.points, a.grade, a.is_vip) <> (b.points, b.grade, b.is_vip)
ORDER BY a.beneficiary_role, a.beneficiary_id;
