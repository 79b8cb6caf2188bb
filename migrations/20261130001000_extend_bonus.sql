-- Policies that can be changed: heads that carry their sum from the first fact on, VIP, accounts of
-- another policy than the one in force, what each recompute moved.
--
-- It only expands. A release before it goes on beside the one that brings it: it knows nothing of
-- VIP, and `vip_version` tells which accounts it has moved since.

-- Of which policy the sum is, also where nothing was awarded yet: then the sum is 0, and the first
-- award has no row of the ledger to look at but those of its order. Whoever inserts a head without
-- naming a policy is of the time when there was only the first one in force.
--
-- Accounts whose policy is not the one in force are to be recomputed, and those with facts that were
-- deferred while that was so. There is no other queue: an activation puts all of them into it by
-- coming into force, and nobody can be forgotten.
ALTER TABLE bonus.accounts
    -- Whether facts are kept that the sum does not count.
    ADD COLUMN deferred boolean NOT NULL DEFAULT false,
    -- Whether the account is VIP, as its events tell.
    ADD COLUMN is_vip boolean NOT NULL DEFAULT false,
    -- When VIP comes or goes if nothing more happens; null for never. While the account is VIP it is
    -- the end of VIP.
    ADD COLUMN vip_changes_at timestamptz,
    -- The version that vip_changes_at is of: at another one it is to be computed anew.
    ADD COLUMN vip_version bigint NOT NULL DEFAULT 0 CHECK (vip_version >= 0),
    DROP CONSTRAINT accounts_open_from_the_first_event;
UPDATE bonus.accounts SET policy_version = 1, lifetime_points = 0 WHERE version = 0;
ALTER TABLE bonus.accounts
    ALTER COLUMN policy_version SET DEFAULT 1,
    ALTER COLUMN policy_version SET NOT NULL,
    ALTER COLUMN lifetime_points SET DEFAULT 0,
    ALTER COLUMN lifetime_points SET NOT NULL,
    ADD CONSTRAINT accounts_open_from_the_first_event CHECK
        (num_nonnulls(grade, changed_at) = CASE version WHEN 0 THEN 0 ELSE 2 END
         AND (version > 0 OR lifetime_points = 0 AND NOT is_vip AND vip_changes_at IS NULL));
COMMENT ON TABLE bonus.accounts IS
    'The head of each beneficiary''s ledger: its sum under a policy, and the account''s stream so
     far; a beneficiary without an award has version 0.';

-- What the VIP clock looks for: what is due, and what it has to compute first.
CREATE INDEX accounts_by_next_vip_change ON bonus.accounts (vip_changes_at)
    WHERE vip_changes_at IS NOT NULL;
CREATE INDEX accounts_without_vip ON bonus.accounts (beneficiary_role, beneficiary_id)
    WHERE vip_version <> version;
-- What is to be recomputed.
CREATE INDEX accounts_by_policy
    ON bonus.accounts (policy_version, beneficiary_role, beneficiary_id);
CREATE INDEX accounts_with_deferred ON bonus.accounts (beneficiary_role, beneficiary_id)
    WHERE deferred;

-- A fact of an account that is of another policy than the one in force is deferred: it is kept, and
-- no version of the account counts it yet, whatever its sum says. The recompute that takes it in writes its own version
-- there; nothing else of a row ever changes.
ALTER TABLE bonus.ledger ALTER COLUMN account_version DROP NOT NULL;
GRANT UPDATE (account_version) ON bonus.ledger TO atlas_app;
CREATE INDEX ledger_deferred ON bonus.ledger (beneficiary_role, beneficiary_id)
    WHERE account_version IS NULL;
COMMENT ON COLUMN bonus.ledger.account_version IS
    'The version of the account that counts this row first; null while it is deferred.';
COMMENT ON TABLE bonus.ledger IS 'Facts that policies reward; as facts, rows are never changed.';

-- From when on facts of a type are kept. A policy that rewards a type of which earlier facts may be
-- missing is not activated before they were read from the order events.
CREATE TABLE bonus.kept_types (
    event_type       text        NOT NULL CHECK (event_type <> ''),
    beneficiary_role text        NOT NULL
        CHECK (beneficiary_role IN ('commissioner', 'workshop')),
    -- When a release first kept it.
    since            timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Since when every fact of it is kept that there ever was; null where some may be missing.
    whole_since      timestamptz,
    PRIMARY KEY (beneficiary_role, event_type)
);
GRANT SELECT, INSERT, UPDATE (whole_since) ON bonus.kept_types TO atlas_app;
COMMENT ON TABLE bonus.kept_types IS 'The types of facts that the ledger keeps, and since when.';
INSERT INTO bonus.kept_types (event_type, beneficiary_role, whole_since)
SELECT t, 'commissioner', clock_timestamp()
FROM unnest(ARRAY['OrderPlaced', 'OfferConfirmed', 'OrderCompleted', 'OrderCancelled']) t;

-- What recomputes moved: one row an account and recompute that its stream tells of.
CREATE TABLE bonus.policy_movements (
    -- The activation in force.
    activation       bigint      NOT NULL REFERENCES bonus.policy_activations,
    beneficiary_role text        NOT NULL,
    beneficiary_id   uuid        NOT NULL,
    -- The version that PolicyRecomputed gave the account.
    account_version  bigint      NOT NULL CHECK (account_version >= 1),
    -- The policy that it was of; null where the recompute made the account.
    from_policy      integer     CHECK (from_policy >= 1),
    to_policy        integer     NOT NULL CHECK (to_policy >= 1),
    points_before    bigint      NOT NULL CHECK (points_before >= 0),
    points_after     bigint      NOT NULL CHECK (points_after >= 0),
    grade_before     text        NOT NULL
        CHECK (grade_before IN ('Bronze', 'Silver', 'Gold', 'Platinum')),
    grade_after      text        NOT NULL
        CHECK (grade_after IN ('Bronze', 'Silver', 'Gold', 'Platinum')),
    vip_before       boolean     NOT NULL,
    vip_after        boolean     NOT NULL,
    moved_at         timestamptz NOT NULL,
    PRIMARY KEY (activation, beneficiary_role, beneficiary_id, account_version),
    FOREIGN KEY (beneficiary_role, beneficiary_id) REFERENCES bonus.accounts
);
GRANT SELECT, INSERT ON bonus.policy_movements TO atlas_app;
COMMENT ON TABLE bonus.policy_movements IS 'What each recompute moved; rows stay.';

-- Work that one process does at a time, and that no reader's checkpoint stands for.
CREATE TABLE ops.leases (
    name       text PRIMARY KEY,
    owner      text,
    expires_at timestamptz
);
INSERT INTO ops.leases (name) VALUES ('vip-clock'), ('recompute');
GRANT SELECT, UPDATE ON ops.leases TO atlas_app;
COMMENT ON TABLE ops.leases IS 'Who does what one process does at a time.';

-- The read model has VIP as the account events tell it. Versions that there are get the columns in
-- the same places as those that will be made.
CREATE OR REPLACE FUNCTION read.create_bonus(p_version integer) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM read.open_version('bonus', p_version);
    CREATE TABLE bonus_accounts (
        beneficiary_role text        NOT NULL
            CHECK (beneficiary_role IN ('commissioner', 'workshop')),
        beneficiary_id   uuid        NOT NULL,
        -- The number of events in the account's stream; a row moves from its version to the next.
        version          bigint      NOT NULL CHECK (version >= 1),
        policy_version   integer     NOT NULL CHECK (policy_version >= 1),
        lifetime_points  bigint      NOT NULL CHECK (lifetime_points >= 0),
        grade            text        NOT NULL
            CHECK (grade IN ('Bronze', 'Silver', 'Gold', 'Platinum')),
        -- When the account's last event occurred.
        changed_at       timestamptz NOT NULL,
        first_position   bigint      NOT NULL CHECK (first_position >= 1),
        last_position    bigint      NOT NULL CHECK (last_position >= first_position),
        PRIMARY KEY (beneficiary_role, beneficiary_id)
    ) WITH (fillfactor = 80);
    COMMENT ON TABLE bonus_accounts IS 'One row an account, as of its last applied event.';
    GRANT SELECT, INSERT, UPDATE ON bonus_accounts TO atlas_app;
    PERFORM read.add_vip();
END
$$;

-- The columns that came with VIP, in the version that the search path names.
CREATE FUNCTION read.add_vip() RETURNS void
    LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    ALTER TABLE bonus_accounts
        -- Whether facts wait for a recompute.
        ADD COLUMN deferred boolean NOT NULL DEFAULT false,
        -- As the last event told it. The points in the window, and until when they suffice, are
        -- those of an instant: who shows them computes them from the ledger.
        ADD COLUMN is_vip boolean NOT NULL DEFAULT false;
END
$$;
REVOKE EXECUTE ON FUNCTION read.add_vip() FROM PUBLIC;

DO $$
DECLARE
    v_schema name;
BEGIN
    FOR v_schema IN
        SELECT n.nspname FROM pg_namespace n WHERE n.nspname ~ '^bonus@[1-9][0-9]*$'
    LOOP
        PERFORM set_config('search_path', quote_ident(v_schema), true);
        PERFORM read.add_vip();
    END LOOP;
    PERFORM set_config('search_path', '', true);
END
$$;
RESET search_path;
