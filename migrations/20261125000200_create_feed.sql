-- What readers of the feed keep: how far each has come and how it is, the streams that each has
-- parked, and the marks by which a checkpoint is verified after a restore.

-- One row a reader. `delivered` and `digest` (the sum modulo 2^64 of the first eight bytes of each
-- event id's SHA-256) cover every event after `since`, up to `position`; an auditor recomputes them
-- from store.events. Whoever holds the lease writes the row; health, operators and the CLI read it.
CREATE TABLE store.checkpoints (
    name        text PRIMARY KEY,
    generation  bigint           NOT NULL REFERENCES store.generation,
    since       bigint           NOT NULL DEFAULT 0 CHECK (since >= 0),
    position    bigint           NOT NULL DEFAULT 0 CHECK (position >= since),
    delivered   bigint           NOT NULL DEFAULT 0 CHECK (delivered >= 0),
    digest      bigint           NOT NULL DEFAULT 0,
    -- The lease. The epoch fences: each new owner has the next one, and a commit checks it.
    owner       text,
    epoch       bigint           NOT NULL DEFAULT 0,
    expires_at  timestamptz,
    -- How the reader is, as its last owner said at `seen_at`.
    state       text             NOT NULL DEFAULT 'idle'
        CHECK (state IN ('idle', 'running', 'waiting', 'failing', 'halted')),
    reason      text,
    -- The event that the reason is about.
    event_id    uuid,
    rate        double precision NOT NULL DEFAULT 0 CHECK (rate >= 0),
    seen_at     timestamptz,
    CONSTRAINT checkpoints_reason_by_state CHECK
        ((reason IS NOT NULL) = (state IN ('waiting', 'failing', 'halted')))
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE ON store.checkpoints TO atlas_app;
COMMENT ON TABLE store.checkpoints IS
    'One row a reader of the feed: checkpoint, lease and state.';
COMMENT ON COLUMN store.checkpoints.state IS
    'idle: nobody reads; running; waiting: what it sends to does not answer; failing: it begins
     again at the checkpoint; halted: it cannot go on until somebody acts.';
COMMENT ON COLUMN store.checkpoints.rate IS 'Events a second, over the last second or so.';

-- Streams that a reader has parked: it could not take one event of theirs, so that one and all that
-- follow it wait in store.events, while everything else flows. The reader looks again from time to
-- time, and whenever it starts.
CREATE TABLE store.parked (
    reader         text        NOT NULL REFERENCES store.checkpoints ON DELETE CASCADE,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    -- The first event that waits.
    sequence       bigint      NOT NULL CHECK (sequence >= 1),
    event_id       uuid        NOT NULL,
    position       bigint      NOT NULL CHECK (position >= 1),
    -- Its stored name and version.
    event          text        NOT NULL,
    reason         text        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    since          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (reader, aggregate_type, aggregate_id)
);
-- What waits longest: the lag counts it.
CREATE INDEX parked_oldest ON store.parked (reader, recorded_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON store.parked TO atlas_app;
COMMENT ON TABLE store.parked IS 'Streams that wait, by reader of the feed, each with the reason.';

-- What all events up to a position come to, found by reading them in a generation: the checkpoints
-- of all readers are verified from the nearest one, so that history is read once.
CREATE TABLE store.marks (
    generation bigint NOT NULL REFERENCES store.generation,
    position   bigint NOT NULL CHECK (position >= 1),
    delivered  bigint NOT NULL CHECK (delivered >= 1),
    digest     bigint NOT NULL,
    PRIMARY KEY (generation, position)
);
GRANT SELECT, INSERT ON store.marks TO atlas_app;
COMMENT ON TABLE store.marks IS 'Verified points of the store''s history, 100 000 events apart.';
