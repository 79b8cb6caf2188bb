//! What follows the commit, as ratios in one run: the read model `orders` beside one set-based SQL
//! statement that folds the same events into one row an order, and the relay beside Kafka's own
//! producer benchmark at the same sizes.
//!
//! Run by `cargo xtask bench`, in release, on a private Postgres with fsync on and a real Apache
//! Kafka: 20 000 lives of ten events, interleaved by 2 000, brought from empty tables up to date.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement that fails has nothing to say"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contracts::Outbound;
use dev_servers::{KafkaOptions, Port, PrivateKafka, scratch_folder};
use event_store::{BatchBound, Feed, Position, Reader, ReaderOptions, Selection, StoredEvent};
use messaging::topics::{Retention, TopicGuard};
use messaging::{Kafka, Relay};
use mimalloc::MiMalloc;
use projections::{Model, Version};
use publishing::{StoredFact, Unpublishable};
use sqlx::PgPool;
use test_support::TestDatabase;

/// As the projector has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const LIVES: i64 = 20_000;
const INTERLEAVED: i64 = 2_000;
const EVENTS: i64 = LIVES * 10;
const LEASE: Duration = Duration::from_secs(10);

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

async fn fill(owner: &PgPool, lives: i64, from: i64) {
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

/// Events a second of the set-based statement, 5 000 events a batch, each batch a commit.
async fn set_based(owner: &PgPool) -> f64 {
    sqlx::raw_sql("DROP SCHEMA IF EXISTS limits CASCADE")
        .execute(owner)
        .await
        .unwrap();
    sqlx::raw_sql(LIMITS).execute(owner).await.unwrap();
    let started = Instant::now();
    let mut position = 0;
    while position < EVENTS {
        sqlx::query(SET_BASED)
            .bind(position)
            .bind(position + 5_000)
            .execute(owner)
            .await
            .unwrap();
        position += 5_000;
    }
    rate(EVENTS, started.elapsed())
}

#[expect(clippy::cast_precision_loss, reason = "a rate is a float")]
fn rate(events: i64, elapsed: Duration) -> f64 {
    events as f64 / elapsed.as_secs_f64()
}

/// A broker of its own, from the jars that `cargo xtask kafka` has fetched.
fn kafka() -> PrivateKafka {
    let state = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/atlas");
    PrivateKafka::start(KafkaOptions {
        cache: state.join("cache"),
        folder: scratch_folder(&state.join("kafka")),
        port: Port::Free,
    })
    .unwrap()
}

fn messages_of(event: &StoredEvent) -> Result<Vec<Outbound>, Unpublishable> {
    publishing::messages(&StoredFact {
        position: event.position.get(),
        event_id: event.event_id,
        stream_kind: event.stream.kind(),
        version: event.version.get(),
        event_type: &event.event_type,
        event_version: &event.event_version,
        payload: &event.payload,
        metadata: &event.raw_metadata,
    })
}

/// Messages a second of Kafka's own producer benchmark, as many of them and as large.
async fn producer(broker: &PrivateKafka, database: &TestDatabase) -> f64 {
    let topic = "benchmark";
    let made = broker
        .tool("org.apache.kafka.tools.TopicCommand")
        .args(["--bootstrap-server", &broker.address(), "--create"])
        .args(["--topic", topic, "--partitions", "6"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let size = message_size(database).await;
    let run = broker
        .tool("org.apache.kafka.tools.ProducerPerformance")
        .args(["--topic", topic, "--throughput", "-1"])
        .args(["--num-records", &EVENTS.to_string()])
        .args(["--record-size", &size.to_string()])
        .args([
            "--producer-props",
            &format!("bootstrap.servers={}", broker.address()),
        ])
        .args(["acks=all", "compression.type=zstd"])
        .output()
        .unwrap();
    let told = String::from_utf8(run.stdout).unwrap();
    let last = told.lines().last().unwrap_or_default();
    println!("kafka's producer benchmark, {size} bytes each: {last}");
    let words: Vec<&str> = last.split_whitespace().collect();
    let at = words
        .iter()
        .position(|word| *word == "records/sec")
        .unwrap();
    words[at - 1].parse().unwrap()
}

/// The bytes of key, headers and value of a message, on average.
async fn message_size(database: &TestDatabase) -> usize {
    let mut feed = Feed::connect(&database.options("atlas_app")).await.unwrap();
    let bound = BatchBound::default();
    let batch = feed
        .next_batch(Position::START, &Selection::default(), bound)
        .await
        .unwrap();
    let sizes = batch
        .events
        .iter()
        .flat_map(|event| messages_of(event).unwrap());
    let total: usize = sizes
        .map(|message| {
            let headers = message.headers.iter();
            let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
            message.key.len() + headers + message.payload.len()
        })
        .sum();
    total / batch.events.len()
}

/// Events a second of the relay.
async fn relay(broker: &PrivateKafka, database: &TestDatabase) -> f64 {
    let mut relay = Relay::new(Kafka::new(broker.address()), messages_of);
    let options = ReaderOptions::new("relay", "bench", LEASE);
    let reader = Reader::new(database.options("atlas_app"), options);
    let started = Instant::now();
    reader.catch_up(&mut relay).await.unwrap();
    rate(EVENTS, started.elapsed())
}

/// All at once, in one process: what the read model and the relay each come to.
async fn together(broker: &PrivateKafka) -> (f64, f64) {
    let database = Arc::new(TestDatabase::create().await);
    fill(&database.pool_owner().await, LIVES, 0).await;
    let others = [Model::Workshops, Model::Bonus].map(|model| {
        let database = Arc::clone(&database);
        tokio::spawn(async move { catch_up(&database, first(model)).await })
    });
    let of_orders = Arc::clone(&database);
    let orders = tokio::spawn(async move { catch_up(&of_orders, first(Model::Orders)).await });
    let relayed = relay(broker, &database).await;
    for other in others {
        other.await.unwrap();
    }
    (orders.await.unwrap(), relayed)
}

const fn first(model: Model) -> Version {
    Version { model, version: 1 }
}

async fn catch_up(database: &TestDatabase, version: Version) -> f64 {
    let connect = version.connect(database.options("atlas_app"));
    let options = ReaderOptions::new(&version.to_string(), "bench", LEASE);
    let mut sink = version.model.sink();
    let started = Instant::now();
    let reader = Reader::new(connect, options);
    reader.catch_up(sink.as_mut()).await.unwrap();
    rate(EVENTS, started.elapsed())
}

async fn measure() {
    let broker = kafka();
    topics_of(&broker).await;
    let database = TestDatabase::create().await;
    let owner = database.pool_owner().await;
    fill(&owner, LIVES, 0).await;
    let limit = set_based(&owner).await;
    println!("set-based SQL: {limit:.0} events/s = 1.00");
    let alone = catch_up(&database, first(Model::Orders)).await;
    println!(
        "orders, by itself: {alone:.0} events/s = {:.3}",
        alone / limit
    );
    let sent = producer(&broker, &database).await;
    let relayed = relay(&broker, &database).await;
    println!(
        "relay, by itself: {relayed:.0} events/s = {:.3}",
        relayed / sent
    );
    let (orders, relayed) = together(&broker).await;
    println!(
        "all at once: orders {orders:.0} events/s = {:.3}, {:.2} of by itself; relay {relayed:.0} \
         events/s = {:.3}",
        orders / limit,
        orders / alone,
        relayed / sent,
    );
}

/// Makes our topics, as the projector does.
async fn topics_of(broker: &PrivateKafka) {
    let database = TestDatabase::create().await;
    let retention = Retention::of_days(30);
    let kafka = Kafka::new(broker.address());
    let guard = TopicGuard::new(kafka, database.pool_app().await, retention);
    guard.check().await.unwrap();
}

fn main() {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(measure());
}
