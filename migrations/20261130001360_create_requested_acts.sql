-- Operators ask for acts from a distance: the request is an event on their stream, and the projector's
-- role `acts` carries it out, for one process at a time. The indexes hold these events alone; while
-- they are made, appends wait for one look at every event.

INSERT INTO ops.leases (name) VALUES ('acts');

-- Requests, in the order of the log, and what carried them out.
CREATE INDEX events_acts_requested ON store.events (position)
    WHERE event_type = 'OperatorActRequested';
CREATE INDEX events_acts_of_requests ON store.events ((payload->>'requestId'), position)
    WHERE event_type = 'OperatorActed' AND payload->>'requestId' IS NOT NULL;

-- A request does a thing once, whoever carries it out, and however often they are killed: an act is
-- stored in the transaction of what it does. Only a rebuild is claimed by everybody who goes on.
CREATE UNIQUE INDEX events_acts_once ON store.events
    ((payload->>'requestId'), (payload->>'act'))
    WHERE event_type = 'OperatorActed' AND payload->>'requestId' IS NOT NULL
      AND payload->>'act' <> 'rebuild';

-- How far requests are. That there is one, and what came of it, is told by events.
CREATE TABLE ops.requested_acts (
    act_id     uuid        PRIMARY KEY,
    position   bigint      NOT NULL UNIQUE,
    state      text        NOT NULL DEFAULT 'requested'
        CHECK (state IN ('requested', 'running', 'done', 'refused', 'failed')),
    -- Who carries it out, and how often somebody began.
    owner      text,
    taken      smallint    NOT NULL DEFAULT 0,
    started_at timestamptz,
    ended_at   timestamptz,
    -- What is counted: so many done, of so many, at this rate a second.
    what       text,
    done       bigint,
    total      bigint,
    rate       float8,
    -- What its command says.
    said       text[]      NOT NULL DEFAULT '{}',
    exit_code  smallint,
    result     jsonb,
    CHECK ((state IN ('done', 'refused', 'failed')) = (ended_at IS NOT NULL)),
    CHECK ((state = 'running') = (owner IS NOT NULL))
) WITH (fillfactor = 50);
CREATE INDEX requested_acts_open ON ops.requested_acts (position)
    WHERE state IN ('requested', 'running');
GRANT SELECT, INSERT, UPDATE ON ops.requested_acts TO atlas_app;
COMMENT ON TABLE ops.requested_acts IS
    'Acts that operators asked for, and how far they are; written by the projector.';
