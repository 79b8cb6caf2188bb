-- What each projector says of itself while it runs: which leases it waits for. Whoever owns more
-- than its share hands one over to it. No truth: a row that nobody renews means nothing.

CREATE TABLE ops.processes (
    -- As in the leases that it owns.
    owner     text        PRIMARY KEY,
    waits_for text[]      NOT NULL,
    seen_at   timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE, DELETE ON ops.processes TO atlas_app;
COMMENT ON TABLE ops.processes IS 'The projectors, and the leases that each waits for.';
