//! A store with a directory of workshops and an order, and their read models driven by hand.

use std::time::Duration;

use event_store::{Append, NewEvent, Reader, ReaderOptions, StreamId, Version, append};
use kernel::{Actor, EventId, Metadata, OrderId, Role, WorkshopId};
use order_domain::value::WorkshopName;
use order_domain::workshop::{WorkshopEvent, WorkshopFact, stored};
use projections::Model;
use serde_json::Value;
use test_support::TestDatabase;
use uuid::Uuid;

/// The stored form of an order's first event.
const PLACED: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/order-domain/fixtures/order/OrderPlaced-1.0.json"
));

/// A directory of three workshops, followed to its end.
pub(crate) async fn directory() -> TestDatabase {
    let database = TestDatabase::create().await;
    for number in 1..=3 {
        register(&database, number).await;
    }
    catch_up(&database, Model::Workshops).await;
    database
}

/// Brings a read model up to date.
pub(crate) async fn catch_up(database: &TestDatabase, model: Model) {
    let version = projections::Version { model, version: 1 };
    let options = ReaderOptions::new(&version.to_string(), "test", Duration::from_secs(10));
    let reader = Reader::new(version.connect(database.options("atlas_app")), options);
    reader.catch_up(&mut *model.sink()).await.unwrap();
}

/// Lists a workshop.
pub(crate) async fn register(database: &TestDatabase, number: u128) {
    let workshop_id = WorkshopId::from_uuid(Uuid::from_u128(number));
    let encoded = stored::encode(&WorkshopEvent {
        workshop_id,
        occurred_at: "2027-01-01T00:00:00Z".parse().unwrap(),
        fact: WorkshopFact::WorkshopRegistered {
            name: WorkshopName::parse("Oak").unwrap(),
            accepts_commissions: true,
        },
    });
    let event_id = Uuid::from_u128(number << 64);
    let (name, version) = (encoded.event_type, encoded.event_version);
    let event = event(event_id, name, version, encoded.payload);
    begin(database, StreamId::workshop(workshop_id), event).await;
}

/// Places an order with this id.
pub(crate) async fn place(database: &TestDatabase, number: u128) -> StreamId {
    let id = Uuid::from_u128(number);
    let mut payload: Value = serde_json::from_str(PLACED).unwrap();
    payload["orderId"] = id.to_string().into();
    let stream = StreamId::order(OrderId::from_uuid(id));
    let event = event(
        Uuid::from_u128(number << 64 | 1),
        "OrderPlaced",
        "1.0",
        payload,
    );
    begin(database, stream.clone(), event).await;
    stream
}

/// Runs statements as the owner of the tables.
pub(crate) async fn as_owner(database: &TestDatabase, statements: &str) {
    let owner = database.pool_owner().await;
    sqlx::raw_sql(statements).execute(&owner).await.unwrap();
}

async fn begin(database: &TestDatabase, stream: StreamId, event: NewEvent) {
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    let one = Append::to(stream, Version::NONE, vec![event]);
    append(&mut connection, &one).await.unwrap();
}

fn event(id: Uuid, name: &'static str, version: &'static str, payload: Value) -> NewEvent {
    NewEvent {
        event_id: EventId::from_uuid(id),
        event_type: name,
        event_version: version,
        payload,
        metadata: Metadata {
            actor: Some(Actor::new(Role::Operator, Uuid::from_u128(1))),
            on_behalf_of: None,
            correlation_id: Uuid::from_u128(7),
            causation_id: None,
            traceparent: None,
            idempotency_key: None,
        },
    }
}
