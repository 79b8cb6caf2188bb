//! A history as it would have come about: lives of ten events, interleaved, written straight into the
//! store; the limit that readers of it are measured against; and a reader brought up to date.

use std::time::{Duration, Instant};

use event_store::{Reader, ReaderOptions};
use projections::{Model, Version};
use sqlx::PgPool;
use test_support::TestDatabase;

/// How many events a life has.
pub(crate) const LIFE: i64 = 10;
const INTERLEAVED: i64 = 2_000;
/// How many events the limit takes at once.
const BATCH: i64 = 5_000;
pub(crate) const LEASE: Duration = Duration::from_secs(10);

/// Each order's `k`th event, for `k` from 0 to 9.
const FILL: &str = r#"
INSERT INTO store.events (position, aggregate_type, aggregate_id, sequence, event_type,
                          event_version, payload, metadata, event_id, recorded_at)
SELECT nextval('store.position'), 'order', o.id::text, k + 1,
       (ARRAY['OrderPlaced', 'OfferSubmitted', 'OfferSubmitted', 'AllResponsesReceived',
              'OfferConfirmed', 'StageMarkedComplete', 'StageApproved', 'StageMarkedComplete',
              'OrderFinished', 'OrderCompleted'])[k + 1],
       '1.0',
       jsonb_build_object('orderId', o.id, 'commissionerId', o.commissioner,
                          'occurredAt', to_char(o.at + k * interval '1 hour',
                                                'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
       || CASE k
            WHEN 0 THEN jsonb_build_object('event', 'OrderPlaced', 'workshops',
                jsonb_build_array(o.w1, o.w2), 'request', jsonb_build_object(
                    'title', 'A writing desk ' || o.n, 'brief', repeat('In oak, one drawer. ', 10),
                    'budget', jsonb_build_object('amount', '1500.00', 'currency', 'EUR'),
                    'deadline', '2030-06-01T00:00:00Z', 'revision', 1))
            WHEN 1 THEN jsonb_build_object('event', 'OfferSubmitted', 'workshopId', o.w1,
                'offer', o.offer)
            WHEN 2 THEN jsonb_build_object('event', 'OfferSubmitted', 'workshopId', o.w2,
                'offer', o.offer)
            WHEN 3 THEN jsonb_build_object('event', 'AllResponsesReceived', 'standing',
                jsonb_build_array(o.w1, o.w2))
            WHEN 4 THEN jsonb_build_object('event', 'OfferConfirmed', 'workshopId', o.w1,
                'terms', o.offer, 'notSelected', jsonb_build_array(o.w2))
            WHEN 5 THEN jsonb_build_object('event', 'StageMarkedComplete', 'workshopId', o.w1,
                'stage', 1, 'name', 'Drawings', 'status', 'awaitingApproval')
            WHEN 6 THEN jsonb_build_object('event', 'StageApproved', 'workshopId', o.w1,
                'stage', 1, 'name', 'Drawings')
            WHEN 7 THEN jsonb_build_object('event', 'StageMarkedComplete', 'workshopId', o.w1,
                'stage', 2, 'name', 'Desk', 'status', 'completed')
            WHEN 8 THEN jsonb_build_object('event', 'OrderFinished', 'workshopId', o.w1)
            ELSE jsonb_build_object('event', 'OrderCompleted', 'workshopId', o.w1)
          END,
       jsonb_build_object('actorRole', 'commissioner', 'actorId', o.commissioner,
                          'correlationId', gen_random_uuid(), 'traceparent',
                          '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'),
       gen_random_uuid(), clock_timestamp()
FROM (
    SELECT l.n, k, l.id, l.at, md5('commissioner' || l.n % 5000)::uuid AS commissioner,
           md5('workshop' || l.n % 500)::uuid AS w1, md5('workshop' || (l.n + 1) % 500)::uuid AS w2,
           '{"budget":{"amount":"1400.00","currency":"EUR"},"deadline":"2030-05-01T00:00:00Z",
             "description":"Oiled oak, brass fittings, drawings first.","requestRevision":1,
             "offerRevision":1,"stages":[
              {"name":"Drawings","description":"To scale.","durationDays":7,
               "requiresApproval":true},
              {"name":"Desk","description":"Built and oiled.","durationDays":30,
               "requiresApproval":false}]}'::jsonb AS offer
    FROM generate_series(0, $2::bigint / $1 - 1) AS g
    CROSS JOIN generate_series(0, 9) AS k
    CROSS JOIN LATERAL (
        SELECT n, (lpad(to_hex(n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
                   || substr(md5(n::text), 4, 15))::uuid AS id,
               timestamptz '2026-11-25 10:00Z' + n * interval '1 second' AS at
        FROM generate_series($3::bigint + g * $1, $3::bigint + g * $1 + $1 - 1) AS n
    ) l
    ORDER BY g, k, l.n
) o"#;

/// The limit: the same events folded into one row an order by one statement a batch.
const SET_BASED: &str = r#"
INSERT INTO limits.orders AS o (order_id, version, state, commissioner_id, workshop_id, title,
                                amount, currency, placed_at, updated_at)
SELECT e.aggregate_id::uuid, max(e.sequence),
       (array_agg(CASE e.event_type
            WHEN 'OrderPlaced' THEN 'negotiating' WHEN 'OfferConfirmed' THEN 'inProgress'
            WHEN 'OrderFinished' THEN 'finished' WHEN 'OrderCompleted' THEN 'completed' END
            ORDER BY e.sequence DESC)
        FILTER (WHERE e.event_type IN ('OrderPlaced', 'OfferConfirmed', 'OrderFinished',
                                       'OrderCompleted')))[1],
       (min(e.payload ->> 'commissionerId'))::uuid,
       (min(e.payload ->> 'workshopId') FILTER (WHERE e.event_type = 'OfferConfirmed'))::uuid,
       min(e.payload -> 'request' ->> 'title'),
       (min(e.payload -> 'request' -> 'budget' ->> 'amount'))::numeric,
       min(e.payload -> 'request' -> 'budget' ->> 'currency'),
       (min(e.payload ->> 'occurredAt') FILTER (WHERE e.event_type = 'OrderPlaced'))::timestamptz,
       (max(e.payload ->> 'occurredAt'))::timestamptz
FROM store.events e
WHERE e.position > $1 AND e.position <= $2 AND e.aggregate_type = 'order'
GROUP BY e.aggregate_id
ON CONFLICT (order_id) DO UPDATE SET
    version = excluded.version, state = coalesce(excluded.state, o.state),
    workshop_id = coalesce(excluded.workshop_id, o.workshop_id),
    updated_at = excluded.updated_at"#;

const LIMITS: &str = "
    CREATE SCHEMA limits;
    CREATE TABLE limits.orders (
        order_id uuid PRIMARY KEY, version bigint NOT NULL, state text,
        commissioner_id uuid NOT NULL, workshop_id uuid, title text, amount numeric(14,2),
        currency text, placed_at timestamptz, updated_at timestamptz NOT NULL);";

/// Writes so many lives, from this number on.
pub(crate) async fn fill(owner: &PgPool, lives: i64, from: i64) {
    sqlx::query(FILL)
        .bind(INTERLEAVED)
        .bind(lives)
        .bind(from)
        .execute(owner)
        .await
        .unwrap();
    sqlx::raw_sql("VACUUM (ANALYZE) store.events")
        .execute(owner)
        .await
        .unwrap();
}

/// Events a second of the set-based statement over the first `events`, each batch a commit.
pub(crate) async fn set_based(owner: &PgPool, events: i64) -> f64 {
    sqlx::raw_sql("DROP SCHEMA IF EXISTS limits CASCADE")
        .execute(owner)
        .await
        .unwrap();
    sqlx::raw_sql(LIMITS).execute(owner).await.unwrap();
    let started = Instant::now();
    let mut position = 0;
    while position < events {
        sqlx::query(SET_BASED)
            .bind(position)
            .bind(position + BATCH)
            .execute(owner)
            .await
            .unwrap();
        position += BATCH;
    }
    rate(events, started.elapsed())
}

#[expect(clippy::cast_precision_loss, reason = "a rate is a float")]
pub(crate) fn rate(events: i64, elapsed: Duration) -> f64 {
    events as f64 / elapsed.as_secs_f64()
}

pub(crate) const fn first(model: Model) -> Version {
    Version { model, version: 1 }
}

/// Brings a version up to date with the store; how long that took.
pub(crate) async fn catch_up(database: &TestDatabase, version: Version) -> Duration {
    let connect = version.connect(database.options("atlas_app"));
    let options = ReaderOptions::new(&version.to_string(), "bench", LEASE);
    let mut sink = version.model.sink();
    let started = Instant::now();
    let reader = Reader::new(connect, options);
    reader.catch_up(sink.as_mut()).await.unwrap();
    started.elapsed()
}
