-- Operators' acts and requests before a position, newest first, each with its end if it has one, and
-- each request with how far it is, the last that it said, and what it did.
SELECT a.position AS "position!", a.event_id AS "event_id!", a.event_type AS "event_type!",
       a.aggregate_id AS "operator!", a.payload AS "payload!", a.recorded_at AS "recorded_at!",
       e.result AS "result?", e.recorded_at AS "ended_at?",
       r.state AS "state?", r.what, r.done, r.total, r.rate, r.said[cardinality(r.said):] AS "said?", r.exit_code,
       r.started_at, r.ended_at AS carried_at, d.did AS "did?"
FROM (
    (
        SELECT position, event_id, event_type, aggregate_id, payload, recorded_at
        FROM store.events
        WHERE event_type = 'OperatorActed' AND position < $1
          AND payload->>'requestId' IS NULL
        ORDER BY position DESC
        LIMIT $2
    )
    UNION ALL
    (
        SELECT position, event_id, event_type, aggregate_id, payload, recorded_at
        FROM store.events
        WHERE event_type = 'OperatorActRequested' AND position < $1
        ORDER BY position DESC
        LIMIT $2
    )
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
LEFT JOIN ops.requested_acts r ON r.act_id = a.event_id
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object(
               'act', f.payload->'act', 'actId', f.event_id, 'subject', f.payload->'subject',
               'recordedAt', to_char(f.recorded_at AT TIME ZONE 'UTC',
                                     'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
           ) ORDER BY f.position) AS did
    FROM (
        SELECT position, event_id, payload, recorded_at
        FROM store.events
        WHERE event_type = 'OperatorActed' AND payload->>'requestId' = a.event_id::text
        ORDER BY position DESC
        LIMIT 20
    ) f
) d ON true
ORDER BY a.position DESC
