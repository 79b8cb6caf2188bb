//! How much of a bare INSERT's rate the executor keeps: the same load and a plain INSERT by
//! tokio-postgres = 1.00, against load, decide and `store.append`, without and with a key.
//!
//! Run by `cargo xtask bench`, in release, on a private Postgres with fsync on. The three take
//! turns, so that what else the machine does falls on all of them.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement that fails has nothing to say"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use event_store::{
    Accepted, Claim, Conditions, Decision, DecisionError, Executor, Loaded, NewEvent, StreamId,
};
use kernel::{EventId, IdSource as _, Metadata, RandomIds};
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use test_support::TestDatabase;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

const CONNECTIONS: usize = 16;
/// Streams of each connection; they are visited in turn, so each grows by one event a visit.
const STREAMS: u64 = 400;
const ROUNDS: u32 = 3;
const TURN: Duration = Duration::from_secs(4);

/// A table like the store's, with the same constraints, for the plain INSERT.
const BARE: &str = "
    CREATE SCHEMA bare;
    CREATE SEQUENCE bare.position;
    CREATE TABLE bare.events (LIKE store.events INCLUDING ALL);
    ALTER TABLE bare.events ALTER position SET DEFAULT nextval('bare.position');
    ALTER TABLE bare.events ALTER recorded_at SET DEFAULT clock_timestamp();";

const LOAD: &str = "
    SELECT position, event_id, sequence, event_type, event_version, payload, metadata, recorded_at
    FROM bare.events WHERE aggregate_type = 'order' AND aggregate_id = $1
    ORDER BY sequence LIMIT 100001";

const INSERT: &str = "
    INSERT INTO bare.events (aggregate_type, aggregate_id, sequence, event_type, event_version,
                             payload, metadata, event_id)
    VALUES ('order', $1, $2, 'OfferSubmitted', '1.0', $3, $4, $5) RETURNING position";

fn payload() -> Value {
    json!({
        "event": "OfferSubmitted",
        "orderId": "0195f9a2-7c1e-7d3a-9b1e-3f4c5d6e7f80",
        "commissionerId": "0195f9a2-7c1e-7d3a-9b1e-3f4c5d6e7f81",
        "occurredAt": "2026-11-25T10:00:00.123456Z",
        "workshopId": "0195f9a2-7c1e-7d3a-9b1e-3f4c5d6e7f82",
        "offer": {
            "budget": { "amount": "1250.00", "currency": "EUR" },
            "deadline": "2027-03-01T00:00:00Z",
            "description": "Oak, oiled, with brass fittings; drawings first, then the carcass.",
            "stages": [{ "name": "Drawings", "description": "To scale.", "durationDays": 7,
                         "requiresApproval": true }],
            "requestRevision": 1,
            "offerRevision": 1
        }
    })
}

fn metadata() -> Metadata {
    Metadata {
        actor: None,
        on_behalf_of: None,
        correlation_id: Uuid::from_u128(7),
        causation_id: None,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        idempotency_key: None,
    }
}

struct AppendOne(StreamId);

impl Decision for AppendOne {
    type Rejection = ();

    fn target(&self) -> StreamId {
        self.0.clone()
    }

    fn admit(&mut self, _: &Loaded) -> Result<(), DecisionError<()>> {
        Ok(())
    }

    fn decide(&mut self, _: &Loaded) -> Result<Accepted, DecisionError<()>> {
        Ok(Accepted {
            events: vec![NewEvent {
                event_id: EventId::from_uuid(RandomIds.next()),
                event_type: "OfferSubmitted",
                event_version: "1.0",
                payload: payload(),
                metadata: metadata(),
            }],
            status: 200,
            state: Some("negotiating"),
        })
    }
}

#[derive(Clone, Copy)]
enum Way {
    Bare,
    Executor,
    ExecutorWithKey,
}

const WAYS: [(Way, &str); 3] = [
    (Way::Bare, "bare INSERT, tokio-postgres"),
    (Way::Executor, "executor, no key"),
    (Way::ExecutorWithKey, "executor, with a key"),
];

/// One connection's place in its turn of streams, kept over the rounds.
struct Worker {
    number: usize,
    visits: AtomicU64,
    client: tokio_postgres::Client,
    load: tokio_postgres::Statement,
    insert: tokio_postgres::Statement,
    executor: Executor,
}

impl Worker {
    async fn once(&self, way: Way) {
        let visit = self.visits.fetch_add(1, Ordering::Relaxed);
        let key = format!("{}-{}-{}", way as u8, self.number, visit % STREAMS);
        match way {
            Way::Bare => self.bare(&key).await,
            Way::Executor => self.execute(key, None).await,
            Way::ExecutorWithKey => {
                let claim = Claim {
                    scope: "commissioner:0195f9a2-7c1e-7d3a-9b1e-3f4c5d6e7f81".to_owned(),
                    key: RandomIds.next().to_string(),
                    fingerprint: [1; 32],
                };
                self.execute(key, Some(claim)).await;
            }
        }
    }

    async fn bare(&self, key: &str) {
        let rows = self.client.query(&self.load, &[&key]).await.unwrap();
        for row in &rows {
            // Decoded, as the executor decodes them.
            let _: (i64, Uuid, Value, Value) = (row.get(0), row.get(1), row.get(5), row.get(6));
        }
        let next = rows.last().map_or(0, |row| row.get::<_, i64>(2)) + 1;
        let metadata = json!(metadata().to_map());
        self.client
            .query_one(
                &self.insert,
                &[&key, &next, &payload(), &metadata, &RandomIds.next()],
            )
            .await
            .unwrap();
    }

    async fn execute(&self, key: String, claim: Option<Claim>) {
        let conditions = Conditions {
            claim,
            expected: None,
            deadline: Instant::now() + Duration::from_secs(10),
        };
        let decision = AppendOne(StreamId::from_parts(StreamId::ORDER, key));
        self.executor.execute(decision, conditions).await.unwrap();
    }
}

async fn turn(workers: &[Arc<Worker>], way: Way) -> u64 {
    let end = Instant::now() + TURN;
    let tasks: Vec<_> = workers
        .iter()
        .map(|worker| {
            let worker = Arc::clone(worker);
            tokio::spawn(async move {
                let mut done = 0;
                while Instant::now() < end {
                    worker.once(way).await;
                    done += 1;
                }
                done
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await.unwrap();
    }
    done
}

async fn workers(database: &TestDatabase) -> Vec<Arc<Worker>> {
    let limit = u32::try_from(CONNECTIONS).unwrap();
    let options = PgPoolOptions::new()
        .max_connections(limit)
        .test_before_acquire(false)
        // As the command API connects.
        .after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::query("SET plan_cache_mode = force_generic_plan")
                    .execute(connection)
                    .await
                    .map(drop)
            })
        });
    let pool = database.pool_app_with(options).await;
    let executor = Executor::new(pool, TaskTracker::new());
    let mut workers = Vec::new();
    for number in 0..CONNECTIONS {
        let url = database.url("atlas_owner");
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        workers.push(Arc::new(Worker {
            number,
            visits: AtomicU64::new(0),
            load: client.prepare(LOAD).await.unwrap(),
            insert: client.prepare(INSERT).await.unwrap(),
            client,
            executor: executor.clone(),
        }));
    }
    workers
}

#[tokio::main]
async fn main() {
    let database = TestDatabase::create().await;
    sqlx::raw_sql(BARE)
        .execute(&database.pool_owner().await)
        .await
        .unwrap();
    let workers = workers(&database).await;
    for (way, _) in WAYS {
        turn(&workers, way).await; // warm-up
    }
    let mut totals = [0; WAYS.len()];
    for _ in 0..ROUNDS {
        for (total, (way, _)) in totals.iter_mut().zip(WAYS) {
            *total += turn(&workers, way).await;
        }
    }
    let seconds = f64::from(ROUNDS) * TURN.as_secs_f64();
    let [bare, ..] = totals;
    for (total, (_, name)) in totals.into_iter().zip(WAYS) {
        #[expect(clippy::cast_precision_loss, reason = "printed with two digits")]
        let (total, bare) = (total as f64, bare as f64);
        println!(
            "{:.2}  {name}: {:.0} commands/s on {CONNECTIONS} connections",
            total / bare,
            total / seconds
        );
    }
}
