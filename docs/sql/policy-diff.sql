-- Whom another policy would give other points, another grade or another VIP standing: every
-- beneficiary of the kept facts, with an account or without one. The rows of `projector policy diff
-- 1 2 --format csv`, from the facts and the rules. For other versions change the next line.
WITH asked (version_a, version_b) AS (VALUES (1, 2)),
windows AS (
    SELECT asked.version_a, a.threshold AS threshold_a,
           now() - make_interval(hours => 24 * a.window_days) AS begins_a,
           asked.version_b, b.threshold AS threshold_b,
           now() - make_interval(hours => 24 * b.window_days) AS begins_b
    FROM asked
    JOIN policy_vip a ON a.policy_version = asked.version_a
    JOIN policy_vip b ON b.policy_version = asked.version_b
),
-- What another fact of its order takes the points of: the events, by order. What is deferred counts,
-- and reverses, only once the second policy follows: a recompute takes it in.
reversed AS (
    SELECT c.beneficiary_role, c.beneficiary_id, c.order_id,
           array_agg(r.reverses) FILTER (
               WHERE r.policy_version = asked.version_a AND NOT c.deferred) AS events_a,
           array_agg(r.reverses) FILTER (WHERE r.policy_version = asked.version_b) AS events_b
    FROM asked
    JOIN policy_rules r ON r.policy_version IN (asked.version_a, asked.version_b)
     AND r.rule = 'reversal'
    JOIN bonus_facts c ON c.event = r.event AND c.by_dispute = r.by_dispute
     AND c.beneficiary_role = r.beneficiary_role
    GROUP BY 1, 2, 3
),
worth AS (
    SELECT f.beneficiary_role, f.beneficiary_id, f.event, f.occurred_at,
           NOT f.deferred AND (f.event = ANY (x.events_a)) IS NOT TRUE AS in_a,
           (f.event = ANY (x.events_b)) IS NOT TRUE AS in_b
    FROM bonus_facts f
    LEFT JOIN reversed x ON x.beneficiary_role = f.beneficiary_role
     AND x.beneficiary_id = f.beneficiary_id AND x.order_id = f.order_id
),
-- The event alone says what a fact is worth: counted first, little is left to be priced.
counted AS (
    SELECT f.beneficiary_role, f.beneficiary_id, f.event,
           count(*) FILTER (WHERE f.in_a) AS facts_a, count(*) FILTER (WHERE f.in_b) AS facts_b,
           count(*) FILTER (WHERE f.in_a AND f.occurred_at > w.begins_a
                                  AND f.occurred_at <= now()) AS recent_a,
           count(*) FILTER (WHERE f.in_b AND f.occurred_at > w.begins_b
                                  AND f.occurred_at <= now()) AS recent_b
    FROM windows w CROSS JOIN worth f
    GROUP BY 1, 2, 3
),
standings AS MATERIALIZED (
    SELECT c.beneficiary_role, c.beneficiary_id,
           coalesce(sum(a.points * c.facts_a), 0)::bigint AS points_a,
           coalesce(sum(b.points * c.facts_b), 0)::bigint AS points_b,
           coalesce(sum(a.points * c.recent_a), 0) >= min(w.threshold_a) AS vip_a,
           coalesce(sum(b.points * c.recent_b), 0) >= min(w.threshold_b) AS vip_b
    FROM windows w
    CROSS JOIN counted c
    LEFT JOIN policy_rules a ON a.policy_version = w.version_a AND a.rule = 'award'
     AND a.event = c.event AND a.beneficiary_role = c.beneficiary_role
    LEFT JOIN policy_rules b ON b.policy_version = w.version_b AND b.rule = 'award'
     AND b.event = c.event AND b.beneficiary_role = c.beneficiary_role
    GROUP BY 1, 2
),
grades AS (
    SELECT g.policy_version, g.grade, g.from_points,
           lead(g.from_points) OVER (PARTITION BY g.policy_version ORDER BY g.from_points) AS below
    FROM policy_grades g
)
SELECT s.beneficiary_role, s.beneficiary_id,
       s.points_a AS points_before, s.points_b AS points_after,
       a.grade AS grade_before, b.grade AS grade_after,
       s.vip_a::text AS vip_before, s.vip_b::text AS vip_after
FROM asked
CROSS JOIN standings s
JOIN grades a ON a.policy_version = asked.version_a
 AND s.points_a >= a.from_points AND (s.points_a < a.below) IS NOT FALSE
JOIN grades b ON b.policy_version = asked.version_b
 AND s.points_b >= b.from_points AND (s.points_b < b.below) IS NOT FALSE
WHERE (s.points_a, a.grade, s.vip_a) <> (s.points_b, b.grade, s.vip_b)
ORDER BY s.beneficiary_role, s.beneficiary_id;
