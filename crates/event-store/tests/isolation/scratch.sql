-- What the specs stand on beside the store's own tables: appends, looks and leases in few words,
-- and what each session has seen or was told. Run once by a superuser, in a database of the test
-- alone. Each verdict is one line, `verdict: fine` or what went wrong.

CREATE SCHEMA isolation;
GRANT USAGE ON SCHEMA isolation TO atlas_app, atlas_owner;

-- What a reader has made of the feed, in its own order.
CREATE TABLE isolation.seen (
    place    bigint GENERATED ALWAYS AS IDENTITY,
    position bigint NOT NULL
);
-- What a session was told, and has committed.
CREATE TABLE isolation.told (
    who        text NOT NULL,
    event_id   uuid,
    outcome    text NOT NULL,
    position   bigint,
    generation bigint
);
GRANT SELECT, INSERT ON isolation.seen, isolation.told TO atlas_app, atlas_owner;

-- Everything as it was before the first event. Rows are deleted, tables stay: this runs before each
-- schedule.
CREATE FUNCTION isolation.clear() RETURNS void LANGUAGE sql AS $$
    DELETE FROM isolation.seen;
    DELETE FROM isolation.told;
    DELETE FROM store.idempotency_keys;
    DELETE FROM store.checkpoints;
    DELETE FROM store.events;
$$;

-- What a session remembers from one step to the next. A rollback takes it back.
CREATE FUNCTION isolation.keep(name text, value anyelement) RETURNS void LANGUAGE sql AS $$
    SELECT set_config('isolation.' || name, value::text, false);
$$;
CREATE FUNCTION isolation.kept(name text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT current_setting('isolation.' || name)::bigint
$$;

-- Writing ------------------------------------------------------------------------------------------

-- One event for a stream that was seen at version 0, by store.append.
CREATE FUNCTION isolation.append(who text, stream text, key text DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    event  uuid := gen_random_uuid();
    answer record;
BEGIN
    SELECT a.* INTO answer
    FROM store.append(
        CASE WHEN key IS NOT NULL THEN 'scope' END, key, sha256('asked'), 201::smallint, 'state', 1,
        ARRAY['counter'], ARRAY[stream], ARRAY[0::bigint], ARRAY[1], ARRAY[event],
        ARRAY['Counted'], ARRAY['1.0'], ARRAY['{}'::jsonb], ARRAY['{}'::jsonb]) a;
    INSERT INTO isolation.told
    VALUES (who, event, answer.outcome, answer.position, answer.generation);
    RETURN answer.outcome;
END
$$;

-- The same by store.append_many, as a batch of one unit.
CREATE FUNCTION isolation.append_many(who text, stream text, key text DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    event  uuid := gen_random_uuid();
    answer record;
BEGIN
    SELECT a.* INTO answer
    FROM store.append_many(
        ARRAY[CASE WHEN key IS NOT NULL THEN 'scope' END], ARRAY[key], ARRAY[sha256('asked')],
        ARRAY[201::smallint], ARRAY['state'], ARRAY[1], ARRAY[1], ARRAY['counter'], ARRAY[stream],
        ARRAY[0::bigint], ARRAY[1], ARRAY[event], ARRAY['Counted'], ARRAY['1.0'],
        ARRAY['{}'::jsonb], ARRAY['{}'::jsonb]) a;
    INSERT INTO isolation.told
    VALUES (who, event, answer.outcome, answer.position, answer.generation);
    RETURN answer.outcome;
END
$$;

-- One event as a plain row, at the version after the last one: what only the owner may do.
CREATE FUNCTION isolation.insert(who text, stream text, drawn bigint DEFAULT NULL) RETURNS void
    LANGUAGE sql AS $$
    WITH event AS (
        INSERT INTO store.events
            (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload,
             metadata, event_id, recorded_at)
        SELECT coalesce(drawn, nextval('store.position')), 'counter', stream,
               coalesce(max(e.sequence), 0) + 1, 'Counted', '1.0', '{}', '{}', gen_random_uuid(),
               clock_timestamp()
        FROM store.events e
        WHERE e.aggregate_type = 'counter' AND e.aggregate_id = stream
        RETURNING event_id, position
    )
    INSERT INTO isolation.told SELECT who, event_id, 'appended', position FROM event;
$$;

-- A key that is looked up first and written last, where it should be claimed.
CREATE FUNCTION isolation.look_up_key() RETURNS void LANGUAGE sql AS $$
    SELECT isolation.keep('used', count(*)) FROM store.idempotency_keys;
$$;
CREATE FUNCTION isolation.append_with_key_looked_up(who text, stream text) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    IF isolation.kept('used') = 0 THEN
        PERFORM isolation.append(who, stream);
        INSERT INTO store.idempotency_keys
            (scope, key, fingerprint, status, aggregate_type, aggregate_id, sequence)
        VALUES ('scope', 'key', sha256('asked'), 201, 'counter', stream, 1)
        ON CONFLICT DO NOTHING;
    END IF;
END
$$;

-- What store.append does before it draws positions, in two moments.
CREATE FUNCTION isolation.ask_last_drawn() RETURNS void LANGUAGE sql AS $$
    SELECT isolation.keep('drawn', store.last_drawn());
$$;
CREATE FUNCTION isolation.announce() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock_shared(
        (store.lock_namespace() << 48) | isolation.kept('drawn'));
$$;

-- Reading ------------------------------------------------------------------------------------------

-- The two statements of the feed.
CREATE FUNCTION isolation.look() RETURNS void LANGUAGE sql AS $$
    SELECT isolation.keep('watermark', store.watermark());
$$;
CREATE FUNCTION isolation.read() RETURNS void LANGUAGE sql AS $$
    INSERT INTO isolation.seen (position)
    SELECT e.position FROM store.events e
    WHERE e.position > (SELECT coalesce(max(s.position), 0) FROM isolation.seen s)
      AND e.position <= isolation.kept('watermark')
    ORDER BY e.position LIMIT 500;
$$;

-- The same, from a cursor that was opened earlier.
CREATE FUNCTION isolation.read_cursor() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    events refcursor := 'events';
    event  bigint;
BEGIN
    LOOP
        FETCH events INTO event;
        EXIT WHEN NOT FOUND;
        INSERT INTO isolation.seen (position)
        SELECT event
        WHERE event > (SELECT coalesce(max(s.position), 0) FROM isolation.seen s)
          AND event <= isolation.kept('watermark');
    END LOOP;
END
$$;

-- The second statement of store.watermark, with the position that the first one found.
CREATE FUNCTION isolation.look_at_locks() RETURNS void LANGUAGE sql AS $$
    SELECT isolation.keep('underway', coalesce(min(((l.classid::bigint & 65535) << 32)
                                                   | l.objid::bigint), 281474976710655))
    FROM pg_locks l
    WHERE l.locktype = 'advisory'
      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
      AND l.objsubid = 1
      AND l.classid::bigint >> 16 = store.lock_namespace();
$$;
CREATE FUNCTION isolation.conclude() RETURNS void LANGUAGE sql AS $$
    SELECT isolation.keep('watermark',
                          least(isolation.kept('drawn'), isolation.kept('underway')));
$$;

-- Leases -------------------------------------------------------------------------------------------

-- Asks for a lease that has run out when it is given, so that anybody may take it over at once.
CREATE FUNCTION isolation.ask(who text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    granted record;
BEGIN
    UPDATE store.checkpoints
    SET owner = who, epoch = epoch + 1, expires_at = clock_timestamp() + make_interval(secs => 0)
    WHERE name = 'reader' AND (owner IS NULL OR owner = who OR expires_at <= clock_timestamp())
    RETURNING epoch, position INTO STRICT granted;
    PERFORM isolation.keep('epoch', granted.epoch);
    PERFORM isolation.keep('checkpoint', granted.position);
END
$$;

-- A batch of two events after the checkpoint that the lease was given with.
CREATE FUNCTION isolation.read_leased() RETURNS void LANGUAGE sql AS $$
    WITH batch AS (
        INSERT INTO isolation.seen (position)
        SELECT e.position FROM store.events e
        WHERE e.position > isolation.kept('checkpoint')
        ORDER BY e.position LIMIT 2
        RETURNING position
    )
    SELECT isolation.keep('checkpoint', coalesce(max(position), isolation.kept('checkpoint')))
    FROM batch;
$$;

-- The last statement of a batch.
CREATE FUNCTION isolation.advance() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE store.checkpoints
    SET position = isolation.kept('checkpoint')
    WHERE name = 'reader' AND epoch = isolation.kept('epoch');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the lease was lost to another owner';
    END IF;
END
$$;

-- The same, whoever holds the lease.
CREATE FUNCTION isolation.advance_without_epoch() RETURNS void LANGUAGE sql AS $$
    UPDATE store.checkpoints
    SET position = isolation.kept('checkpoint')
    WHERE name = 'reader';
$$;

-- Generations --------------------------------------------------------------------------------------

-- store.enter_generation without its second look.
CREATE FUNCTION isolation.enter_generation_blindly() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    line   text := left(pg_walfile_name(pg_current_wal_lsn()), 8);
    latest store.generation%ROWTYPE;
BEGIN
    SELECT g.* INTO latest FROM store.generation g ORDER BY g.number DESC LIMIT 1;
    IF latest.timeline <> line THEN
        LOCK TABLE store.generation IN SHARE ROW EXCLUSIVE MODE;
        INSERT INTO store.generation (number, system_identifier, timeline)
        SELECT max(g.number) + 1, latest.system_identifier, line FROM store.generation g
        RETURNING * INTO latest;
    END IF;
    RETURN latest.number;
END
$$;

-- What a connection does that has entered; one that could not is closed.
CREATE FUNCTION isolation.append_entered(who text, stream text) RETURNS void LANGUAGE sql AS $$
    SELECT isolation.append(who, stream)
    WHERE current_setting('isolation.entered', true) <> '';
$$;

-- Read models --------------------------------------------------------------------------------------

-- Two versions of a read model, made as those of the house are, one row an event; and what a client
-- was answered: the version's checkpoint in the answer's snapshot, and how many rows.
CREATE SCHEMA "isolation@1";
CREATE SCHEMA "isolation@2";
CREATE TABLE "isolation@1".rows (position bigint NOT NULL);
CREATE TABLE "isolation@2".rows (position bigint NOT NULL);
GRANT USAGE ON SCHEMA "isolation@1", "isolation@2" TO atlas_app, atlas_owner;
CREATE TABLE isolation.answers (
    number   bigint GENERATED ALWAYS AS IDENTITY,
    position bigint NOT NULL,
    rows     bigint NOT NULL
);
GRANT SELECT, INSERT, DELETE ON "isolation@1".rows, "isolation@2".rows, isolation.answers
    TO atlas_app, atlas_owner;

-- Version 1 is served, and version 2 is as far: each has one row.
CREATE FUNCTION isolation.serve_the_first() RETURNS void LANGUAGE sql AS $$
    DELETE FROM read.served WHERE model = 'isolation';
    DELETE FROM isolation.answers;
    DELETE FROM "isolation@1".rows;
    DELETE FROM "isolation@2".rows;
    INSERT INTO read.served (model, version) VALUES ('isolation', 1);
    INSERT INTO "isolation@1".rows VALUES (1);
    INSERT INTO "isolation@2".rows VALUES (1);
    INSERT INTO store.checkpoints (name, generation, position)
    SELECT name, max(number), 1
    FROM store.generation, unnest(ARRAY['isolation@1', 'isolation@2']) name
    GROUP BY name;
$$;

-- A batch of version 1.
CREATE FUNCTION isolation.follow() RETURNS void LANGUAGE sql AS $$
    INSERT INTO "isolation@1".rows VALUES (2);
    UPDATE store.checkpoints SET position = 2 WHERE name = 'isolation@1';
$$;

-- The first statement of a swap: neither version moves from here to the commit.
CREATE FUNCTION isolation.hold_both() RETURNS void LANGUAGE sql AS $$
    SELECT FROM store.checkpoints WHERE name IN ('isolation@1', 'isolation@2')
    ORDER BY name FOR UPDATE;
$$;
-- The second one: unless the new version is behind.
CREATE FUNCTION isolation.swap() RETURNS void LANGUAGE sql AS $$
    UPDATE read.served SET version = 2, since = clock_timestamp()
    WHERE model = 'isolation'
      AND (SELECT c.position FROM store.checkpoints c WHERE c.name = 'isolation@2')
          >= (SELECT c.position FROM store.checkpoints c WHERE c.name = 'isolation@1');
$$;
-- What dropping the tables of a version that is not served any more does to whoever reads them.
CREATE FUNCTION isolation.clear_the_first() RETURNS void LANGUAGE sql AS $$
    DELETE FROM "isolation@1".rows
    WHERE (SELECT s.version FROM read.served s WHERE s.model = 'isolation') <> 1;
$$;

-- An answer: which version is served, and then its rows.
CREATE FUNCTION isolation.ask_served() RETURNS void LANGUAGE sql AS $$
    SELECT isolation.keep('served', s.version) FROM read.served s WHERE s.model = 'isolation';
$$;
CREATE FUNCTION isolation.answer() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text := 'isolation@' || isolation.kept('served');
BEGIN
    EXECUTE format(
        'INSERT INTO isolation.answers (position, rows)
         SELECT c.position, (SELECT count(*) FROM %I.rows) FROM store.checkpoints c
         WHERE c.name = %L', name, name);
END
$$;

-- Judging ------------------------------------------------------------------------------------------

-- What is wrong with what the reader saw: it is to see every event once, in order.
CREATE FUNCTION isolation.wrong_reading() RETURNS text LANGUAGE sql AS $$
    SELECT CASE
        WHEN EXISTS (SELECT position FROM store.events EXCEPT SELECT position FROM isolation.seen)
            THEN 'an event was lost'
        WHEN (SELECT count(*) <> count(DISTINCT position) FROM isolation.seen)
            THEN 'an event was seen twice'
        WHEN EXISTS (SELECT FROM isolation.seen a JOIN isolation.seen b
                     ON a.place < b.place AND a.position > b.position)
            THEN 'events were seen out of order' END
$$;

-- What is wrong with what came of several appends of which one can be done: it is to be done, and
-- everybody is told so.
CREATE FUNCTION isolation.wrong_writing() RETURNS text LANGUAGE sql AS $$
    SELECT CASE
        WHEN (SELECT count(*) FROM store.events) < 1 THEN 'none was done'
        WHEN (SELECT count(*) FROM store.events) > 1 THEN 'more than one was done'
        WHEN EXISTS (SELECT FROM isolation.told t LEFT JOIN store.events e USING (event_id)
                     WHERE (t.outcome = 'appended') <> (e.event_id IS NOT NULL))
            THEN 'somebody was told what is not so'
        WHEN EXISTS (SELECT FROM isolation.told t
                     WHERE t.outcome IN ('appended', 'replayed') AND t.position IS DISTINCT FROM
                           (SELECT e.position FROM store.events e LIMIT 1))
            THEN 'somebody was told another position' END
$$;

-- What is wrong with the generations: one is to be opened for one change, and known to everybody.
CREATE FUNCTION isolation.wrong_generation() RETURNS text LANGUAGE sql AS $$
    SELECT CASE
        WHEN (SELECT max(number) FROM store.generation) < 2 THEN 'none was opened'
        WHEN (SELECT max(number) FROM store.generation) > 2 THEN 'more than one was opened'
        WHEN EXISTS (SELECT FROM isolation.told t WHERE t.generation <> 2)
            THEN 'somebody was told another generation' END
$$;

-- What is wrong with the answers of a read model: each is to be whole, and none older than the one
-- before.
CREATE FUNCTION isolation.wrong_answers() RETURNS text LANGUAGE sql AS $$
    SELECT CASE
        WHEN (SELECT count(*) FROM isolation.answers) <> 2 THEN 'an answer was not given'
        WHEN EXISTS (SELECT FROM isolation.answers WHERE rows <> position)
            THEN 'an answer was not whole'
        WHEN EXISTS (SELECT FROM isolation.answers a JOIN isolation.answers b
                     ON a.number < b.number AND a.position > b.position)
            THEN 'an answer was older than the one before' END
$$;

-- The line that the test counts.
CREATE FUNCTION isolation.verdict(wrong text) RETURNS text LANGUAGE sql AS $$
    SELECT 'verdict: ' || coalesce(wrong, 'fine')
$$;
