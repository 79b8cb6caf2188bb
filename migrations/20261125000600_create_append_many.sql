-- Appends of several commands at once: one round trip and one commit for all of them.
--
-- docs/adr/0010-commands-go-together.md says why. What is done to each unit is what store.append does
-- to one, in the same order; a unit whose stream has moved on, or whose key was used before, is
-- left out and told, and the others go on.

-- A function of SQL with a search_path of its own is parsed and planned at every call; one of
-- PL/pgSQL keeps its plan. Every append calls this one.
CREATE OR REPLACE FUNCTION store.last_drawn() RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT CASE WHEN p.is_called THEN p.last_value ELSE p.last_value - 1 END
            FROM store.position p);
END
$$;

-- Units do not share a stream or a key. Streams are given ascending by (type, id) over all units,
-- and name theirs by its number, from 1; events name their stream in the same way.
--
-- What another transaction holds is waited for no longer than 50 ms: one unit's wait is that of all.
--
-- Errors: 23505 on events_stream_version where a race was lost in the last moment, 55P03 where
-- something was held too long, and nothing was done for any unit; AT002 the transaction is above
-- READ COMMITTED.
CREATE FUNCTION store.append_many(
    p_scopes         text[],
    p_keys           text[],
    p_fingerprints   bytea[],
    p_statuses       smallint[],
    p_states         text[],
    p_targets        integer[],
    p_stream_units   integer[],
    p_stream_types   text[],
    p_stream_ids     text[],
    p_expected       bigint[],
    p_event_streams  integer[],
    p_event_ids      uuid[],
    p_event_types    text[],
    p_event_versions text[],
    p_payloads       jsonb[],
    p_metadata       jsonb[]
)
    RETURNS TABLE (
        unit       integer,
        -- appended, stale, taken
        outcome    text,
        "position" bigint,
        generation bigint
    )
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '50ms'
AS $$
#variable_conflict use_column
DECLARE
    stale integer[];
    taken integer[] := '{}';
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'store.append_many runs at READ COMMITTED only' USING ERRCODE = 'AT002';
    END IF;

    -- A stale unit claims nothing: its key may hold the answer of its own twin, which it will see.
    SELECT coalesce(array_agg(s.unit), '{}') INTO stale
    FROM unnest(p_stream_units, p_stream_types, p_stream_ids, p_expected)
        AS s (unit, stream_type, stream_id, expected)
    WHERE s.expected <> coalesce((
        SELECT e.sequence
        FROM store.events e
        WHERE e.aggregate_type = s.stream_type AND e.aggregate_id = s.stream_id
        ORDER BY e.sequence DESC
        LIMIT 1), 0);

    -- 1. The claims, ascending, so that two batches never wait for each other.
    IF array_length(array_remove(p_keys, NULL), 1) > 0 THEN
        WITH wanted AS (
            SELECT u.unit::integer AS unit, u.scope, u.key, u.fingerprint, u.status, u.state,
                   u.target
            FROM unnest(p_scopes, p_keys, p_fingerprints, p_statuses, p_states, p_targets)
                WITH ORDINALITY
                AS u (scope, key, fingerprint, status, state, target, unit)
            WHERE u.key IS NOT NULL AND u.unit <> ALL (stale)
        ), claimed AS (
            INSERT INTO store.idempotency_keys
                (scope, key, fingerprint, status, aggregate_type, aggregate_id, sequence, state)
            SELECT w.scope, w.key, w.fingerprint, w.status, p_stream_types[w.target],
                   p_stream_ids[w.target],
                   p_expected[w.target]
                       + cardinality(array_positions(p_event_streams, w.target)),
                   w.state
            FROM wanted w
            ORDER BY w.scope, w.key
            ON CONFLICT DO NOTHING
            RETURNING scope, key
        )
        SELECT coalesce(array_agg(w.unit), '{}') INTO taken
        FROM wanted w
        WHERE (w.scope, w.key) NOT IN (SELECT c.scope, c.key FROM claimed c);
    END IF;

    -- 2. Announce that positions above the last one drawn are under way.
    PERFORM pg_advisory_xact_lock_shared((store.lock_namespace() << 48) | store.last_drawn());

    -- 3. Draw the positions, stream by stream. Races past the look above end at the unique key.
    INSERT INTO store.events
        (position, aggregate_type, aggregate_id, sequence, event_type, event_version,
         payload, metadata, event_id, recorded_at)
    SELECT nextval('store.position'), ordered.aggregate_type, ordered.aggregate_id,
           ordered.sequence, ordered.event_type, ordered.event_version, ordered.payload,
           ordered.metadata, ordered.event_id, clock_timestamp()
    FROM (
        SELECT p_stream_types[e.stream] AS aggregate_type,
               p_stream_ids[e.stream] AS aggregate_id,
               p_expected[e.stream]
                   + row_number() OVER (PARTITION BY e.stream ORDER BY e.ordinal) AS sequence,
               e.event_type, e.event_version, e.payload, e.metadata, e.event_id
        FROM unnest(p_event_streams, p_event_ids, p_event_types, p_event_versions,
                    p_payloads, p_metadata)
            WITH ORDINALITY
            AS e (stream, event_id, event_type, event_version, payload, metadata, ordinal)
        WHERE p_stream_units[e.stream] <> ALL (stale || taken)
        ORDER BY e.stream, e.ordinal
    ) ordered;

    RETURN QUERY
    SELECT u.unit::integer,
           CASE WHEN u.unit = ANY (stale) THEN 'stale'
                WHEN u.unit = ANY (taken) THEN 'taken'
                ELSE 'appended' END,
           (SELECT e.position
            FROM store.events e
            WHERE e.aggregate_type = p_stream_types[u.target]
              AND e.aggregate_id = p_stream_ids[u.target]
              AND e.sequence = p_expected[u.target]
                  + cardinality(array_positions(p_event_streams, u.target))
            LIMIT 1),
           (SELECT g.number FROM store.generation g ORDER BY g.number DESC LIMIT 1)
    FROM unnest(p_targets) WITH ORDINALITY AS u (target, unit);
END
$$;

REVOKE EXECUTE ON FUNCTION store.append_many FROM PUBLIC;
GRANT EXECUTE ON FUNCTION store.append_many TO atlas_app;

COMMENT ON TABLE store.events IS
    'Every fact, in streams (aggregate_type, aggregate_id). Written by store.append and
     store.append_many alone.';
