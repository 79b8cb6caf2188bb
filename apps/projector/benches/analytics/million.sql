-- A million events of orders, for plans: what the store and the served read models hold then, in a
-- database of their own. 150 000 orders over the two years before now, 400 workshops, 30 000
-- commissioners; numbers that look random and are the same in every run.
SELECT setseed(0.25);
SET search_path = "orders@1";

CREATE FUNCTION pg_temp.grade(points bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN points >= 1000 THEN 'Platinum' WHEN points >= 300 THEN 'Gold'
                WHEN points >= 100 THEN 'Silver' ELSE 'Bronze' END
$$;

CREATE TEMPORARY TABLE drawn AS
SELECT n,
       md5('order' || n)::uuid AS order_id,
       md5('commissioner' || (random() * 30000)::integer)::uuid AS commissioner_id,
       -- Whatever came of it came before now.
       now() - interval '60 days' - random() * interval '670 days' AS placed_at,
       random() AS offers, random() AS confirms, random() AS finishes, random() AS ends,
       (random() * 399)::integer AS first_workshop,
       1 + (random() * 3)::integer AS seats, 1 + (random() * 3)::integer AS stages,
       interval '1 hour' * (1 + random() * 200) AS waited,
       CASE WHEN random() < 0.9 THEN 'EUR' ELSE 'USD' END AS currency
FROM generate_series(1, 150000) n;

CREATE TEMPORARY TABLE lived AS
SELECT *, offers < 0.85 AS has_offer, offers < 0.85 AND confirms < 0.7 AS has_work,
       offers < 0.85 AND confirms < 0.7 AND finishes < 0.85 AS has_end,
       CASE WHEN NOT (offers < 0.85 AND confirms < 0.7)
                THEN CASE WHEN ends < 0.5 THEN 'cancelled' ELSE 'negotiating' END
            WHEN ends < 0.03 THEN 'disputed'
            WHEN NOT finishes < 0.85 THEN 'inProgress'
            WHEN ends < 0.1 THEN 'finished'
            ELSE 'completed' END AS state
FROM drawn;

INSERT INTO orders (
    order_id, version, state, commissioner_id, workshop_id, title, budget_amount, budget_currency,
    deadline, request_revision, agreed_amount, agreed_currency, agreed_deadline, current_stage,
    dispute_by_role, dispute_by_id, dispute_reason, dispute_at, dispute_from, placed_at,
    first_offered_at, confirmed_at, finished_at, completed_at, cancelled_at, updated_at,
    first_position, last_position)
SELECT order_id, 7, state, commissioner_id,
       CASE WHEN has_work THEN md5('workshop' || first_workshop)::uuid END,
       'Piece ' || n, 100 + n % 900, currency, placed_at + interval '90 days', 1,
       CASE WHEN has_work THEN 100 + n % 900 END, CASE WHEN has_work THEN currency END,
       CASE WHEN has_work THEN placed_at + interval '90 days' END,
       CASE WHEN state = 'inProgress' THEN 1 END,
       CASE WHEN state = 'disputed' THEN 'commissioner' END,
       CASE WHEN state = 'disputed' THEN commissioner_id END,
       CASE WHEN state = 'disputed' THEN 'Too late' END,
       CASE WHEN state = 'disputed' THEN placed_at + interval '40 days' END,
       CASE WHEN state = 'disputed' THEN 'inProgress' END,
       placed_at,
       CASE WHEN has_offer THEN placed_at + waited END,
       CASE WHEN has_work THEN placed_at + waited * 2 END,
       CASE WHEN has_end THEN placed_at + waited * 2 + interval '20 days' * ends END,
       CASE WHEN state = 'completed' THEN placed_at + waited * 2 + interval '40 days' END,
       CASE WHEN state = 'cancelled' THEN placed_at + waited * 2 END,
       placed_at + waited * 2 + interval '40 days', n * 7, n * 7 + 6
FROM lived;

INSERT INTO invitations (
    order_id, workshop_id, seat, status, first_invited_at, invited_at, first_offered_at,
    offer_amount, offer_currency, offer_deadline, offer_request_revision, offer_revision,
    order_state, placed_at, first_position, last_position)
SELECT order_id, md5('workshop' || (first_workshop + (seat - 1) * 7) % 400)::uuid, seat,
       CASE WHEN seat = 1 AND has_work THEN 'confirmed'
            WHEN has_work OR state = 'cancelled' THEN 'notSelected'
            WHEN seat = 1 AND has_offer THEN 'offered'
            ELSE 'pending' END,
       placed_at, placed_at,
       CASE WHEN seat = 1 AND has_offer THEN placed_at + waited END,
       CASE WHEN offered THEN 100 + n % 900 END, CASE WHEN offered THEN currency END,
       CASE WHEN offered THEN placed_at + interval '90 days' END,
       CASE WHEN offered THEN 1 END, CASE WHEN offered THEN 1 END,
       state, placed_at, n * 7, n * 7 + 6
FROM lived
CROSS JOIN LATERAL generate_series(1, seats) seat
CROSS JOIN LATERAL (SELECT seat = 1 AND has_offer AS offered) o;

INSERT INTO stages (
    order_id, number, name, duration_days, requires_approval, status, planned_end, completed_at,
    first_position, last_position)
SELECT order_id, number, 'Stage ' || number, 5, number % 2 = 0,
       CASE WHEN has_end THEN 'completed' ELSE 'pending' END,
       placed_at + waited * 2 + interval '5 days' * number,
       CASE WHEN has_end
            THEN placed_at + waited * 2 + interval '20 days' * ends * number / stages END,
       n * 7, n * 7 + 6
FROM lived CROSS JOIN LATERAL generate_series(1, stages) number
WHERE has_work;

INSERT INTO timeline (
    order_id, version, part, event_id, event, schema_version, data, actor_role, actor_id,
    occurred_at, recorded_at, position)
SELECT order_id, version, 1, md5(n || ':' || version)::uuid, event, '1.0',
       jsonb_build_object('orderId', order_id, 'commissionerId', commissioner_id, 'reason',
                          'Too late', 'resolution', CASE WHEN ends < 0.015 THEN 'resume' END),
       'commissioner', commissioner_id, placed_at + version * waited / 4,
       placed_at + version * waited / 4, n * 7 + version - 1
FROM lived
CROSS JOIN LATERAL unnest(CASE
    WHEN NOT has_offer THEN ARRAY['OrderPlaced', 'RequestEdited', 'WorkshopsInvited',
                                  'InvitationDeclined', 'AllInvitationsClosed',
                                  'WorkshopsInvited']
    WHEN NOT has_work THEN ARRAY['OrderPlaced', 'OfferSubmitted', 'AllResponsesReceived',
                                 'RequestEdited', 'OfferRevised', 'OfferRevised']
    WHEN ends < 0.03 THEN ARRAY['OrderPlaced', 'OfferSubmitted', 'OfferConfirmed',
                                'CancellationDisputed', 'DisputeResolved', 'CancellationDisputed']
    ELSE ARRAY['OrderPlaced', 'OfferSubmitted', 'OfferRevised', 'OfferConfirmed',
               'StageMarkedComplete', 'OrderFinished', 'OrderCompleted'] END)
    WITH ORDINALITY e (event, version);

INSERT INTO store.events (
    position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
    event_id, recorded_at)
SELECT position, 'order', order_id::text, version, event, '1.0',
       data || jsonb_build_object('brief', repeat('In oak, one drawer. ', 15)),
       jsonb_build_object('actorRole', actor_role, 'actorId', actor_id, 'correlationId', event_id),
       event_id, recorded_at
FROM timeline;

-- What of it the ledger keeps, and what it is worth under policy 1.
CREATE TEMPORARY TABLE facts AS
SELECT order_id, 'commissioner' AS role, commissioner_id AS id, 'OrderPlaced' AS event,
       40 AS points, placed_at AS at FROM lived
UNION ALL
SELECT order_id, 'commissioner', commissioner_id, 'OfferConfirmed', 0, placed_at + waited * 2
FROM lived WHERE has_work
UNION ALL
SELECT order_id, 'commissioner', commissioner_id, 'OrderCompleted', 100,
       placed_at + waited * 2 + interval '40 days'
FROM lived WHERE state = 'completed'
UNION ALL
SELECT order_id, 'commissioner', commissioner_id, 'OrderCancelled', 0, placed_at + waited * 2
FROM lived WHERE state = 'cancelled'
UNION ALL
SELECT order_id, 'workshop', md5('workshop' || first_workshop)::uuid, 'WorkshopCredited', 0,
       placed_at + waited * 2 + interval '40 days'
FROM lived WHERE state = 'completed';

CREATE TEMPORARY TABLE awards AS
SELECT *, row_number() OVER w AS version, (sum(points) OVER w)::bigint AS total
FROM facts WHERE points > 0
WINDOW w AS (PARTITION BY role, id ORDER BY at, order_id, event ROWS UNBOUNDED PRECEDING);

CREATE TEMPORARY TABLE sums AS
SELECT f.role, f.id, coalesce(max(w.version), 0) AS version, coalesce(max(w.total), 0) AS points,
       max(f.at) AS at
FROM facts f
LEFT JOIN awards w ON w.role = f.role AND w.id = f.id AND w.event = f.event
 AND w.order_id = f.order_id
GROUP BY f.role, f.id;

INSERT INTO bonus.accounts (
    beneficiary_role, beneficiary_id, version, policy_version, lifetime_points, grade, changed_at,
    vip_version)
SELECT role, id, version, 1, points, CASE WHEN version > 0 THEN pg_temp.grade(points) END,
       CASE WHEN version > 0 THEN at END, version
FROM sums;
INSERT INTO bonus.ledger (
    source_event_id, event_type, beneficiary_role, beneficiary_id, order_id, by_dispute,
    occurred_at, recorded_at, account_version)
SELECT md5(event || order_id)::uuid, event, role, id, order_id, false, at, at, 0 FROM facts;
INSERT INTO "bonus@1".bonus_accounts (
    beneficiary_role, beneficiary_id, version, policy_version, lifetime_points, grade, changed_at,
    first_position, last_position)
SELECT role, id, version, 1, points, pg_temp.grade(points), at, 1, 1 FROM sums WHERE version > 0;

-- What the accounts' streams tell: each award, and the changes of grade.
INSERT INTO store.events (
    position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
    event_id, recorded_at)
SELECT 2000000 + row_number() OVER (ORDER BY at, id, version, part), 'account', role || ':' || id,
       version * 2 + part, event_type, '1.0',
       payload || jsonb_build_object('beneficiaryId', id, 'beneficiaryRole', role,
                                     'policyVersion', 1, 'occurredAt', at),
       '{}', md5('account' || id || version || part)::uuid, at
FROM (
    SELECT *, 0 AS part, 'PointsAwarded' AS event_type,
           jsonb_build_object('sourceEventId', md5(event || order_id)::uuid, 'sourceType', event,
                              'orderId', order_id, 'points', points,
                              'lifetimePoints', total) AS payload
    FROM awards
    UNION ALL
    SELECT *, 1, 'GradeChanged',
           jsonb_build_object('from', pg_temp.grade(total - points), 'to', pg_temp.grade(total))
    FROM awards WHERE pg_temp.grade(total - points) <> pg_temp.grade(total)
) told;

-- The read models have come to the end.
INSERT INTO store.checkpoints (name, generation, position)
SELECT s.name, g.number, e.position
FROM read.served s
CROSS JOIN (SELECT max(number) AS number FROM store.generation) g
CROSS JOIN (SELECT max(position) AS position FROM store.events) e
ON CONFLICT (name) DO UPDATE SET position = excluded.position;

ANALYZE store.events, store.checkpoints, orders, invitations, stages, timeline,
    bonus.accounts, bonus.ledger, "bonus@1".bonus_accounts;
