-- Streams that a reader of the feed holds back: an event of theirs is of another release, so it
-- and all that follow it wait in store.events, while everything else flows. The reader looks again
-- from time to time, and whenever it starts.

CREATE TABLE store.held_back (
    reader         text        NOT NULL REFERENCES store.checkpoints,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    -- The first event that waits.
    sequence       bigint      NOT NULL CHECK (sequence >= 1),
    event_id       uuid        NOT NULL,
    -- Its stored name and version.
    event          text        NOT NULL,
    since          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (reader, aggregate_type, aggregate_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON store.held_back TO atlas_app;
COMMENT ON TABLE store.held_back IS
    'Streams that wait for a release which can read them, by reader of the feed.';
