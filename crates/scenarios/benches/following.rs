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

#[path = "running/history.rs"]
mod history;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use contracts::Outbound;
use dev_servers::{KafkaOptions, Port, PrivateKafka, scratch_folder};
use event_store::{BatchBound, Feed, Position, Reader, ReaderOptions, Selection, StoredEvent};
use messaging::topics::{Retention, TopicGuard};
use messaging::{Kafka, Relay};
use mimalloc::MiMalloc;
use projections::Model;
use publishing::{StoredFact, Unpublishable};
use test_support::TestDatabase;

use history::{LEASE, LIFE, catch_up, fill, first, rate, set_based};

/// As the projector has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const LIVES: i64 = 20_000;
const EVENTS: i64 = LIVES * LIFE;

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
    let orders =
        tokio::spawn(async move { rate(EVENTS, catch_up(&of_orders, first(Model::Orders)).await) });
    let relayed = relay(broker, &database).await;
    for other in others {
        other.await.unwrap();
    }
    (orders.await.unwrap(), relayed)
}

async fn measure() {
    let broker = kafka();
    topics_of(&broker).await;
    let database = TestDatabase::create().await;
    let owner = database.pool_owner().await;
    fill(&owner, LIVES, 0).await;
    let limit = set_based(&owner, EVENTS).await;
    println!("set-based SQL: {limit:.0} events/s = 1.00");
    let alone = rate(EVENTS, catch_up(&database, first(Model::Orders)).await);
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
