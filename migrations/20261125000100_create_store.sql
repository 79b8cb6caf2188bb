-- The event store: one table of events, the append that fills it, the watermark that makes reading
-- it safe, and beside it idempotency keys and generations.
--
-- The events table is the source of truth and the outbox: an append is the only write of a command,
-- everything else follows the feed. docs/adr/0002-watermark.md says why reading works as it does.

-- Database-level rights are not copied from the template.
DO $$
BEGIN
    EXECUTE format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO atlas_app, atlas_analyst', current_database());
END
$$;

-- Every process compares the migrations applied with its own before it works.
DO $$
BEGIN
    IF to_regclass('public._sqlx_migrations') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA public TO atlas_app;
        GRANT SELECT ON public._sqlx_migrations TO atlas_app;
    END IF;
END
$$;

CREATE SCHEMA store;
GRANT USAGE ON SCHEMA store TO atlas_app;

-- Which store this is: a position means nothing in another one. A copy of it keeps the id; its
-- generation is another. It is read with LIMIT 1: without statistics the planner takes a table for
-- thousands of rows, and a statement that joins it for one worth compiling.
CREATE TABLE store.identity (
    store_id uuid NOT NULL,
    one_row  bool PRIMARY KEY DEFAULT true CHECK (one_row)
);
INSERT INTO store.identity (store_id) VALUES (gen_random_uuid());
GRANT SELECT ON store.identity TO atlas_app;

-- Positions. No cache: a cached number would be drawn long before it is used. They end where the
-- room in the key of an append's advisory lock does.
CREATE SEQUENCE store.position CACHE 1 MAXVALUE 281474976710655;
GRANT SELECT ON SEQUENCE store.position TO atlas_app;

CREATE TABLE store.events (
    position       bigint PRIMARY KEY CHECK (position BETWEEN 1 AND 281474976710655),
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    sequence       bigint      NOT NULL CHECK (sequence >= 1),
    event_type     text        NOT NULL,
    event_version  text        NOT NULL,
    payload        jsonb       NOT NULL,
    metadata       jsonb       NOT NULL,
    event_id       uuid        NOT NULL CONSTRAINT events_event_id UNIQUE,
    recorded_at    timestamptz NOT NULL,
    -- What a reader takes into memory: whoever reads many bounds the sum.
    bytes          integer     NOT NULL GENERATED ALWAYS AS
        (octet_length(payload::text) + octet_length(metadata::text)) STORED,
    CONSTRAINT events_stream_version UNIQUE (aggregate_type, aggregate_id, sequence)
);
GRANT SELECT ON store.events TO atlas_app;
COMMENT ON TABLE store.events IS
    'Every fact, in streams (aggregate_type, aggregate_id). Written by store.append and
     store.append_many alone.';

-- A claim of an Idempotency-Key carries the answer from the start: it commits with the events or
-- not at all. The answer''s position is that of the event at (stream, sequence).
CREATE TABLE store.idempotency_keys (
    scope          text        NOT NULL,
    key            text        NOT NULL,
    fingerprint    bytea       NOT NULL CHECK (length(fingerprint) = 32),
    status         smallint    NOT NULL CHECK (status BETWEEN 200 AND 299),
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    sequence       bigint      NOT NULL,
    state          text,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_created_at ON store.idempotency_keys (created_at);
GRANT SELECT, DELETE ON store.idempotency_keys TO atlas_app;

-- Which physical history of the server the positions belong to. A restored backup or a promoted
-- standby is another one: positions seen before may now name other events.
CREATE TABLE store.generation (
    number            bigint PRIMARY KEY CHECK (number >= 1),
    system_identifier bigint      NOT NULL,
    timeline          text        NOT NULL,
    since             timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT ON store.generation TO atlas_app;

-- The advisory locks of appends: our namespace in the upper 16 bits, a position in the lower 48.
CREATE FUNCTION store.lock_namespace() RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 16724; -- 0x4154, "AT"

-- The last position drawn so far, or 0. Every append calls it: a function of SQL with a search_path
-- of its own is planned at every call, one of PL/pgSQL keeps its plan.
CREATE FUNCTION store.last_drawn() RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT CASE WHEN p.is_called THEN p.last_value ELSE p.last_value - 1 END
            FROM store.position p);
END
$$;

-- Appends events to streams, each at the version that the caller has seen, all or nothing.
--
-- Streams are given ascending by (type, id); events name theirs by its number, from 1. With a key
-- the first stream is the one that the stored answer speaks of.
--
-- Errors: AT001 a stream is at another version; 23505 on events_stream_version the same, lost in
-- the last moment; AT002 the transaction is above READ COMMITTED.
CREATE FUNCTION store.append(
    p_scope          text,
    p_key            text,
    p_fingerprint    bytea,
    p_status         smallint,
    p_state          text,
    p_target         integer,
    p_stream_types   text[],
    p_stream_ids     text[],
    p_expected       bigint[],
    p_event_streams  integer[],
    p_event_ids      uuid[],
    p_event_types    text[],
    p_event_versions text[],
    p_payloads       jsonb[],
    p_metadata       jsonb[],
    -- appended, replayed, reused
    OUT outcome      text,
    OUT status       smallint,
    OUT target_type  text,
    OUT target_id    text,
    OUT version      bigint,
    OUT state        text,
    OUT "position"   bigint,
    OUT generation   bigint,
    OUT store_id     uuid
)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    stored  store.idempotency_keys%ROWTYPE;
    current bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'store.append runs at READ COMMITTED only' USING ERRCODE = 'AT002';
    END IF;

    outcome := 'appended';
    status := p_status;
    target_type := p_stream_types[p_target];
    target_id := p_stream_ids[p_target];
    state := p_state;
    version := p_expected[p_target] + cardinality(array_positions(p_event_streams, p_target));

    -- 1. The claim. Whoever holds the same key is waited for here, before any lock or position.
    WHILE p_key IS NOT NULL LOOP
        INSERT INTO store.idempotency_keys
            (scope, key, fingerprint, status, aggregate_type, aggregate_id, sequence, state)
        VALUES (p_scope, p_key, p_fingerprint, status, target_type, target_id, version, state)
        ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;

        SELECT k.* INTO stored
        FROM store.idempotency_keys k
        WHERE k.scope = p_scope AND k.key = p_key;
        CONTINUE WHEN NOT FOUND; -- it was cleaned away in between

        outcome := CASE WHEN stored.fingerprint = p_fingerprint THEN 'replayed' ELSE 'reused' END;
        status := stored.status;
        target_type := stored.aggregate_type;
        target_id := stored.aggregate_id;
        version := stored.sequence;
        state := stored.state;
        EXIT;
    END LOOP;

    IF outcome = 'appended' THEN
        -- 2. A stale version is refused before a position is drawn.
        FOR i IN 1 .. cardinality(p_stream_ids) LOOP
            SELECT e.sequence INTO current
            FROM store.events e
            WHERE e.aggregate_type = p_stream_types[i] AND e.aggregate_id = p_stream_ids[i]
            ORDER BY e.sequence DESC
            LIMIT 1;
            IF coalesce(current, 0) <> p_expected[i] THEN
                RAISE EXCEPTION 'stream %/% is at version %, not %',
                    p_stream_types[i], p_stream_ids[i], coalesce(current, 0), p_expected[i]
                    USING ERRCODE = 'AT001';
            END IF;
        END LOOP;

        IF cardinality(p_event_ids) > 0 THEN
            -- 3. Announce that positions above the last one drawn are under way.
            PERFORM pg_advisory_xact_lock_shared(
                (store.lock_namespace() << 48) | store.last_drawn());

            -- 4. Draw the positions, stream by stream.
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
                ORDER BY e.stream, e.ordinal
            ) ordered;
        END IF;
    END IF;

    SELECT
        (SELECT e.position FROM store.events e
         WHERE e.aggregate_type = target_type AND e.aggregate_id = target_id
           AND e.sequence = version LIMIT 1),
        (SELECT g.number FROM store.generation g ORDER BY g.number DESC LIMIT 1),
        (SELECT i.store_id FROM store.identity i LIMIT 1)
    INTO "position", generation, store_id;
END
$$;

-- Appends for several commands at once: one round trip and one commit for all of them.
-- docs/adr/0010-group-commit.md says why.
--
-- What is done to each unit is what store.append does to one; a unit whose stream has moved on, or
-- whose key was used before, is left out and told, and the others go on.
--
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
        generation bigint,
        store_id   uuid
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
           (SELECT g.number FROM store.generation g ORDER BY g.number DESC LIMIT 1),
           (SELECT i.store_id FROM store.identity i LIMIT 1)
    FROM unnest(p_targets) WITH ORDINALITY AS u (target, unit);
END
$$;


-- The greatest position up to which everything that will ever be committed is committed.
--
-- Two statements, in this order: an append that takes its lock after the second draws positions
-- above the first. Call it alone, before the statement that reads events, at READ COMMITTED; a
-- snapshot taken earlier than the lock table was read would lose events.
CREATE FUNCTION store.watermark() RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    drawn    bigint;
    underway bigint;
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'a standby sees no locks: the feed is read from the primary'
            USING ERRCODE = 'AT003';
    END IF;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'store.watermark runs at READ COMMITTED only' USING ERRCODE = 'AT002';
    END IF;

    drawn := store.last_drawn();

    SELECT min(((l.classid::bigint & 65535) << 32) | l.objid::bigint) INTO underway
    FROM pg_locks l
    WHERE l.locktype = 'advisory'
      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
      AND l.objsubid = 1
      AND l.classid::bigint >> 16 = store.lock_namespace();

    RETURN least(drawn, coalesce(underway, drawn));
END
$$;

-- Enters the generation that the server is in now, opening a new one where its history is another
-- than the last one's. Called on every new connection; returns its number.
CREATE FUNCTION store.enter_generation() RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    here   bigint := (SELECT system_identifier FROM pg_control_system());
    line   text   := left(pg_walfile_name(pg_current_wal_lsn()), 8);
    latest store.generation%ROWTYPE;
BEGIN
    SELECT g.* INTO latest FROM store.generation g ORDER BY g.number DESC LIMIT 1;
    IF FOUND AND latest.system_identifier = here AND latest.timeline = line THEN
        RETURN latest.number;
    END IF;

    -- Somebody else may be opening it: one at a time, and look again.
    LOCK TABLE store.generation IN SHARE ROW EXCLUSIVE MODE;
    SELECT g.* INTO latest FROM store.generation g ORDER BY g.number DESC LIMIT 1;
    IF NOT FOUND OR latest.system_identifier <> here OR latest.timeline <> line THEN
        INSERT INTO store.generation (number, system_identifier, timeline)
        VALUES (coalesce(latest.number, 0) + 1, here, line)
        RETURNING * INTO latest;
    END IF;
    RETURN latest.number;
END
$$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA store FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA store TO atlas_app;

SELECT store.enter_generation();
