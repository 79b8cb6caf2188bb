-- What consumers gave up on. The row is written before the message goes to its dead-letter topic,
-- and before the offset moves; it outlasts the topic's retention, and is what operators work with.
-- crates/dead-letters owns every statement on it.

CREATE TABLE ops.dead_letters (
    -- Ascends with time: the oldest of two has the smaller one.
    id              uuid        PRIMARY KEY,
    -- The consumer group, and the place where the message lay first.
    consumer        text        NOT NULL,
    topic           text        NOT NULL,
    topic_id        text        NOT NULL,
    partition       integer     NOT NULL CHECK (partition >= 0),
    "offset"        bigint      NOT NULL CHECK ("offset" >= 0),
    -- The message's own bytes, until 90 days after it was closed; a value may have been missing.
    key             bytea,
    value           bytea,
    header_names    text[],
    header_values   bytea[],
    -- What orders it among others: messages of one key are sent again in order.
    key_hash        bytea GENERATED ALWAYS AS (sha256(key)) STORED,
    ce_id           uuid,
    ce_type         text,
    -- The dead letter that the message claimed to be sent again for, where it was another's.
    redrive_of      uuid,
    code            text        NOT NULL,
    kind            text        NOT NULL CHECK (kind IN
        ('malformed', 'contract', 'policy-conflict', 'domain', 'infrastructure')),
    detail          text        NOT NULL,
    -- The detail without what is particular to this message; with code and type it makes a group.
    cause           text        NOT NULL,
    group_id        text        NOT NULL GENERATED ALWAYS AS (left(md5(
        code || E'\n' || coalesce(ce_type, '') || E'\n' || cause), 12)) STORED,
    attempts        integer     NOT NULL CHECK (attempts >= 1),
    -- How often its redrive came back.
    returned        integer     NOT NULL DEFAULT 0 CHECK (returned >= 0),
    first_failed_at timestamptz NOT NULL,
    last_failed_at  timestamptz NOT NULL CHECK (last_failed_at >= first_failed_at),
    -- Where it lay when it failed last.
    last_partition  integer     NOT NULL,
    last_offset     bigint      NOT NULL,
    -- The redrive that is sending it again, for as long as it says so.
    claimed_by      uuid,
    claimed_until   timestamptz,
    -- How it was closed: redriven, handled (some other message with its ce_id was) or discarded.
    closed_as       text CHECK (closed_as IN ('redriven', 'handled', 'discarded')),
    closed_at       timestamptz,
    has_bytes       boolean     NOT NULL DEFAULT true,
    CONSTRAINT dead_letters_place UNIQUE (consumer, topic_id, partition, "offset"),
    CONSTRAINT dead_letters_closed_whole CHECK ((closed_as IS NULL) = (closed_at IS NULL)),
    CONSTRAINT dead_letters_claimed_whole CHECK
        ((claimed_by IS NULL) = (claimed_until IS NULL)),
    CONSTRAINT dead_letters_open_has_bytes CHECK (has_bytes OR closed_at IS NOT NULL)
) WITH (fillfactor = 80);
GRANT SELECT, INSERT, UPDATE ON ops.dead_letters TO atlas_app;
COMMENT ON TABLE ops.dead_letters IS
    'Messages that a consumer gave up on: open, or closed_as something.';

-- What is open: by what closes it, by what an operator asks for, and by what orders it.
CREATE INDEX dead_letters_open_event ON ops.dead_letters (ce_id, consumer)
    WHERE closed_at IS NULL;
CREATE INDEX dead_letters_open ON ops.dead_letters (id) WHERE closed_at IS NULL;
CREATE INDEX dead_letters_open_group ON ops.dead_letters
    (group_id, first_failed_at, last_failed_at) WHERE closed_at IS NULL;
CREATE INDEX dead_letters_open_key ON ops.dead_letters (topic, key_hash, id)
    WHERE closed_at IS NULL;
-- What may be forgotten.
CREATE INDEX dead_letters_forgotten ON ops.dead_letters (closed_at)
    WHERE closed_at IS NOT NULL AND has_bytes;
