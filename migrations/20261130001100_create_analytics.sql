-- What analysts read: views with stable names and columns over the versions that are served.
--
-- Two floors. The views of `read` name the tables of the served version of each read model, column
-- by column, and are pointed at another version in the transaction that serves it. The views of
-- `analytics` stand on those alone, so that a swap changes none of them: name, columns, types,
-- comments and rights stay. atlas_analyst reads `analytics`, as the owner of the views sees what is
-- under them, and has no right to anything else. docs/analytics.md is the page for people.

-- Which orders were ever disputed, without reading every timeline.
DO $$
DECLARE
    v_schema text;
BEGIN
    FOR v_schema IN SELECT nspname FROM pg_namespace WHERE nspname ~ '^orders@[1-9][0-9]*$' LOOP
        EXECUTE format(
            'CREATE INDEX timeline_disputes ON %I.timeline (order_id)
             WHERE event = ''CancellationDisputed''', v_schema);
    END LOOP;
END
$$;
ALTER FUNCTION read.create_orders(integer) RENAME TO create_order_tables;
CREATE FUNCTION read.create_orders(p_version integer) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM read.create_order_tables(p_version);
    EXECUTE format(
        'CREATE INDEX timeline_disputes ON %I.timeline (order_id)
         WHERE event = ''CancellationDisputed''', 'orders@' || p_version);
END
$$;

-- Points the views of a read model at the version that is served.
CREATE FUNCTION read.show_served(p_model text) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_name text;
BEGIN
    SELECT s.name INTO STRICT v_name FROM read.served s WHERE s.model = p_model;
    IF p_model = 'orders' THEN
        EXECUTE format(
            'CREATE OR REPLACE VIEW read.orders AS
             SELECT order_id, version, state, commissioner_id, workshop_id, title, budget_amount,
                    budget_currency, deadline, request_revision, agreed_amount, agreed_currency,
                    agreed_deadline, placed_at, first_offered_at, confirmed_at, finished_at,
                    completed_at, cancelled_at, updated_at
             FROM %I.orders', v_name);
        EXECUTE format(
            'CREATE OR REPLACE VIEW read.invitations AS
             SELECT order_id, workshop_id, seat, status, first_invited_at, invited_at,
                    first_offered_at, offer_amount, offer_currency, offer_deadline,
                    offer_request_revision, offer_revision
             FROM %I.invitations', v_name);
        EXECUTE format(
            'CREATE OR REPLACE VIEW read.stages AS
             SELECT order_id, number, name, duration_days, requires_approval, status, planned_end,
                    completed_at
             FROM %I.stages', v_name);
        EXECUTE format(
            'CREATE OR REPLACE VIEW read.timeline AS
             SELECT order_id, version, part, event_id, event, schema_version, data, actor_role,
                    actor_id, on_behalf_of_role, on_behalf_of_id, occurred_at, recorded_at, position
             FROM %I.timeline', v_name);
    END IF;
END
$$;
SELECT read.show_served('orders');

-- Keeps everybody from the views of a read model until the transaction ends: what has them read now
-- is waited for before the caller holds anything that others wait for. LOCK TABLE would lock the
-- tables under the views too, which the applications read.
CREATE FUNCTION read.close_views(p_model text) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_view text;
BEGIN
    FOR v_view IN
        SELECT DISTINCT v.relname
        FROM read.served s
        JOIN pg_class t ON t.relnamespace = quote_ident(s.name)::regnamespace AND t.relkind = 'r'
        JOIN pg_class v ON v.relnamespace = 'read'::regnamespace AND v.relkind = 'v'
         AND v.relname = t.relname
        WHERE s.model = p_model
        ORDER BY v.relname
    LOOP
        EXECUTE format('ALTER VIEW read.%I OWNER TO CURRENT_USER', v_view);
    END LOOP;
END
$$;
COMMENT ON FUNCTION read.close_views(text) IS
    'Waits for whoever reads the views of a model, and keeps others from them.';

-- As it was, and the views follow.
CREATE OR REPLACE FUNCTION read.serve(
    p_model text, p_from integer, p_version integer, p_keep boolean
)
    RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_served  read.served%ROWTYPE;
    v_old     store.checkpoints%ROWTYPE;
    v_new     store.checkpoints%ROWTYPE;
    v_rebuild bigint;
BEGIN
    SELECT * INTO STRICT v_served FROM read.served s WHERE s.model = p_model FOR UPDATE;
    SELECT * INTO v_old FROM store.checkpoints c WHERE c.name = v_served.name FOR UPDATE;
    SELECT * INTO v_new FROM store.checkpoints c WHERE c.name = p_model || '@' || p_version
    FOR UPDATE;
    SELECT r.id INTO v_rebuild FROM read.rebuilds r
    WHERE r.model = p_model AND r.to_version = p_version AND r.state = 'checking'
      AND r.pending_indexes = '{}';
    IF v_served.version <> p_from
       OR v_rebuild IS NULL AND v_served.retired IS DISTINCT FROM p_version THEN
        RAISE EXCEPTION '%@% is not ready to be served in the place of version %', p_model,
            p_version, p_from
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF v_new.name IS NULL OR v_new.generation < coalesce(v_old.generation, 0)
       OR v_new.position < coalesce(v_old.position, 0) THEN
        RAISE EXCEPTION '% has not come as far as %', p_model || '@' || p_version, v_served.name
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    UPDATE read.served
    SET version = p_version, retired = CASE WHEN p_keep THEN v_served.version END,
        since = clock_timestamp()
    WHERE model = p_model;
    PERFORM read.show_served(p_model);
    UPDATE read.rebuilds SET state = 'swapped', swapped_at = clock_timestamp()
    WHERE id = v_rebuild;
END
$$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA read FROM PUBLIC;
GRANT EXECUTE ON FUNCTION read.close_views(text) TO atlas_app;

CREATE SCHEMA analytics;
COMMENT ON SCHEMA analytics IS
    'For analysts. Instants are timestamptz, a day is the UTC day whatever the session''s zone,
     money is numeric with its currency beside it, and no view sums money. Each view names its key
     in its comment; analytics.freshness dates every answer.';

CREATE VIEW analytics.orders AS
SELECT o.order_id, o.commissioner_id, o.workshop_id, o.state, o.version, o.request_revision,
       o.budget_amount, o.budget_currency, o.agreed_amount, o.agreed_currency, o.agreed_deadline,
       o.placed_at, o.confirmed_at, o.finished_at, o.completed_at, o.cancelled_at, o.title,
       o.deadline, o.first_offered_at, e.planned_end,
       extract(epoch FROM o.finished_at - e.planned_end) / 86400 AS slippage_days
FROM read.orders o
-- Left out by the planner where nobody asks for these two.
LEFT JOIN (
    SELECT s.order_id,
           CASE WHEN count(*) = count(s.planned_end) THEN max(s.planned_end) END AS planned_end
    FROM read.stages s
    GROUP BY s.order_id
) e ON e.order_id = o.order_id;
COMMENT ON VIEW analytics.orders IS 'One row an order, as it stands now. Key: order_id.';
COMMENT ON COLUMN analytics.orders.order_id IS 'The order.';
COMMENT ON COLUMN analytics.orders.commissioner_id IS 'Who asked for the piece.';
COMMENT ON COLUMN analytics.orders.workshop_id IS
    'The confirmed workshop; null before an offer is confirmed, and where none ever was.';
COMMENT ON COLUMN analytics.orders.state IS
    'negotiating, inProgress, finished, disputed, completed or cancelled.';
COMMENT ON COLUMN analytics.orders.version IS 'The number of events in the order''s stream, from 1.';
COMMENT ON COLUMN analytics.orders.request_revision IS
    'The revision of the request, from 1: it was edited one time less.';
COMMENT ON COLUMN analytics.orders.budget_amount IS
    'What the commissioner means to spend, in units of budget_currency. Once an offer is confirmed,
     what was agreed is agreed_amount.';
COMMENT ON COLUMN analytics.orders.budget_currency IS 'ISO 4217 code of budget_amount.';
COMMENT ON COLUMN analytics.orders.agreed_amount IS
    'What was agreed, in units of agreed_currency; null before the confirmation.';
COMMENT ON COLUMN analytics.orders.agreed_currency IS
    'ISO 4217 code of agreed_amount. Never sum amounts over currencies.';
COMMENT ON COLUMN analytics.orders.agreed_deadline IS
    'The agreed deadline; null before the confirmation.';
COMMENT ON COLUMN analytics.orders.placed_at IS 'When the order was placed.';
COMMENT ON COLUMN analytics.orders.confirmed_at IS
    'When an offer was confirmed; stays when the order is cancelled later.';
COMMENT ON COLUMN analytics.orders.finished_at IS
    'When the last stage was completed; null before, and where a dispute ended the order earlier.';
COMMENT ON COLUMN analytics.orders.completed_at IS
    'When the work was accepted, or a dispute was resolved so.';
COMMENT ON COLUMN analytics.orders.cancelled_at IS 'When the order was cancelled.';
COMMENT ON COLUMN analytics.orders.title IS 'What the piece is called, in the commissioner''s words.';
COMMENT ON COLUMN analytics.orders.deadline IS
    'By when the commissioner wants it; what was agreed is agreed_deadline.';
COMMENT ON COLUMN analytics.orders.first_offered_at IS
    'When the first offer of any workshop came, whatever became of it.';
COMMENT ON COLUMN analytics.orders.planned_end IS
    'When the work was to end: the confirmation and the durations of all stages, in days of 24 h.
     Null where a stage has no duration, and before the confirmation.';
COMMENT ON COLUMN analytics.orders.slippage_days IS
    'finished_at minus planned_end, in days of 24 h; below 0 is early. Null while either is.';

CREATE VIEW analytics.order_events AS
SELECT t.position, t.event_id, t.order_id, t.version, t.event, t.schema_version, t.actor_role,
       t.actor_id, t.occurred_at, t.recorded_at, t.data, t.part, t.on_behalf_of_role,
       t.on_behalf_of_id
FROM read.timeline t;
COMMENT ON VIEW analytics.order_events IS
    'One row a fact of an order''s life: what was published of it. Key: order_id, version, part.';
COMMENT ON COLUMN analytics.order_events.position IS
    'The event''s place among all events of this store; ascending, with holes.';
COMMENT ON COLUMN analytics.order_events.event_id IS
    'The event. It is unique but where one event is told as several facts, see part.';
COMMENT ON COLUMN analytics.order_events.order_id IS 'The order.';
COMMENT ON COLUMN analytics.order_events.version IS 'The event''s number in its order, from 1.';
COMMENT ON COLUMN analytics.order_events.event IS 'What happened, by its name, as OrderPlaced.';
COMMENT ON COLUMN analytics.order_events.schema_version IS
    'The version of the shape of data, as 1.0.';
COMMENT ON COLUMN analytics.order_events.actor_role IS
    'Who did it: commissioner, workshop or operator.';
COMMENT ON COLUMN analytics.order_events.actor_id IS 'Who did it, by id in that role.';
COMMENT ON COLUMN analytics.order_events.occurred_at IS
    'When it happened. All events of one command share it.';
COMMENT ON COLUMN analytics.order_events.recorded_at IS 'When the store took it in.';
COMMENT ON COLUMN analytics.order_events.data IS
    'The public payload as JSON; its fields are those of the published event.';
COMMENT ON COLUMN analytics.order_events.part IS
    '1, and on for an old event that is told as several facts since.';
COMMENT ON COLUMN analytics.order_events.on_behalf_of_role IS
    'In whose place, where an operator did it: commissioner or workshop; else null.';
COMMENT ON COLUMN analytics.order_events.on_behalf_of_id IS
    'In whose place, by id in that role; else null.';

CREATE VIEW analytics.invitations AS
SELECT i.order_id, i.workshop_id, i.seat, i.status, i.first_invited_at, i.invited_at,
       i.first_offered_at, i.offer_amount, i.offer_currency, i.offer_deadline,
       i.offer_request_revision, i.offer_revision,
       extract(epoch FROM i.first_offered_at - i.first_invited_at) / 3600 AS hours_to_offer
FROM read.invitations i;
COMMENT ON VIEW analytics.invitations IS
    'One row a seat: a workshop that was invited to an order. A workshop that is invited again has
     the same seat. Key: order_id, workshop_id.';
COMMENT ON COLUMN analytics.invitations.order_id IS 'The order.';
COMMENT ON COLUMN analytics.invitations.workshop_id IS 'The workshop.';
COMMENT ON COLUMN analytics.invitations.seat IS
    'The seat''s number in its order, from 1, in the order of first invitations.';
COMMENT ON COLUMN analytics.invitations.status IS
    'pending, offered, confirmed, declined, withdrawn or notSelected.';
COMMENT ON COLUMN analytics.invitations.first_invited_at IS 'When the workshop was invited first.';
COMMENT ON COLUMN analytics.invitations.invited_at IS 'When the workshop was invited last.';
COMMENT ON COLUMN analytics.invitations.first_offered_at IS
    'When the workshop made its first offer, whatever became of it; null if it never made one.';
COMMENT ON COLUMN analytics.invitations.offer_amount IS
    'The last offer''s amount, in units of offer_currency; null for a seat that is pending, declined
     or withdrawn.';
COMMENT ON COLUMN analytics.invitations.offer_currency IS 'ISO 4217 code of offer_amount.';
COMMENT ON COLUMN analytics.invitations.offer_deadline IS
    'By when the workshop would be done; null as offer_amount.';
COMMENT ON COLUMN analytics.invitations.offer_request_revision IS
    'The revision of the request that the offer answers; null as offer_amount.';
COMMENT ON COLUMN analytics.invitations.offer_revision IS
    'The offer''s revision, counted from 1 over the whole life of the seat; null as offer_amount.';
COMMENT ON COLUMN analytics.invitations.hours_to_offer IS
    'Hours from the first invitation to the first offer; null if there never was one.';

CREATE VIEW analytics.stages AS
SELECT s.order_id, s.number, s.name, s.duration_days, s.requires_approval, s.status, s.planned_end,
       s.completed_at,
       extract(epoch FROM s.completed_at - s.planned_end) / 86400 AS slippage_days
FROM read.stages s;
COMMENT ON VIEW analytics.stages IS
    'One row a milestone of a confirmed offer. Key: order_id, number.';
COMMENT ON COLUMN analytics.stages.order_id IS 'The order.';
COMMENT ON COLUMN analytics.stages.number IS 'The stage''s number in its order, from 1.';
COMMENT ON COLUMN analytics.stages.name IS 'Its name, unique in its order.';
COMMENT ON COLUMN analytics.stages.duration_days IS
    'How long it takes, in days of 24 h; null where the offer did not say.';
COMMENT ON COLUMN analytics.stages.requires_approval IS
    'Whether the commissioner has to approve it before work goes on.';
COMMENT ON COLUMN analytics.stages.status IS 'pending, awaitingApproval or completed.';
COMMENT ON COLUMN analytics.stages.planned_end IS
    'The confirmation and the durations of the stages up to this one; null from the first stage
     without a duration on.';
COMMENT ON COLUMN analytics.stages.completed_at IS
    'When it was completed: marked, or approved where that is required. One that was sent back is
     completed the last time.';
COMMENT ON COLUMN analytics.stages.slippage_days IS
    'completed_at minus planned_end, in days of 24 h; below 0 is early. Null while either is.';

CREATE VIEW analytics.order_funnel_daily AS
SELECT (o.placed_at AT TIME ZONE 'UTC')::date AS day,
       count(*) AS placed,
       count(o.first_offered_at) AS with_offer,
       count(o.confirmed_at) AS confirmed,
       count(o.finished_at) AS finished,
       count(o.completed_at) AS completed,
       count(o.cancelled_at) AS cancelled,
       count(d.order_id) AS disputed
FROM read.orders o
LEFT JOIN (
    SELECT DISTINCT t.order_id FROM read.timeline t WHERE t.event = 'CancellationDisputed'
) d ON d.order_id = o.order_id
GROUP BY 1;
COMMENT ON VIEW analytics.order_funnel_daily IS
    'One row a day on which orders were placed: what has become of them so far. An order counts on
     the day of its placement in every column that it has ever reached, so that sums over days are
     sums over orders. Key: day.';
COMMENT ON COLUMN analytics.order_funnel_daily.day IS 'The UTC day of the placement.';
COMMENT ON COLUMN analytics.order_funnel_daily.placed IS 'Orders placed on that day.';
COMMENT ON COLUMN analytics.order_funnel_daily.with_offer IS
    'Those of them that have had an offer, whatever became of it.';
COMMENT ON COLUMN analytics.order_funnel_daily.confirmed IS
    'Those of them of which an offer was confirmed.';
COMMENT ON COLUMN analytics.order_funnel_daily.finished IS
    'Those of them whose last stage was completed.';
COMMENT ON COLUMN analytics.order_funnel_daily.completed IS
    'Those of them that were completed; one that a dispute completed need not have been finished.';
COMMENT ON COLUMN analytics.order_funnel_daily.cancelled IS 'Those of them that were cancelled.';
COMMENT ON COLUMN analytics.order_funnel_daily.disputed IS
    'Those of them that were ever disputed, however often.';

CREATE VIEW analytics.workshop_performance AS
SELECT i.workshop_id,
       count(*) AS invited,
       count(i.first_offered_at) AS offers,
       count(*) FILTER (WHERE i.status = 'confirmed') AS wins,
       percentile_cont(0.5) WITHIN GROUP (
           ORDER BY (extract(epoch FROM i.first_offered_at - i.first_invited_at) / 3600)
               ::double precision
       ) AS median_hours_to_offer,
       max(w.mean_slippage_days) AS mean_stage_slippage_days
FROM read.invitations i
LEFT JOIN (
    SELECT o.workshop_id,
           avg(extract(epoch FROM s.completed_at - s.planned_end) / 86400) AS mean_slippage_days
    FROM read.stages s
    JOIN read.orders o ON o.order_id = s.order_id
    GROUP BY o.workshop_id
) w ON w.workshop_id = i.workshop_id
GROUP BY i.workshop_id;
COMMENT ON VIEW analytics.workshop_performance IS
    'One row a workshop that was ever invited. It counts seats: a second invitation to an order does
     not count again, and neither does a revised or second offer. Key: workshop_id.';
COMMENT ON COLUMN analytics.workshop_performance.workshop_id IS 'The workshop.';
COMMENT ON COLUMN analytics.workshop_performance.invited IS
    'Orders to which it was invited, once each.';
COMMENT ON COLUMN analytics.workshop_performance.offers IS
    'Orders to which it made an offer, once each, whatever became of it.';
COMMENT ON COLUMN analytics.workshop_performance.wins IS
    'Orders whose offer of this workshop was confirmed, cancelled later or not.';
COMMENT ON COLUMN analytics.workshop_performance.median_hours_to_offer IS
    'The median over its orders with an offer of the hours from first invitation to first offer;
     null where it never made one.';
COMMENT ON COLUMN analytics.workshop_performance.mean_stage_slippage_days IS
    'The mean over its completed stages with a planned end of completion minus planned end, in days
     of 24 h; below 0 is early. Null where there is none.';

CREATE VIEW analytics.freshness AS
SELECT v.view,
       CASE WHEN coalesce(c.position, 0) >= newest.position THEN now()
            ELSE at.recorded_at END AS as_of,
       coalesce(c.position, 0) AS position,
       (SELECT count(*) FROM store.parked p WHERE p.reader = s.name) AS parked
FROM (VALUES
    ('orders', 'orders'), ('order_events', 'orders'), ('invitations', 'orders'),
    ('stages', 'orders'), ('order_funnel_daily', 'orders'), ('workshop_performance', 'orders')
) v (view, model)
JOIN read.served s ON s.model = v.model
LEFT JOIN store.checkpoints c ON c.name = s.name
CROSS JOIN (SELECT coalesce(max(e.position), 0) AS position FROM store.events e) newest
LEFT JOIN LATERAL (
    SELECT e.recorded_at FROM store.events e
    WHERE e.position <= c.position ORDER BY e.position DESC LIMIT 1
) at ON true;
COMMENT ON VIEW analytics.freshness IS
    'One row a view of this schema: how far it has come. Read it in the transaction of the answer
     that it dates, REPEATABLE READ, and both speak of the same moment. Key: view.';
COMMENT ON COLUMN analytics.freshness.view IS 'The view''s name.';
COMMENT ON COLUMN analytics.freshness.as_of IS
    'Whatever was recorded by then is in the view: the present where nothing waits, null where
     nothing was taken in yet.';
COMMENT ON COLUMN analytics.freshness.position IS
    'The position of the last event that the view has taken in.';
COMMENT ON COLUMN analytics.freshness.parked IS
    'Orders that wait beside the others: an event of theirs could not be taken in yet.';

-- A comment is one line, however it is broken here.
DO $$
DECLARE
    v_comment record;
BEGIN
    FOR v_comment IN
        SELECT c.relname AS view, a.attname AS name,
               regexp_replace(d.description, '\s+', ' ', 'g') AS text
        FROM pg_description d
        JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND a.attnum > 0
        WHERE c.relnamespace = 'analytics'::regnamespace
    LOOP
        EXECUTE format('COMMENT ON %s IS %L',
            CASE WHEN v_comment.name IS NULL THEN format('VIEW analytics.%I', v_comment.view)
                 ELSE format('COLUMN analytics.%I.%I', v_comment.view, v_comment.name) END,
            v_comment.text);
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA analytics TO atlas_analyst;
GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO atlas_analyst;
