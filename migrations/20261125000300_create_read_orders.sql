-- The read models `orders` and `workshops`: what GET /v1/orders, GET /v1/invitations and
-- GET /v1/workshops answer from.
--
-- They are derived from the events and can be derived again. Each row keeps the first and the last
-- position that touched it. Rows and checkpoint move in one transaction. crates/projections owns
-- every statement on these tables; the CHECKs are the last safety net under it.

CREATE SCHEMA read;
GRANT USAGE ON SCHEMA read TO atlas_app;

CREATE TABLE read.orders (
    order_id         uuid PRIMARY KEY,
    -- The number of events in the order's stream; a row moves from its version to the next.
    version          bigint        NOT NULL CHECK (version >= 1),
    state            text          NOT NULL CHECK (state IN
        ('negotiating', 'inProgress', 'finished', 'disputed', 'completed', 'cancelled')),
    commissioner_id  uuid          NOT NULL,
    -- The confirmed workshop.
    workshop_id      uuid,
    title            text          NOT NULL,
    brief            text          NOT NULL,
    budget_amount    numeric(14,2) NOT NULL CHECK (budget_amount > 0),
    budget_currency  text          NOT NULL CHECK (budget_currency ~ '^[A-Z]{3}$'),
    deadline         timestamptz   NOT NULL,
    request_revision bigint        NOT NULL CHECK (request_revision >= 1),
    current_stage    bigint        CHECK (current_stage >= 1),
    dispute_by_role  text CHECK (dispute_by_role IN ('commissioner', 'workshop', 'operator')),
    dispute_by_id    uuid,
    dispute_reason   text,
    dispute_at       timestamptz,
    dispute_from     text CHECK (dispute_from IN ('inProgress', 'finished')),
    created_at       timestamptz   NOT NULL,
    updated_at       timestamptz   NOT NULL CHECK (updated_at >= created_at),
    first_position   bigint        NOT NULL CHECK (first_position >= 1),
    last_position    bigint        NOT NULL CHECK (last_position >= first_position),
    CONSTRAINT orders_workshop_by_state CHECK (CASE state
        WHEN 'negotiating' THEN workshop_id IS NULL
        WHEN 'cancelled' THEN true
        ELSE workshop_id IS NOT NULL END),
    -- Null in inProgress too, between the last stage's completion and OrderFinished.
    CONSTRAINT orders_current_stage_by_state CHECK
        (current_stage IS NULL OR state = 'inProgress'),
    CONSTRAINT orders_dispute_by_state CHECK
        (num_nonnulls(dispute_by_role, dispute_by_id, dispute_reason, dispute_at, dispute_from)
         = CASE state WHEN 'disputed' THEN 5 ELSE 0 END)
);
COMMENT ON TABLE read.orders IS 'One row an order, as of its last applied event.';
-- The lists, newest first: all, by state, and a commissioner's own.
CREATE INDEX orders_newest ON read.orders (created_at, order_id);
CREATE INDEX orders_state_newest ON read.orders (state, created_at, order_id);
CREATE INDEX orders_commissioner_newest ON read.orders (commissioner_id, created_at, order_id);

CREATE TABLE read.invitations (
    order_id               uuid        NOT NULL REFERENCES read.orders,
    workshop_id            uuid        NOT NULL,
    -- Seats are numbered in the order in which they were first given.
    seat                   bigint      NOT NULL CHECK (seat >= 1),
    status                 text        NOT NULL CHECK (status IN
        ('pending', 'offered', 'confirmed', 'declined', 'withdrawn', 'notSelected')),
    -- The last invitation's instant.
    invited_at             timestamptz NOT NULL,
    -- The order's created_at, never changed: it lets one index serve a workshop's list.
    order_created_at       timestamptz NOT NULL,
    offer_budget_amount    numeric(14,2) CHECK (offer_budget_amount > 0),
    offer_budget_currency  text          CHECK (offer_budget_currency ~ '^[A-Z]{3}$'),
    offer_deadline         timestamptz,
    offer_description      text,
    offer_stages           jsonb         CHECK (jsonb_typeof(offer_stages) = 'array'),
    offer_request_revision bigint        CHECK (offer_request_revision >= 1),
    offer_revision         bigint        CHECK (offer_revision >= 1),
    first_position         bigint      NOT NULL CHECK (first_position >= 1),
    last_position          bigint      NOT NULL CHECK (last_position >= first_position),
    PRIMARY KEY (order_id, workshop_id),
    -- A seat shows the whole offer or none; a seat that was not selected may have had none.
    CONSTRAINT invitations_offer_by_status CHECK
        (num_nonnulls(offer_budget_amount, offer_budget_currency, offer_deadline,
                      offer_description, offer_stages, offer_request_revision, offer_revision)
         = ANY (CASE status
            WHEN 'offered' THEN ARRAY[7]
            WHEN 'confirmed' THEN ARRAY[7]
            WHEN 'notSelected' THEN ARRAY[0, 7]
            ELSE ARRAY[0] END))
);
COMMENT ON TABLE read.invitations IS
    'One row a seat. The confirmed seat''s offer is the agreed terms of the order.';
CREATE UNIQUE INDEX invitations_one_confirmed ON read.invitations (order_id)
    WHERE status = 'confirmed';
-- A workshop's orders, newest first.
CREATE INDEX invitations_workshop_newest
    ON read.invitations (workshop_id, order_created_at, order_id);
-- A workshop's invitations, newest first: all, and by status.
CREATE INDEX invitations_inbox
    ON read.invitations (workshop_id, invited_at, order_id);
CREATE INDEX invitations_inbox_by_status
    ON read.invitations (workshop_id, status, invited_at, order_id);

CREATE TABLE read.stages (
    order_id          uuid    NOT NULL REFERENCES read.orders,
    number            bigint  NOT NULL CHECK (number >= 1),
    name              text    NOT NULL,
    description       text    NOT NULL,
    duration_days     bigint  CHECK (duration_days BETWEEN 1 AND 3650),
    requires_approval boolean NOT NULL,
    status            text    NOT NULL CHECK (status IN
        ('pending', 'awaitingApproval', 'completed')),
    completed_at      timestamptz,
    first_position    bigint  NOT NULL CHECK (first_position >= 1),
    last_position     bigint  NOT NULL CHECK (last_position >= first_position),
    PRIMARY KEY (order_id, number),
    CONSTRAINT stages_completed_at_by_status CHECK
        ((completed_at IS NOT NULL) = (status = 'completed')),
    CONSTRAINT stages_only_blocking_ones_wait CHECK
        (status <> 'awaitingApproval' OR requires_approval)
);
COMMENT ON TABLE read.stages IS 'The milestones of the agreed terms.';

CREATE TABLE read.timeline (
    order_id          uuid        NOT NULL REFERENCES read.orders,
    version           bigint      NOT NULL CHECK (version >= 1),
    event_id          uuid        NOT NULL,
    event_type        text        NOT NULL,
    event_version     text        NOT NULL,
    -- As stored: what a viewer is shown of it is decided when it is read.
    payload           jsonb       NOT NULL,
    actor_role        text        NOT NULL CHECK (actor_role IN
        ('commissioner', 'workshop', 'operator')),
    actor_id          uuid        NOT NULL,
    on_behalf_of_role text        CHECK (on_behalf_of_role IN ('commissioner', 'workshop')),
    on_behalf_of_id   uuid,
    occurred_at       timestamptz NOT NULL,
    position          bigint      NOT NULL CHECK (position >= 1),
    PRIMARY KEY (order_id, version),
    CONSTRAINT timeline_on_behalf_of_whole CHECK
        ((on_behalf_of_role IS NULL) = (on_behalf_of_id IS NULL))
);
COMMENT ON TABLE read.timeline IS 'Every event of an order, with who did it.';

CREATE TABLE read.workshops (
    workshop_id         uuid PRIMARY KEY,
    version             bigint  NOT NULL CHECK (version >= 1),
    name                text    NOT NULL COLLATE "C",
    accepts_commissions boolean NOT NULL,
    first_position      bigint  NOT NULL CHECK (first_position >= 1),
    last_position       bigint  NOT NULL CHECK (last_position >= first_position)
);
COMMENT ON TABLE read.workshops IS 'The directory of workshops.';
CREATE INDEX workshops_by_name ON read.workshops (name, workshop_id);

GRANT SELECT, INSERT, UPDATE
    ON read.orders, read.invitations, read.stages, read.timeline, read.workshops TO atlas_app;
