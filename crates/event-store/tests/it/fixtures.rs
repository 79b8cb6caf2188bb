//! Small events and streams for the tests of this crate.

use std::time::{Duration, Instant};

use event_store::{Append, Appended, Claim, Conditions, NewEvent, StoredAnswer, StreamId, Version};
use kernel::{EventId, IdSource as _, Metadata, RandomIds};
use serde_json::json;
use test_support::{TestDatabase, eventually};
use uuid::Uuid;

/// An event that says nothing but its number.
pub(crate) fn event(number: i64) -> NewEvent {
    NewEvent {
        event_id: EventId::from_uuid(RandomIds.next()),
        event_type: "Counted",
        event_version: "1.0",
        payload: json!({ "number": number }),
        metadata: Metadata {
            actor: None,
            on_behalf_of: None,
            correlation_id: Uuid::from_u128(7),
            causation_id: None,
            traceparent: None,
            idempotency_key: None,
        },
    }
}

/// A stream of the given name.
pub(crate) fn stream(name: &str) -> StreamId {
    StreamId::from_parts("counter", name.to_owned())
}

/// `count` events for `name` at version `expected`.
pub(crate) fn counted(name: &str, expected: i64, count: i64) -> Append {
    Append::to(
        stream(name),
        Version::new(expected),
        (1..=count).map(|n| event(expected + n)).collect(),
    )
}

/// A claim by one principal; `body` stands for the request.
pub(crate) fn claim(key: &str, body: u8) -> Claim {
    Claim {
        scope: "commissioner:1".to_owned(),
        key: key.to_owned(),
        fingerprint: [body; 32],
    }
}

/// The answer of an append that must have stored its events.
pub(crate) fn stored(appended: Appended) -> StoredAnswer {
    match appended {
        Appended::Now(answer) => answer,
        Appended::Before(_) | Appended::KeyReused => panic!("not stored: {appended:?}"),
    }
}

/// No key, no version, ten seconds of patience.
pub(crate) fn patient() -> Conditions {
    Conditions {
        claim: None,
        expected: None,
        deadline: Instant::now() + Duration::from_secs(10),
    }
}

const BOUND: Duration = Duration::from_secs(20);

/// Waits until a session of this database waits for a lock of another.
pub(crate) async fn until_blocked(database: &TestDatabase) {
    let pool = database.pool_app().await;
    eventually("a session that waits for a lock", BOUND, || async {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        if waiting > 0 {
            Ok(())
        } else {
            Err("nobody waits")
        }
    })
    .await;
}
