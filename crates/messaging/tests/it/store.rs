//! A store with events that mean nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use event_store::{Append, NewEvent, Position, StreamId, Version, append};
use kernel::{EventId, Metadata, OrderId};
use serde_json::json;
use sqlx::PgPool;
use test_support::{TestDatabase, eventually};
use uuid::Uuid;

/// A database, and the events that were appended to it by key.
pub(crate) struct Store {
    pub(crate) database: TestDatabase,
    pub(crate) pool: PgPool,
    pub(crate) appended: BTreeMap<String, Vec<String>>,
    next: u128,
}

impl Store {
    pub(crate) async fn empty() -> Self {
        let database = TestDatabase::create().await;
        let pool = database.pool_app().await;
        Self {
            database,
            pool,
            appended: BTreeMap::new(),
            next: 1,
        }
    }

    /// Appends `count` events to each of `streams` streams, a few to each in turn.
    pub(crate) async fn append(&mut self, streams: u128, count: usize) {
        const A_FEW: usize = 10;
        for done in (0..count).step_by(A_FEW) {
            for stream in 0..streams {
                self.append_to(stream, A_FEW.min(count - done)).await;
            }
        }
    }

    async fn append_to(&mut self, stream: u128, count: usize) {
        let stream = StreamId::order(OrderId::from_uuid(Uuid::from_u128(stream)));
        let told = self.appended.entry(stream.key().to_owned()).or_default();
        let version = i64::try_from(told.len()).unwrap();
        let mut events = Vec::new();
        for _ in 0..count {
            let event_id = EventId::from_uuid(Uuid::from_u128(self.next << 64));
            self.next += 1;
            told.push(event_id.to_string());
            events.push(happened(event_id));
        }
        let mut connection = self.pool.acquire().await.unwrap();
        let one = Append::to(stream, Version::new(version), events);
        append(&mut connection, &one).await.unwrap();
    }

    /// The position of the last event.
    pub(crate) async fn last_position(&self) -> Position {
        let last: Option<i64> = sqlx::query_scalar("SELECT max(position) FROM store.events")
            .fetch_one(&self.pool)
            .await
            .unwrap();
        Position::new(last.unwrap_or_default())
    }

    /// The streams that the relay has parked, and from which version on.
    pub(crate) async fn parked(&self) -> Vec<(String, i64)> {
        sqlx::query_as(
            "SELECT aggregate_id, sequence FROM store.parked WHERE reader = 'relay' ORDER BY 1",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }

    /// Waits until these streams are parked, and no others.
    pub(crate) async fn parks(&self, expected: &[(String, i64)]) {
        eventually("the parked streams", Duration::from_secs(30), || async {
            let parked = self.parked().await;
            if parked == expected {
                Ok(())
            } else {
                Err(format!("{parked:?}"))
            }
        })
        .await;
    }

    /// Why the one parked stream waits.
    pub(crate) async fn reason(&self) -> String {
        sqlx::query_scalar("SELECT reason FROM store.parked WHERE reader = 'relay'")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Where the relay's checkpoint is.
    pub(crate) async fn checkpoint(&self) -> Position {
        let position: Option<i64> =
            sqlx::query_scalar("SELECT position FROM store.checkpoints WHERE name = 'relay'")
                .fetch_optional(&self.pool)
                .await
                .unwrap();
        Position::new(position.unwrap_or_default())
    }

    /// Waits until the relay's checkpoint is at `position`.
    pub(crate) async fn relayed_to(&self, position: Position) {
        eventually(
            "the relay's checkpoint",
            Duration::from_secs(30),
            || async {
                let now = self.checkpoint().await;
                if now == position { Ok(()) } else { Err(now) }
            },
        )
        .await;
    }
}

fn happened(event_id: EventId) -> NewEvent {
    NewEvent {
        event_id,
        event_type: "Happened",
        event_version: "1.0",
        payload: json!({}),
        metadata: Metadata {
            actor: None,
            on_behalf_of: None,
            correlation_id: Uuid::from_u128(1),
            causation_id: None,
            traceparent: None,
            idempotency_key: None,
        },
    }
}
