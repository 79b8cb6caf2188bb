-- The bonus side's own tables: the ledger of facts, what the next award rests on, and which policy
-- is in force. crates/bonus-store owns every statement on them.
--
-- The ledger keeps facts, not points: what a fact is worth is what a policy says of it, and another
-- policy may say something else of the same facts.

CREATE SCHEMA bonus;
GRANT USAGE ON SCHEMA bonus TO atlas_app;

-- Policies are compiled in; here is which of them was in force from when to when. The first start
-- activates policy 1. Awards lock the row in force FOR SHARE: an activation, which ends it, waits
-- for the awards under way, and later ones see the next policy.
CREATE TABLE bonus.policy_activations (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version      integer     NOT NULL CHECK (version >= 1),
    -- SHA-256 of the policy's file.
    hash         bytea       NOT NULL CHECK (length(hash) = 32),
    activated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The operator who activated it; null for the first start.
    operator     uuid,
    replaced_at  timestamptz CHECK (replaced_at >= activated_at)
);
CREATE UNIQUE INDEX policy_activations_one_in_force
    ON bonus.policy_activations ((true)) WHERE replaced_at IS NULL;
-- A row lock needs the right to update a column; there is nothing else to update.
GRANT SELECT, INSERT, UPDATE (replaced_at) ON bonus.policy_activations TO atlas_app;
COMMENT ON TABLE bonus.policy_activations IS 'Which policy was in force when; rows stay.';

-- One row for each beneficiary with a row in the ledger, locked while facts are taken in. It holds
-- what the account's stream comes to, so that nobody has to read the stream for the next award; it
-- moves in the transaction that appends to the stream.
CREATE TABLE bonus.accounts (
    beneficiary_role text    NOT NULL CHECK (beneficiary_role IN ('commissioner', 'workshop')),
    beneficiary_id   uuid    NOT NULL,
    -- The number of events in the account's stream; 0 while nothing was awarded.
    version          bigint  NOT NULL DEFAULT 0 CHECK (version >= 0),
    policy_version   integer CHECK (policy_version >= 1),
    lifetime_points  bigint  CHECK (lifetime_points >= 0),
    grade            text    CHECK (grade IN ('Bronze', 'Silver', 'Gold', 'Platinum')),
    -- When the stream's last event occurred.
    changed_at       timestamptz,
    PRIMARY KEY (beneficiary_role, beneficiary_id),
    CONSTRAINT accounts_open_from_the_first_event CHECK
        (num_nonnulls(policy_version, lifetime_points, grade, changed_at)
         = CASE version WHEN 0 THEN 0 ELSE 4 END)
);
GRANT SELECT, INSERT, UPDATE ON bonus.accounts TO atlas_app;
COMMENT ON TABLE bonus.accounts IS
    'The head of each account''s stream; a beneficiary without an award has version 0.';

-- Every fact that any policy of a release, in force or draft, gives or takes points for.
CREATE TABLE bonus.ledger (
    -- A fact is counted once, however often it is told.
    source_event_id  uuid PRIMARY KEY,
    event_type       text        NOT NULL CHECK (event_type <> ''),
    beneficiary_role text        NOT NULL,
    beneficiary_id   uuid        NOT NULL,
    order_id         uuid,
    by_dispute       boolean     NOT NULL,
    occurred_at      timestamptz NOT NULL,
    recorded_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The version of the account that counts this row first: that of its PointsAwarded, or the one
    -- found where the fact moved nothing. Whoever shows an account as of a version takes the rows
    -- up to it.
    account_version  bigint      NOT NULL CHECK (account_version >= 0),
    FOREIGN KEY (beneficiary_role, beneficiary_id) REFERENCES bonus.accounts
);
-- An account's facts, newest first.
CREATE INDEX ledger_newest ON bonus.ledger
    (beneficiary_role, beneficiary_id, occurred_at DESC, source_event_id DESC);
-- An account's facts about one order: they decide together what each is worth.
CREATE INDEX ledger_order ON bonus.ledger (beneficiary_role, beneficiary_id, order_id);
GRANT SELECT, INSERT ON bonus.ledger TO atlas_app;
COMMENT ON TABLE bonus.ledger IS 'Facts that policies reward; rows are never changed.';
