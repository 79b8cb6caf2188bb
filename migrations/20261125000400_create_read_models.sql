-- The read models: tables that are derived from the events and can be derived again.
--
-- A version of a read model is a schema named like it, `orders@1`. Statements name tables without a
-- schema, and the connection's search_path says which version is meant: the next one is built
-- beside the first by the same code. read.served says which one answers.
--
-- Each row keeps the first and the last position that touched it. Rows and checkpoint move in one
-- transaction. crates/projections owns every statement on these tables; the CHECKs are the last
-- safety net under it. What a text or a currency may be is not theirs to judge: that changes with
-- releases, and what is stored stays.

CREATE SCHEMA read;
GRANT USAGE ON SCHEMA read TO atlas_app;

CREATE TABLE read.served (
    model   text PRIMARY KEY,
    version integer     NOT NULL CHECK (version >= 1),
    -- The schema, and the name of its checkpoint.
    name    text        NOT NULL GENERATED ALWAYS AS (model || '@' || version) STORED,
    since   timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT ON read.served TO atlas_app;
COMMENT ON TABLE read.served IS 'Which version of each read model is served.';

-- Opens the schema of a version, for the statements that follow in the same function.
CREATE FUNCTION read.open_version(p_model text, p_version integer) RETURNS void
    LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    name text := p_model || '@' || p_version;
BEGIN
    EXECUTE format('CREATE SCHEMA %I', name);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO atlas_app', name);
    PERFORM set_config('search_path', quote_ident(name), true);
END
$$;

-- Makes the tables of a version of `orders`: what GET /v1/orders and GET /v1/invitations answer
-- from.
CREATE FUNCTION read.create_orders(p_version integer) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM read.open_version('orders', p_version);

    CREATE TABLE orders (
        order_id         uuid          NOT NULL,
        -- The number of events in the order's stream; a row moves from its version to the next.
        version          bigint        NOT NULL CHECK (version >= 1),
        state            text          NOT NULL CHECK (state IN
            ('negotiating', 'inProgress', 'finished', 'disputed', 'completed', 'cancelled')),
        commissioner_id  uuid          NOT NULL,
        -- The confirmed workshop.
        workshop_id      uuid,
        title            text          NOT NULL,
        budget_amount    numeric NOT NULL CHECK (budget_amount > 0),
        budget_currency  text          NOT NULL,
        deadline         timestamptz   NOT NULL,
        request_revision bigint        NOT NULL CHECK (request_revision >= 1),
        agreed_amount    numeric CHECK (agreed_amount > 0),
        agreed_currency  text,
        agreed_deadline  timestamptz,
        current_stage    bigint        CHECK (current_stage >= 1),
        dispute_by_role  text CHECK (dispute_by_role IN ('commissioner', 'workshop', 'operator')),
        dispute_by_id    uuid,
        dispute_reason   text,
        dispute_at       timestamptz,
        dispute_from     text CHECK (dispute_from IN ('inProgress', 'finished')),
        placed_at        timestamptz   NOT NULL,
        first_offered_at timestamptz,
        confirmed_at     timestamptz,
        finished_at      timestamptz,
        completed_at     timestamptz,
        cancelled_at     timestamptz,
        updated_at       timestamptz   NOT NULL CHECK (updated_at >= placed_at),
        first_position   bigint        NOT NULL CHECK (first_position >= 1),
        last_position    bigint        NOT NULL CHECK (last_position >= first_position),
        PRIMARY KEY (order_id),
        CONSTRAINT orders_agreed_by_state CHECK
            (num_nonnulls(workshop_id, agreed_amount, agreed_currency, agreed_deadline,
                          confirmed_at)
             = ANY (CASE state
                WHEN 'negotiating' THEN ARRAY[0]
                WHEN 'cancelled' THEN ARRAY[0, 5]
                ELSE ARRAY[5] END)),
        -- Null in inProgress too, between the last stage's completion and OrderFinished.
        CONSTRAINT orders_current_stage_by_state CHECK
            (current_stage IS NULL OR state = 'inProgress'),
        CONSTRAINT orders_dispute_by_state CHECK
            (num_nonnulls(dispute_by_role, dispute_by_id, dispute_reason, dispute_at, dispute_from)
             = CASE state WHEN 'disputed' THEN 5 ELSE 0 END)
    ) WITH (fillfactor = 80);
    COMMENT ON TABLE orders IS 'One row an order, as of its last applied event.';
    -- The lists, newest first: by state, and a commissioner's own by state.
    CREATE INDEX orders_by_state ON orders (state, placed_at, order_id);
    CREATE INDEX orders_by_commissioner ON orders (commissioner_id, state, placed_at, order_id);

    CREATE TABLE invitations (
        order_id               uuid        NOT NULL,
        workshop_id            uuid        NOT NULL,
        -- Seats are numbered in the order in which they were first given.
        seat                   bigint      NOT NULL CHECK (seat >= 1),
        status                 text        NOT NULL CHECK (status IN
            ('pending', 'offered', 'confirmed', 'declined', 'withdrawn', 'notSelected')),
        first_invited_at       timestamptz NOT NULL,
        -- The last invitation's instant.
        invited_at             timestamptz NOT NULL CHECK (invited_at >= first_invited_at),
        first_offered_at       timestamptz,
        offer_amount           numeric CHECK (offer_amount > 0),
        offer_currency         text,
        offer_deadline         timestamptz,
        offer_request_revision bigint      CHECK (offer_request_revision >= 1),
        offer_revision         bigint      CHECK (offer_revision >= 1),
        -- The order's state and placement: they let one index serve a workshop's lists.
        order_state            text        NOT NULL CHECK (order_state IN
            ('negotiating', 'inProgress', 'finished', 'disputed', 'completed', 'cancelled')),
        placed_at              timestamptz NOT NULL,
        first_position         bigint      NOT NULL CHECK (first_position >= 1),
        last_position          bigint      NOT NULL CHECK (last_position >= first_position),
        PRIMARY KEY (order_id, workshop_id),
        -- A seat shows the whole offer or none; a seat that was not selected may have had none.
        CONSTRAINT invitations_offer_by_status CHECK
            (num_nonnulls(offer_amount, offer_currency, offer_deadline, offer_request_revision,
                          offer_revision)
             = ANY (CASE status
                WHEN 'offered' THEN ARRAY[5]
                WHEN 'confirmed' THEN ARRAY[5]
                WHEN 'notSelected' THEN ARRAY[0, 5]
                ELSE ARRAY[0] END))
    ) WITH (fillfactor = 80);
    COMMENT ON TABLE invitations IS 'One row a seat.';
    CREATE UNIQUE INDEX invitations_one_confirmed ON invitations (order_id)
        WHERE status = 'confirmed';
    -- A workshop's inbox by status, and its orders by their state, newest first.
    CREATE INDEX invitations_inbox ON invitations (workshop_id, status, invited_at, order_id);
    CREATE INDEX invitations_by_order_state
        ON invitations (workshop_id, order_state, placed_at, order_id);

    CREATE TABLE stages (
        order_id          uuid    NOT NULL,
        number            bigint  NOT NULL CHECK (number >= 1),
        name              text    NOT NULL,
        duration_days     bigint  CHECK (duration_days >= 1),
        requires_approval boolean NOT NULL,
        status            text    NOT NULL CHECK (status IN
            ('pending', 'awaitingApproval', 'completed')),
        -- The confirmation and the durations up to this stage; null from the first one without.
        planned_end       timestamptz,
        completed_at      timestamptz,
        first_position    bigint  NOT NULL CHECK (first_position >= 1),
        last_position     bigint  NOT NULL CHECK (last_position >= first_position),
        PRIMARY KEY (order_id, number),
        CONSTRAINT stages_completed_at_by_status CHECK
            ((completed_at IS NOT NULL) = (status = 'completed')),
        CONSTRAINT stages_only_blocking_ones_wait CHECK
            (status <> 'awaitingApproval' OR requires_approval)
    ) WITH (fillfactor = 80);
    COMMENT ON TABLE stages IS 'The milestones of the agreed terms.';

    CREATE TABLE timeline (
        order_id          uuid        NOT NULL,
        version           bigint      NOT NULL CHECK (version >= 1),
        -- An event that is told as several facts since has several parts.
        part              smallint    NOT NULL CHECK (part >= 1),
        event_id          uuid        NOT NULL,
        event             text        NOT NULL,
        schema_version    text        NOT NULL,
        -- The public payload, whole: each viewer is shown what it may see of it.
        data              jsonb       NOT NULL,
        actor_role        text        NOT NULL CHECK (actor_role IN
            ('commissioner', 'workshop', 'operator')),
        actor_id          uuid        NOT NULL,
        on_behalf_of_role text        CHECK (on_behalf_of_role IN ('commissioner', 'workshop')),
        on_behalf_of_id   uuid,
        occurred_at       timestamptz NOT NULL,
        recorded_at       timestamptz NOT NULL,
        position          bigint      NOT NULL CHECK (position >= 1),
        PRIMARY KEY (order_id, version, part),
        CONSTRAINT timeline_on_behalf_of_whole CHECK
            ((on_behalf_of_role IS NULL) = (on_behalf_of_id IS NULL))
    );
    COMMENT ON TABLE timeline IS 'Every fact of an order, with who did it.';

    -- Rewritten with each batch that moves its order, and reached by its key alone: with room on the
    -- page, no index is written anew. Compressing it each time costs more than its bytes.
    CREATE TABLE folds (
        order_id uuid    NOT NULL,
        version  bigint  NOT NULL CHECK (version >= 1),
        -- The mark of the shape that `fold` has.
        shape    integer NOT NULL,
        fold     text    NOT NULL,
        PRIMARY KEY (order_id)
    ) WITH (fillfactor = 50, toast_tuple_target = 8160);
    COMMENT ON TABLE folds IS
        'Each order as the rules fold it, after `version` events: the rows are derived from it, and
         one of another shape is folded again from the stream.';

    GRANT SELECT, INSERT, UPDATE ON orders, invitations, stages, timeline, folds TO atlas_app;
END
$$;

-- Makes the table of a version of `workshops`: what GET /v1/workshops answers from.
CREATE FUNCTION read.create_workshops(p_version integer) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM read.open_version('workshops', p_version);
    CREATE TABLE workshops (
        workshop_id         uuid    NOT NULL,
        version             bigint  NOT NULL CHECK (version >= 1),
        name                text    NOT NULL COLLATE "C",
        accepts_commissions boolean NOT NULL,
        first_position      bigint  NOT NULL CHECK (first_position >= 1),
        last_position       bigint  NOT NULL CHECK (last_position >= first_position),
        PRIMARY KEY (workshop_id)
    );
    COMMENT ON TABLE workshops IS 'The directory of workshops.';
    CREATE INDEX workshops_by_name ON workshops (name, workshop_id);
    GRANT SELECT, INSERT, UPDATE ON workshops TO atlas_app;
END
$$;

-- Makes the table of a version of `bonus`: what GET /v1/bonus/accounts answers from.
CREATE FUNCTION read.create_bonus(p_version integer) RETURNS void
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
END
$$;

-- The owner's: a version is made before its reader starts.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA read FROM PUBLIC;

SELECT read.create_orders(1), read.create_workshops(1), read.create_bonus(1);
INSERT INTO read.served (model, version) VALUES ('orders', 1), ('workshops', 1), ('bonus', 1);
