//! A store with events in it, and the read models driven by hand.

use std::time::Duration;

use event_store::{
    Append, NewEvent, Reader, ReaderOptions, StoredEvent, StreamId, Version, append, load,
};
use kernel::{Actor, EventId, Metadata, OrderId, Role, WorkshopId};
use order_domain::Encoded;
use order_domain::workshop::{self, WorkshopEvent, WorkshopFact};
use projections::Model;
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use test_support::TestDatabase;
use uuid::Uuid;

use crate::histories::{Happened, History, commissioner};

/// The first versions, for connections that read without a snapshot.
const FIRST: &str = "\"orders@1\",\"workshops@1\"";

/// The first version of a read model.
pub(crate) const fn first(model: Model) -> projections::Version {
    projections::Version { model, version: 1 }
}

/// A database, and how the applications reach it.
pub(crate) struct Store {
    /// Connections that find the tables of the first versions.
    pub(crate) pool: PgPool,
    database: TestDatabase,
}

impl Store {
    pub(crate) async fn create() -> Self {
        let database = TestDatabase::create().await;
        let connect = database
            .options("atlas_app")
            .options([("search_path", FIRST)]);
        Self {
            pool: PgPool::connect_with(connect).await.unwrap(),
            database,
        }
    }

    /// Connections as the owner of the tables.
    pub(crate) async fn owner(&self) -> PgPool {
        self.database.pool_owner().await
    }

    /// Runs statements as the owner, who finds the tables of the first versions.
    pub(crate) async fn as_owner(&self, statements: &str) {
        let owner = self.owner().await;
        let mut connection = owner.acquire().await.unwrap();
        let statements = format!("SET search_path = {FIRST}; {statements}");
        sqlx::raw_sql(&statements)
            .execute(&mut *connection)
            .await
            .unwrap();
    }

    /// How the applications connect.
    pub(crate) fn connect(&self) -> PgConnectOptions {
        self.database.options("atlas_app")
    }

    /// Connections as the applications make them: they find no table by themselves.
    pub(crate) async fn pool_app(&self) -> PgPool {
        self.database.pool_app().await
    }

    /// Appends what happened to an order after `expected` events.
    pub(crate) async fn append_order(
        &self,
        order_id: OrderId,
        expected: i64,
        happened: &[Happened],
    ) {
        let events = (expected + 1..).zip(happened).map(|(version, happened)| {
            let encoded = order_domain::order::stored::encode(&happened.event);
            let event_id = derived(order_id.as_uuid(), version);
            new_event(event_id, encoded, happened.actor, happened.on_behalf_of)
        });
        self.append(StreamId::order(order_id), expected, events.collect())
            .await;
    }

    /// Appends one event of an order under any name and version, by its commissioner.
    pub(crate) async fn append_raw(
        &self,
        order: &History,
        expected: i64,
        event_type: &'static str,
        event_version: &'static str,
        fields: Value,
    ) {
        let mut payload = fields;
        payload["event"] = json!(event_type);
        payload["orderId"] = json!(order.order_id);
        payload["commissionerId"] = json!(order.commissioner_id);
        payload["occurredAt"] = json!("2027-12-31T00:00:00Z");
        let encoded = Encoded {
            event_type,
            event_version,
            payload,
        };
        let event_id = derived(order.order_id.as_uuid(), expected + 1);
        let actor = commissioner(order.commissioner_id);
        let event = new_event(event_id, encoded, actor, None);
        self.append(StreamId::order(order.order_id), expected, vec![event])
            .await;
    }

    /// Makes a directory entry say this.
    pub(crate) async fn put_workshop(
        &self,
        id: WorkshopId,
        expected: i64,
        name: &str,
        accepts: bool,
    ) {
        let name = order_domain::value::WorkshopName::parse(name).unwrap();
        let event = WorkshopEvent {
            workshop_id: id,
            occurred_at: "2027-01-01T00:00:00Z".parse().unwrap(),
            fact: if expected == 0 {
                WorkshopFact::WorkshopRegistered {
                    name,
                    accepts_commissions: accepts,
                }
            } else {
                WorkshopFact::WorkshopChanged {
                    name,
                    accepts_commissions: accepts,
                }
            },
        };
        let operator = Actor::new(Role::Operator, Uuid::from_u128(0x0e));
        let event = new_event(
            derived(id.as_uuid(), expected + 1),
            workshop::stored::encode(&event),
            operator,
            None,
        );
        self.append(StreamId::workshop(id), expected, vec![event])
            .await;
    }

    /// Begins a stream with these events.
    pub(crate) async fn append_encoded(
        &self,
        stream: StreamId,
        actor: Actor,
        encoded: Vec<Encoded>,
    ) {
        let events = (1..).zip(encoded).map(|(version, encoded)| {
            let namespace = Uuid::new_v5(&Uuid::NAMESPACE_URL, stream.key().as_bytes());
            new_event(derived(namespace, version), encoded, actor, None)
        });
        self.append(stream.clone(), 0, events.collect()).await;
    }

    async fn append(&self, stream: StreamId, expected: i64, events: Vec<NewEvent>) {
        let mut connection = self.pool.acquire().await.unwrap();
        let events = Append::to(stream, Version::new(expected), events);
        append(&mut connection, &events).await.unwrap();
    }

    /// Brings both read models up to date, as the projector does.
    pub(crate) async fn catch_up(&self) {
        for model in [Model::Orders, Model::Workshops] {
            self.catch_up_to(first(model)).await;
        }
    }

    /// Brings one version of a read model up to date.
    pub(crate) async fn catch_up_to(&self, version: projections::Version) {
        let options = options(version);
        self.catch_up_with(version, options).await;
    }

    /// The same, by a reader with these options.
    pub(crate) async fn catch_up_with(&self, version: projections::Version, with: ReaderOptions) {
        let reader = Reader::new(version.connect(self.connect()), with);
        let mut sink = version.model.sink();
        reader.catch_up(&mut *sink).await.unwrap();
    }

    /// All events of these orders, in the order of positions.
    pub(crate) async fn events(&self, orders: &[OrderId]) -> Vec<StoredEvent> {
        let streams: Vec<_> = orders.iter().copied().map(StreamId::order).collect();
        let mut connection = self.pool.acquire().await.unwrap();
        let loaded = load(&mut connection, &streams).await.unwrap();
        let mut events: Vec<_> = loaded
            .into_iter()
            .flat_map(|stream| stream.events)
            .collect();
        events.sort_by_key(|event| event.position);
        events
    }
}

/// The options of a version's reader.
pub(crate) fn options(version: projections::Version) -> ReaderOptions {
    ReaderOptions::new(&version.to_string(), "test", Duration::from_secs(10))
}

/// An id for the event of a stream at a version.
fn derived(stream: Uuid, version: i64) -> EventId {
    EventId::from_uuid(Uuid::new_v5(&stream, &version.to_be_bytes()))
}

fn new_event(
    event_id: EventId,
    encoded: Encoded,
    actor: Actor,
    on_behalf_of: Option<Actor>,
) -> NewEvent {
    NewEvent {
        event_id,
        event_type: encoded.event_type,
        event_version: encoded.event_version,
        payload: encoded.payload,
        metadata: Metadata {
            actor: Some(actor),
            on_behalf_of,
            correlation_id: event_id.as_uuid(),
            causation_id: None,
            traceparent: None,
            idempotency_key: None,
        },
    }
}
