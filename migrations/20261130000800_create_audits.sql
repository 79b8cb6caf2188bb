-- What the auditor keeps: who audits, how far each audit has come, and what was found wrong.

-- One owner at a time. Whoever writes down what an audit found is still the owner then.
CREATE TABLE ops.auditor (
    owner      text,
    expires_at timestamptz,
    one_row    bool PRIMARY KEY DEFAULT true CHECK (one_row)
);
INSERT INTO ops.auditor DEFAULT VALUES;
GRANT SELECT, UPDATE ON ops.auditor TO atlas_app;
COMMENT ON TABLE ops.auditor IS 'Who audits now.';

-- One row an audit: `store` for the checkpoints and streams, a read model's name for its rows.
CREATE TABLE ops.audits (
    subject      text        PRIMARY KEY,
    -- The version of the read model whose rows are compared; of another one nothing is proved.
    reader       text,
    -- The stream after which the round goes on.
    cursor       text        NOT NULL DEFAULT '',
    -- The streams of this round so far, and of the last one.
    streams      bigint      NOT NULL DEFAULT 0 CHECK (streams >= 0),
    last_streams bigint      NOT NULL DEFAULT 0 CHECK (last_streams >= 0),
    began_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When the last whole round began: whatever there was then has been proved since.
    proved_since timestamptz
);
GRANT SELECT, INSERT, UPDATE ON ops.audits TO atlas_app;
COMMENT ON TABLE ops.audits IS 'How far each audit has come.';

-- What is wrong, until it is found right. Bounded by whoever writes it.
CREATE TABLE ops.audit_findings (
    subject  text        NOT NULL REFERENCES ops.audits,
    -- The stream concerned, or the reader whose checkpoint does not hold.
    stream   text        NOT NULL,
    -- The table, the row's key and the column; empty where it is the whole stream or checkpoint.
    item     text        NOT NULL,
    what     text        NOT NULL,
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at  timestamptz NOT NULL,
    PRIMARY KEY (subject, stream, item)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON ops.audit_findings TO atlas_app;
COMMENT ON TABLE ops.audit_findings IS 'What the auditor found wrong, and has not found right since.';
