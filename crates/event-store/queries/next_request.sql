-- The oldest request that has not ended becomes that of an owner.
WITH next AS (
    SELECT act_id, started_at IS NOT NULL AS taken_up
    FROM ops.requested_acts
    WHERE state IN ('requested', 'running')
    ORDER BY position
    LIMIT 1
    FOR UPDATE
), taken AS (
    UPDATE ops.requested_acts r
    SET state = 'running', owner = $1, taken = least(r.taken + 1, 32767),
        started_at = coalesce(r.started_at, clock_timestamp())
    FROM next
    WHERE r.act_id = next.act_id
    RETURNING r.act_id, r.taken, r.said, next.taken_up
)
SELECT t.act_id AS "act_id!", t.taken_up AS "taken_up!", t.taken AS "taken!", t.said AS "said!",
       e.recorded_at AS "asked_at!", e.aggregate_id AS "operator!",
       e.payload AS "payload!"
FROM taken t
JOIN store.events e ON e.event_id = t.act_id
