-- Operators' acts before a position, newest first, each with its end if it has one.
SELECT a.position, a.event_id, a.aggregate_id AS operator, a.payload, a.recorded_at,
       e.result AS "result?", e.recorded_at AS "ended_at?"
FROM (
    SELECT position, event_id, aggregate_id, payload, recorded_at
    FROM store.events
    WHERE event_type = 'OperatorActed' AND position < $1
    ORDER BY position DESC
    LIMIT $2
) a
LEFT JOIN LATERAL (
    SELECT payload->'result' AS result, recorded_at
    FROM store.events
    WHERE event_type = 'OperatorActEnded' AND payload->>'actId' = a.event_id::text
    ORDER BY position
    LIMIT 1
) e ON true
ORDER BY a.position DESC
