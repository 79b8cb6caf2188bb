-- The read model `bonus`: what GET /v1/bonus/accounts answers from.
--
-- It is derived from the account events and can be derived again. Each row keeps the first and the
-- last position that touched it. crates/projections owns every statement on it; the CHECKs are the
-- last safety net under it.

CREATE SCHEMA IF NOT EXISTS read;
GRANT USAGE ON SCHEMA read TO atlas_app;

CREATE TABLE read.bonus_accounts (
    beneficiary_role text        NOT NULL CHECK (beneficiary_role IN ('commissioner', 'workshop')),
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
);
GRANT SELECT, INSERT, UPDATE ON read.bonus_accounts TO atlas_app;
COMMENT ON TABLE read.bonus_accounts IS 'One row an account, as of its last applied event.';
