-- The bonus side for analysts: facts, what they are worth, accounts, and the rules as rows.

-- The policies of the release that migrated last, in force or not: `projector migrate` writes them
-- from the compiled files, and never changes one that was ever activated.
CREATE TABLE bonus.policies (
    version       integer PRIMARY KEY CHECK (version >= 1),
    -- SHA-256 of the policy's file.
    hash          bytea   NOT NULL CHECK (length(hash) = 32),
    window_days   integer NOT NULL CHECK (window_days >= 1),
    vip_threshold bigint  NOT NULL CHECK (vip_threshold >= 1)
);
COMMENT ON TABLE bonus.policies IS 'Every compiled policy, for whoever cannot read its file.';
CREATE TABLE bonus.policy_rules (
    version          integer NOT NULL REFERENCES bonus.policies ON DELETE CASCADE,
    number           integer NOT NULL CHECK (number >= 1),
    rule             text    NOT NULL CHECK (rule IN ('award', 'reversal')),
    event            text    NOT NULL CHECK (event <> ''),
    beneficiary_role text    NOT NULL CHECK (beneficiary_role IN ('commissioner', 'workshop')),
    points           bigint  CHECK (points >= 1),
    by_dispute       boolean,
    reverses         text    CHECK (reverses <> ''),
    PRIMARY KEY (version, number),
    CONSTRAINT policy_rules_by_rule CHECK
        ((points IS NOT NULL) = (rule = 'award')
         AND num_nonnulls(by_dispute, reverses) = CASE rule WHEN 'award' THEN 0 ELSE 2 END)
);
COMMENT ON TABLE bonus.policy_rules IS 'What each policy gives and takes points for.';
CREATE TABLE bonus.policy_grades (
    version     integer NOT NULL REFERENCES bonus.policies ON DELETE CASCADE,
    grade       text    NOT NULL CHECK (grade IN ('Bronze', 'Silver', 'Gold', 'Platinum')),
    from_points bigint  NOT NULL CHECK (from_points >= 0),
    PRIMARY KEY (version, grade)
);
COMMENT ON TABLE bonus.policy_grades IS 'The lifetime points at which each grade begins.';

-- As it was, and with the views of the read model of accounts.
CREATE OR REPLACE FUNCTION read.show_served(p_model text) RETURNS void
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
    ELSIF p_model = 'bonus' THEN
        EXECUTE format(
            'CREATE OR REPLACE VIEW read.bonus_accounts AS
             SELECT beneficiary_role, beneficiary_id, version, policy_version, lifetime_points,
                    grade
             FROM %I.bonus_accounts', v_name);
    END IF;
END
$$;
SELECT read.show_served('bonus');

-- What each fact gives the account that it is about, as far as the account has come, under the
-- policy that it is of; a fact that another one reverses gives nothing and is not here.
CREATE VIEW read.bonus_awards AS
SELECT l.source_event_id, l.event_type, l.beneficiary_role, l.beneficiary_id, l.order_id, w.points,
       a.policy_version, l.occurred_at, l.recorded_at
FROM read.bonus_accounts a
JOIN bonus.policy_rules w ON w.version = a.policy_version AND w.rule = 'award'
 AND w.beneficiary_role = a.beneficiary_role
JOIN bonus.ledger l ON l.beneficiary_role = a.beneficiary_role
 AND l.beneficiary_id = a.beneficiary_id AND l.event_type = w.event
 AND l.account_version <= a.version
WHERE NOT EXISTS (
    SELECT FROM bonus.policy_rules r
    JOIN bonus.ledger c ON c.event_type = r.event AND c.by_dispute = r.by_dispute
    WHERE r.version = a.policy_version AND r.rule = 'reversal' AND r.reverses = l.event_type
      AND r.beneficiary_role = l.beneficiary_role
      AND c.beneficiary_role = l.beneficiary_role AND c.beneficiary_id = l.beneficiary_id
      AND c.order_id = l.order_id AND c.account_version <= a.version);

CREATE VIEW analytics.bonus_accounts AS
WITH vip AS (
    SELECT s.beneficiary_role, s.beneficiary_id, sum(s.points)::bigint AS window_points,
           max(s.occurred_at) FILTER (WHERE s.since_then >= s.vip_threshold) AS carried_since
    FROM (
        SELECT w.beneficiary_role, w.beneficiary_id, w.points, w.occurred_at, p.vip_threshold,
               sum(w.points) OVER (
                   PARTITION BY w.beneficiary_role, w.beneficiary_id ORDER BY w.occurred_at DESC
               ) AS since_then
        FROM read.bonus_awards w
        JOIN bonus.policies p ON p.version = w.policy_version
        WHERE w.occurred_at > now() - make_interval(hours => 24 * p.window_days)
          AND w.occurred_at <= now()
    ) s
    GROUP BY s.beneficiary_role, s.beneficiary_id
)
SELECT a.beneficiary_id, a.beneficiary_role, a.lifetime_points, a.grade,
       coalesce(v.window_points >= p.vip_threshold, false) AS is_vip,
       coalesce(v.window_points, 0) AS window_points,
       v.carried_since + make_interval(hours => 24 * p.window_days) AS vip_until,
       a.policy_version
FROM read.bonus_accounts a
LEFT JOIN bonus.policies p ON p.version = a.policy_version
LEFT JOIN vip v ON v.beneficiary_role = a.beneficiary_role
 AND v.beneficiary_id = a.beneficiary_id;
COMMENT ON VIEW analytics.bonus_accounts IS
    'One row an account: whoever was ever awarded points. VIP is as of now(), in windows of days of
     24 h, in no time zone. Key: beneficiary_role, beneficiary_id.';
COMMENT ON COLUMN analytics.bonus_accounts.beneficiary_id IS 'Whose account it is.';
COMMENT ON COLUMN analytics.bonus_accounts.beneficiary_role IS
    'In which role: commissioner or workshop. One person may have an account in each.';
COMMENT ON COLUMN analytics.bonus_accounts.lifetime_points IS
    'All points of the account under its policy.';
COMMENT ON COLUMN analytics.bonus_accounts.grade IS 'Bronze, Silver, Gold or Platinum.';
COMMENT ON COLUMN analytics.bonus_accounts.is_vip IS
    'Whether window_points reach the policy''s threshold now.';
COMMENT ON COLUMN analytics.bonus_accounts.window_points IS
    'Points of facts that occurred within the policy''s window before now().';
COMMENT ON COLUMN analytics.bonus_accounts.vip_until IS
    'When VIP ends if nothing more happens; null while the account is not VIP.';
COMMENT ON COLUMN analytics.bonus_accounts.policy_version IS
    'The policy that the account was computed under.';

CREATE VIEW analytics.bonus_facts AS
SELECT l.source_event_id, l.event_type AS event, l.beneficiary_id, l.beneficiary_role, l.order_id,
       l.by_dispute, l.occurred_at, l.recorded_at, l.account_version IS NULL AS deferred
FROM bonus.ledger l;
COMMENT ON VIEW analytics.bonus_facts IS
    'One row a fact that any policy rewards or that takes points, also those worth nothing now, and
     of people without an account. Key: source_event_id.';
COMMENT ON COLUMN analytics.bonus_facts.source_event_id IS 'The event that told it.';
COMMENT ON COLUMN analytics.bonus_facts.event IS 'What happened, by the event''s name.';
COMMENT ON COLUMN analytics.bonus_facts.beneficiary_id IS 'Whom it may give points.';
COMMENT ON COLUMN analytics.bonus_facts.beneficiary_role IS
    'In which role: commissioner or workshop.';
COMMENT ON COLUMN analytics.bonus_facts.order_id IS 'The order; null where the event named none.';
COMMENT ON COLUMN analytics.bonus_facts.by_dispute IS
    'Whether a dispute decided it; false where that cannot be.';
COMMENT ON COLUMN analytics.bonus_facts.occurred_at IS 'When it happened.';
COMMENT ON COLUMN analytics.bonus_facts.recorded_at IS 'When the ledger took it in.';
COMMENT ON COLUMN analytics.bonus_facts.deferred IS
    'Whether it waits for a recompute: its account counts it only then.';

CREATE VIEW analytics.bonus_ledger AS
SELECT w.source_event_id, w.event_type AS event, w.beneficiary_id, w.beneficiary_role, w.order_id,
       w.points, w.policy_version, w.occurred_at, w.recorded_at
FROM read.bonus_awards w;
COMMENT ON VIEW analytics.bonus_ledger IS
    'One row an award: a fact that gives points under the policy of its account. The points of an
     account sum to its lifetime_points. Key: source_event_id.';
COMMENT ON COLUMN analytics.bonus_ledger.source_event_id IS 'The event that it is for.';
COMMENT ON COLUMN analytics.bonus_ledger.event IS 'What happened, by the event''s name.';
COMMENT ON COLUMN analytics.bonus_ledger.beneficiary_id IS 'Whose points they are.';
COMMENT ON COLUMN analytics.bonus_ledger.beneficiary_role IS
    'In which role: commissioner or workshop.';
COMMENT ON COLUMN analytics.bonus_ledger.order_id IS 'The order; null where the event named none.';
COMMENT ON COLUMN analytics.bonus_ledger.points IS 'The points, above 0.';
COMMENT ON COLUMN analytics.bonus_ledger.policy_version IS 'The policy that says so.';
COMMENT ON COLUMN analytics.bonus_ledger.occurred_at IS 'When it happened.';
COMMENT ON COLUMN analytics.bonus_ledger.recorded_at IS 'When the ledger took it in.';

CREATE VIEW analytics.policy_rules AS
SELECT r.version AS policy_version, r.number,
       EXISTS (SELECT FROM bonus.policy_activations a
               WHERE a.version = r.version AND a.replaced_at IS NULL) AS is_active,
       r.rule, r.event, r.beneficiary_role, r.points, r.by_dispute, r.reverses
FROM bonus.policy_rules r;
COMMENT ON VIEW analytics.policy_rules IS
    'One row a rule of each compiled policy; a reversal has one for each event whose points it
     takes. Key: policy_version, number.';
COMMENT ON COLUMN analytics.policy_rules.policy_version IS 'The policy.';
COMMENT ON COLUMN analytics.policy_rules.number IS 'The rule''s number in its policy, from 1.';
COMMENT ON COLUMN analytics.policy_rules.is_active IS 'Whether the policy is in force.';
COMMENT ON COLUMN analytics.policy_rules.rule IS
    'award: the event gives points. reversal: it makes another event of the same order and
     beneficiary worth nothing.';
COMMENT ON COLUMN analytics.policy_rules.event IS 'The event that the rule is about.';
COMMENT ON COLUMN analytics.policy_rules.beneficiary_role IS
    'The role in which it holds: commissioner or workshop.';
COMMENT ON COLUMN analytics.policy_rules.points IS 'Points of an award; null for a reversal.';
COMMENT ON COLUMN analytics.policy_rules.by_dispute IS
    'The by_dispute that an event must have to reverse; null for an award.';
COMMENT ON COLUMN analytics.policy_rules.reverses IS
    'The event whose points are taken; null for an award.';

CREATE VIEW analytics.policy_grades AS
SELECT g.version AS policy_version, g.grade,
       EXISTS (SELECT FROM bonus.policy_activations a
               WHERE a.version = g.version AND a.replaced_at IS NULL) AS is_active,
       g.from_points
FROM bonus.policy_grades g;
COMMENT ON VIEW analytics.policy_grades IS
    'One row a grade of each compiled policy. Key: policy_version, grade.';
COMMENT ON COLUMN analytics.policy_grades.policy_version IS 'The policy.';
COMMENT ON COLUMN analytics.policy_grades.grade IS 'Bronze, Silver, Gold or Platinum.';
COMMENT ON COLUMN analytics.policy_grades.is_active IS 'Whether the policy is in force.';
COMMENT ON COLUMN analytics.policy_grades.from_points IS
    'Lifetime points at which the grade begins.';

CREATE VIEW analytics.policy_vip AS
SELECT p.version AS policy_version,
       EXISTS (SELECT FROM bonus.policy_activations a
               WHERE a.version = p.version AND a.replaced_at IS NULL) AS is_active,
       p.window_days, p.vip_threshold AS threshold, encode(p.hash, 'hex') AS hash
FROM bonus.policies p;
COMMENT ON VIEW analytics.policy_vip IS
    'One row a compiled policy: when an account is VIP. Key: policy_version.';
COMMENT ON COLUMN analytics.policy_vip.policy_version IS 'The policy.';
COMMENT ON COLUMN analytics.policy_vip.is_active IS 'Whether the policy is in force.';
COMMENT ON COLUMN analytics.policy_vip.window_days IS 'Length of the window, in days of 24 h.';
COMMENT ON COLUMN analytics.policy_vip.threshold IS
    'Points in the window from which on an account is VIP.';
COMMENT ON COLUMN analytics.policy_vip.hash IS 'SHA-256 of the policy''s file, in hexadecimal.';

CREATE VIEW analytics.policy_movements AS
SELECT m.activation, m.beneficiary_role, m.beneficiary_id, m.account_version,
       m.from_policy, m.to_policy, m.points_before, m.points_after, m.grade_before, m.grade_after,
       m.vip_before, m.vip_after, m.moved_at
FROM bonus.policy_movements m;
COMMENT ON VIEW analytics.policy_movements IS
    'One row an account that a recompute took to another policy. Key: activation, beneficiary_role,
     beneficiary_id, account_version.';
COMMENT ON COLUMN analytics.policy_movements.activation IS
    'The number of the activation in force, from 1.';
COMMENT ON COLUMN analytics.policy_movements.beneficiary_role IS
    'In which role: commissioner or workshop.';
COMMENT ON COLUMN analytics.policy_movements.beneficiary_id IS 'Whose account it is.';
COMMENT ON COLUMN analytics.policy_movements.account_version IS
    'The version that the recompute gave the account.';
COMMENT ON COLUMN analytics.policy_movements.from_policy IS
    'The policy before; null where the recompute made the account.';
COMMENT ON COLUMN analytics.policy_movements.to_policy IS 'The policy since.';
COMMENT ON COLUMN analytics.policy_movements.points_before IS 'Lifetime points before.';
COMMENT ON COLUMN analytics.policy_movements.points_after IS 'Lifetime points since.';
COMMENT ON COLUMN analytics.policy_movements.grade_before IS 'The grade before.';
COMMENT ON COLUMN analytics.policy_movements.grade_after IS 'The grade since.';
COMMENT ON COLUMN analytics.policy_movements.vip_before IS 'Whether it was VIP before.';
COMMENT ON COLUMN analytics.policy_movements.vip_after IS 'Whether it was VIP since.';
COMMENT ON COLUMN analytics.policy_movements.moved_at IS 'When the recompute evaluated it.';

-- The events that the read model of accounts has taken in.
CREATE VIEW read.account_events AS
SELECT e.position, e.event_id, e.event_type, e.payload, e.recorded_at
FROM store.events e
JOIN read.served s ON s.model = 'bonus'
JOIN store.checkpoints c ON c.name = s.name AND e.position <= c.position
WHERE e.aggregate_type = 'account';

CREATE VIEW analytics.grade_history AS
SELECT e.event_id, (e.payload ->> 'beneficiaryId')::uuid AS beneficiary_id,
       e.payload ->> 'beneficiaryRole' AS beneficiary_role,
       e.payload ->> 'from' AS from_grade, e.payload ->> 'to' AS to_grade,
       (e.payload ->> 'policyVersion')::integer AS policy_version,
       (e.payload ->> 'occurredAt')::timestamptz AS occurred_at, e.recorded_at, e.position
FROM read.account_events e
WHERE e.event_type = 'GradeChanged';
COMMENT ON VIEW analytics.grade_history IS
    'One row a change of an account''s grade, as it was known then. Key: event_id.';
COMMENT ON COLUMN analytics.grade_history.event_id IS 'The event that told it.';
COMMENT ON COLUMN analytics.grade_history.beneficiary_id IS 'Whose grade.';
COMMENT ON COLUMN analytics.grade_history.beneficiary_role IS
    'In which role: commissioner or workshop.';
COMMENT ON COLUMN analytics.grade_history.from_grade IS 'The grade before.';
COMMENT ON COLUMN analytics.grade_history.to_grade IS 'The grade since.';
COMMENT ON COLUMN analytics.grade_history.policy_version IS 'The policy that says so.';
COMMENT ON COLUMN analytics.grade_history.occurred_at IS 'When the grade changed.';
COMMENT ON COLUMN analytics.grade_history.recorded_at IS 'When the store took it in.';
COMMENT ON COLUMN analytics.grade_history.position IS
    'The event''s place among all events of this store.';

CREATE VIEW analytics.vip_history AS
SELECT e.event_id, (e.payload ->> 'beneficiaryId')::uuid AS beneficiary_id,
       e.payload ->> 'beneficiaryRole' AS beneficiary_role,
       e.event_type = 'VipAcquired' AS is_vip,
       (e.payload ->> 'until')::timestamptz AS expected_until,
       (e.payload ->> 'policyVersion')::integer AS policy_version,
       (e.payload ->> 'occurredAt')::timestamptz AS occurred_at, e.recorded_at, e.position
FROM read.account_events e
WHERE e.event_type IN ('VipAcquired', 'VipLost');
COMMENT ON VIEW analytics.vip_history IS
    'One row a change of an account''s VIP standing, as it was known then. Key: event_id.';
COMMENT ON COLUMN analytics.vip_history.event_id IS 'The event that told it.';
COMMENT ON COLUMN analytics.vip_history.beneficiary_id IS 'Whose standing.';
COMMENT ON COLUMN analytics.vip_history.beneficiary_role IS
    'In which role: commissioner or workshop.';
COMMENT ON COLUMN analytics.vip_history.is_vip IS
    'Whether the account became VIP; false where it ceased to be.';
COMMENT ON COLUMN analytics.vip_history.expected_until IS
    'When VIP was to end if nothing more happened; null where it ended.';
COMMENT ON COLUMN analytics.vip_history.policy_version IS 'The policy that says so.';
COMMENT ON COLUMN analytics.vip_history.occurred_at IS 'When VIP came or went.';
COMMENT ON COLUMN analytics.vip_history.recorded_at IS 'When the store took it in.';
COMMENT ON COLUMN analytics.vip_history.position IS
    'The event''s place among all events of this store.';

-- As it was, with the views that follow accounts, and those that follow no feed.
CREATE OR REPLACE VIEW analytics.freshness AS
SELECT v.view,
       CASE WHEN coalesce(c.position, 0) >= newest.position THEN now()
            ELSE at.recorded_at END AS as_of,
       coalesce(c.position, 0) AS position,
       (SELECT count(*) FROM store.parked p WHERE p.reader = s.name) AS parked
FROM (VALUES
    ('orders', 'orders'), ('order_events', 'orders'), ('invitations', 'orders'),
    ('stages', 'orders'), ('order_funnel_daily', 'orders'), ('workshop_performance', 'orders'),
    ('bonus_accounts', 'bonus'), ('bonus_ledger', 'bonus'), ('grade_history', 'bonus'),
    ('vip_history', 'bonus')
) v (view, model)
JOIN read.served s ON s.model = v.model
LEFT JOIN store.checkpoints c ON c.name = s.name
CROSS JOIN (SELECT coalesce(max(e.position), 0) AS position FROM store.events e) newest
LEFT JOIN LATERAL (
    SELECT e.recorded_at FROM store.events e
    WHERE e.position <= c.position ORDER BY e.position DESC LIMIT 1
) at ON true
UNION ALL
SELECT 'bonus_facts', max(l.recorded_at), NULL, 0 FROM bonus.ledger l
UNION ALL
SELECT t.view, now(), NULL, 0
FROM (VALUES ('policy_rules'), ('policy_grades'), ('policy_vip'), ('policy_movements'),
             ('freshness')) t (view);
COMMENT ON COLUMN analytics.freshness.as_of IS
    'Whatever was recorded by then is in the view: the present where nothing waits, null where
     nothing was taken in yet. Facts come to the ledger by Kafka: for bonus_facts it is when the
     newest one was taken in.';
COMMENT ON COLUMN analytics.freshness.position IS
    'The position of the last event that the view has taken in; null where it follows no events.';

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

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA read FROM PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO atlas_analyst;
