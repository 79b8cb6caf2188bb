-- Whom another policy would give other points, another grade or another VIP standing, and by how
-- much: every beneficiary of the kept facts, with an account or without one. What `projector policy
-- diff 1 2` says, from the facts and the rules as rows. For other versions change the next line.
WITH asked (version_a, version_b) AS (VALUES (1, 2)),
-- The facts that are worth nothing, since another of their order takes their points.
reversed AS (
    SELECT DISTINCT r.policy_version, c.beneficiary_role, c.beneficiary_id, c.order_id,
           r.reverses AS event
    FROM policy_rules r
    JOIN bonus_facts c ON c.event = r.event AND c.by_dispute = r.by_dispute
     AND c.beneficiary_role = r.beneficiary_role
    WHERE r.rule = 'reversal' AND c.order_id IS NOT NULL
),
-- What each fact is worth under each of the two.
worths AS (
    SELECT f.beneficiary_role, f.beneficiary_id, f.occurred_at,
           CASE WHEN x.event IS NULL THEN coalesce(a.points, 0) ELSE 0 END AS points_a,
           CASE WHEN y.event IS NULL THEN coalesce(b.points, 0) ELSE 0 END AS points_b
    FROM asked
    CROSS JOIN bonus_facts f
    LEFT JOIN policy_rules a ON a.policy_version = asked.version_a AND a.rule = 'award'
     AND a.event = f.event AND a.beneficiary_role = f.beneficiary_role
    LEFT JOIN policy_rules b ON b.policy_version = asked.version_b AND b.rule = 'award'
     AND b.event = f.event AND b.beneficiary_role = f.beneficiary_role
    LEFT JOIN reversed x ON x.policy_version = asked.version_a AND x.event = f.event
     AND x.order_id = f.order_id AND x.beneficiary_id = f.beneficiary_id
     AND x.beneficiary_role = f.beneficiary_role
    LEFT JOIN reversed y ON y.policy_version = asked.version_b AND y.event = f.event
     AND y.order_id = f.order_id AND y.beneficiary_id = f.beneficiary_id
     AND y.beneficiary_role = f.beneficiary_role
),
windows AS (
    SELECT asked.*, now() - make_interval(hours => 24 * a.window_days) AS begins_a,
           now() - make_interval(hours => 24 * b.window_days) AS begins_b,
           a.threshold AS threshold_a, b.threshold AS threshold_b
    FROM asked
    JOIN policy_vip a ON a.policy_version = asked.version_a
    JOIN policy_vip b ON b.policy_version = asked.version_b
),
standings AS (
    SELECT w.beneficiary_role, w.beneficiary_id, sum(w.points_a)::bigint AS points_a,
           sum(w.points_b)::bigint AS points_b,
           coalesce(sum(w.points_a) FILTER (
               WHERE w.occurred_at > v.begins_a AND w.occurred_at <= now()), 0)
               >= min(v.threshold_a) AS vip_a,
           coalesce(sum(w.points_b) FILTER (
               WHERE w.occurred_at > v.begins_b AND w.occurred_at <= now()), 0)
               >= min(v.threshold_b) AS vip_b
    FROM worths w CROSS JOIN windows v
    GROUP BY w.beneficiary_role, w.beneficiary_id
),
graded AS MATERIALIZED (
    SELECT s.*,
           (SELECT g.grade FROM policy_grades g
            WHERE g.policy_version = asked.version_a AND g.from_points <= s.points_a
            ORDER BY g.from_points DESC LIMIT 1) AS grade_a,
           (SELECT g.grade FROM policy_grades g
            WHERE g.policy_version = asked.version_b AND g.from_points <= s.points_b
            ORDER BY g.from_points DESC LIMIT 1) AS grade_b
    FROM standings s CROSS JOIN asked
)
SELECT beneficiary_role, beneficiary_id, points_a AS points_before, points_b AS points_after,
       points_b - points_a AS points_moved, grade_a AS grade_before, grade_b AS grade_after,
       vip_a AS vip_before, vip_b AS vip_after
FROM graded
WHERE (points_a, grade_a, vip_a) <> (points_b, grade_b, vip_b)
ORDER BY beneficiary_role, beneficiary_id;
