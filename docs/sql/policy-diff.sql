-- Whom another policy would give other points, another grade or another VIP standing: every
-- beneficiary of the kept facts, with an account or without one. The rows of `projector policy diff
-- 1 2 --format csv`, from the facts and the rules. For other versions change the next line.
WITH asked (version_a, version_b) AS (VALUES (1, 2)),
-- What each fact is worth under each of the two, if nothing reverses it.
priced AS NOT MATERIALIZED (
    SELECT f.*, coalesce(a.points, 0) AS points_a, coalesce(b.points, 0) AS points_b
    FROM asked
    CROSS JOIN bonus_facts f
    LEFT JOIN policy_rules a ON a.policy_version = asked.version_a AND a.rule = 'award'
     AND a.event = f.event AND a.beneficiary_role = f.beneficiary_role
    LEFT JOIN policy_rules b ON b.policy_version = asked.version_b AND b.rule = 'award'
     AND b.event = f.event AND b.beneficiary_role = f.beneficiary_role
),
-- The events of an order that are worth nothing, since another fact of it takes their points.
reversed AS (
    SELECT r.policy_version, c.beneficiary_role, c.beneficiary_id, c.order_id, r.reverses AS event,
           bool_and(c.deferred) AS deferred
    FROM asked
    JOIN policy_rules r ON r.policy_version IN (asked.version_a, asked.version_b)
     AND r.rule = 'reversal'
    JOIN bonus_facts c ON c.event = r.event AND c.by_dispute = r.by_dispute
     AND c.beneficiary_role = r.beneficiary_role
    GROUP BY 1, 2, 3, 4, 5
),
-- What was deferred counts only once the second policy follows: a recompute takes it in.
worths AS (
    SELECT beneficiary_role, beneficiary_id, occurred_at,
           CASE WHEN deferred THEN 0 ELSE points_a END AS points_a, points_b
    FROM priced
    UNION ALL
    SELECT p.beneficiary_role, p.beneficiary_id, p.occurred_at,
           CASE WHEN x.policy_version = asked.version_a AND NOT x.deferred AND NOT p.deferred
                THEN -p.points_a ELSE 0 END,
           CASE WHEN x.policy_version = asked.version_b THEN -p.points_b ELSE 0 END
    FROM asked
    CROSS JOIN reversed x
    JOIN priced p ON p.event = x.event AND p.order_id = x.order_id
     AND p.beneficiary_id = x.beneficiary_id AND p.beneficiary_role = x.beneficiary_role
),
windows AS (
    SELECT now() - make_interval(hours => 24 * a.window_days) AS begins_a,
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
       grade_a AS grade_before, grade_b AS grade_after, vip_a::text AS vip_before, vip_b::text AS vip_after
FROM graded
WHERE (points_a, grade_a, vip_a) <> (points_b, grade_b, vip_b)
ORDER BY beneficiary_role, beneficiary_id;
