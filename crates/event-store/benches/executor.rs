//! How much of a bare INSERT's rate the executor keeps: the same load and a plain INSERT by
//! tokio-postgres = 1.00, against load, decide and append by the executor, without and with a key.
//!
//! Run by `cargo xtask bench`, in release, on a private Postgres with fsync on; on a store of ten
//! thousand events and one of a million.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement that fails has nothing to say"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use event_store::{
    Accepted, Claim, Conditions, Decision, DecisionError, Executor, Loaded, NewEvent, StreamId,
};
use kernel::{EventId, IdSource as _, Metadata, RandomIds};
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use test_support::TestDatabase;
use test_support::measure::{Plan, Way, fill, measure};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

const SIZES: [i64; 2] = [10_000, 1_000_000];
const CONNECTIONS: [usize; 2] = [16, 128];
/// As many as the command API has.
const POOL: u32 = 17;
/// Streams are visited in turn, so each grows by one event a visit.
const STREAMS: usize = 4_000;

/// A table like the store's, with the same constraints, for the plain INSERT.
const BARE: &str = "
    CREATE SCHEMA bare;
    CREATE SEQUENCE bare.position;
    CREATE TABLE bare.events (LIKE store.events INCLUDING ALL);
    ALTER TABLE bare.events ALTER position SET DEFAULT nextval('bare.position');
    ALTER TABLE bare.events ALTER recorded_at SET DEFAULT clock_timestamp();";

const FILL_BARE: &str = "
    INSERT INTO bare.events
    SELECT nextval('bare.position'), aggregate_type, aggregate_id, sequence, event_type,
           event_version, payload, metadata, event_id, recorded_at
    FROM store.events WHERE position > (SELECT coalesce(max(position), 0) FROM bare.events)
    ON CONFLICT DO NOTHING";

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

async fn execute(executor: Executor, stream: String, claim: Option<Claim>) {
    let conditions = Conditions {
        claim,
        expected: None,
        deadline: Instant::now() + Duration::from_secs(10),
    };
    let decision = AppendOne(StreamId::from_parts(StreamId::ORDER, stream));
    executor.execute(decision, conditions).await.unwrap();
}

/// One connection of the plain INSERT.
struct Bare {
    client: tokio_postgres::Client,
    load: tokio_postgres::Statement,
    insert: tokio_postgres::Statement,
}

impl Bare {
    async fn connect(database: &TestDatabase) -> Arc<Self> {
        let url = database.url("atlas_owner");
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        Arc::new(Self {
            load: client.prepare(LOAD).await.unwrap(),
            insert: client.prepare(INSERT).await.unwrap(),
            client,
        })
    }

    async fn once(self: Arc<Self>, stream: String) {
        let rows = self.client.query(&self.load, &[&stream]).await.unwrap();
        for row in &rows {
            // Decoded, as the executor decodes them.
            let _: (i64, Uuid, Value, Value) = (row.get(0), row.get(1), row.get(5), row.get(6));
        }
        let next = rows.last().map_or(0, |row| row.get::<_, i64>(2)) + 1;
        let metadata = json!(metadata().to_map());
        self.client
            .query_one(
                &self.insert,
                &[&stream, &next, &payload(), &metadata, &RandomIds.next()],
            )
            .await
            .unwrap();
    }
}

async fn executor(database: &TestDatabase) -> Executor {
    let options = PgPoolOptions::new()
        .max_connections(POOL)
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
    Executor::new(database.pool_app_with(options).await, TaskTracker::new())
}

async fn ways(database: &TestDatabase, connections: usize, size: i64) -> [Way; 3] {
    let mut bare = Vec::new();
    for _ in 0..connections {
        bare.push(Bare::connect(database).await);
    }
    let executor = executor(database).await;
    let with_key = executor.clone();
    let stream =
        move |way: &str, number: usize| format!("{way}-{connections}-{size}-{}", number % STREAMS);
    [
        Way::new(
            "load and INSERT, tokio-postgres",
            move |connection, number| {
                let one = bare.get(connection).map(Arc::clone).unwrap();
                Box::pin(one.once(stream("bare", number)))
            },
        ),
        Way::new("executor", move |_, number| {
            Box::pin(execute(executor.clone(), stream("plain", number), None))
        }),
        Way::new("executor, with a key", move |_, number| {
            let claim = Claim {
                scope: "commissioner:0195f9a2-7c1e-7d3a-9b1e-3f4c5d6e7f81".to_owned(),
                key: RandomIds.next().to_string(),
                fingerprint: [1; 32],
            };
            let stream = stream("key", number);
            Box::pin(execute(with_key.clone(), stream, Some(claim)))
        }),
    ]
}

#[tokio::main]
async fn main() {
    let database = TestDatabase::create().await;
    let owner = database.pool_owner().await;
    sqlx::raw_sql(BARE).execute(&owner).await.unwrap();
    for size in SIZES {
        fill(&database, size).await;
        sqlx::raw_sql(FILL_BARE).execute(&owner).await.unwrap();
        sqlx::raw_sql("VACUUM (ANALYZE) bare.events")
            .execute(&owner)
            .await
            .unwrap();
        for connections in CONNECTIONS {
            let plan = Plan {
                connections,
                rounds: 5,
                times: 6_000,
            };
            let ways = ways(&database, connections, size).await;
            let title = format!("executor, {size} stored events");
            measure(&title, &database, plan, &ways).await;
        }
    }
}
