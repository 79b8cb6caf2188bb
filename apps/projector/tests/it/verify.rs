//! `projector store verify`.

use std::time::Duration;

use event_store::{Append, NewEvent, Reader, ReaderOptions, StreamId, Version, append};
use kernel::{Actor, EventId, Metadata, Role, WorkshopId};
use order_domain::value::WorkshopName;
use order_domain::workshop::{WorkshopEvent, WorkshopFact, stored};
use projections::Model;
use serde_json::json;
use test_support::TestDatabase;
use uuid::Uuid;

use crate::program::projector;

/// A directory of three workshops, followed to its end.
async fn directory() -> TestDatabase {
    let database = TestDatabase::create().await;
    for number in 1..=3 {
        register(&database, number).await;
    }
    let version = projections::Version {
        model: Model::Workshops,
        version: 1,
    };
    let options = ReaderOptions::new("workshops@1", "test", Duration::from_secs(10));
    let reader = Reader::new(version.connect(database.options("atlas_app")), options);
    reader
        .catch_up(&mut *Model::Workshops.sink())
        .await
        .unwrap();
    database
}

async fn register(database: &TestDatabase, number: u128) {
    let workshop_id = WorkshopId::from_uuid(Uuid::from_u128(number));
    let encoded = stored::encode(&WorkshopEvent {
        workshop_id,
        occurred_at: "2027-01-01T00:00:00Z".parse().unwrap(),
        fact: WorkshopFact::WorkshopRegistered {
            name: WorkshopName::parse("Oak").unwrap(),
            accepts_commissions: true,
        },
    });
    let event = NewEvent {
        event_id: EventId::from_uuid(Uuid::from_u128(number << 64)),
        event_type: encoded.event_type,
        event_version: encoded.event_version,
        payload: encoded.payload,
        metadata: Metadata {
            actor: Some(Actor::new(Role::Operator, Uuid::from_u128(1))),
            on_behalf_of: None,
            correlation_id: Uuid::from_u128(7),
            causation_id: None,
            traceparent: None,
            idempotency_key: None,
        },
    };
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    let one = Append::to(StreamId::workshop(workshop_id), Version::NONE, vec![event]);
    append(&mut connection, &one).await.unwrap();
}

async fn as_owner(database: &TestDatabase, statement: &str) {
    let owner = database.pool_owner().await;
    sqlx::raw_sql(statement).execute(&owner).await.unwrap();
}

#[tokio::test]
async fn what_is_right_ends_with_0_and_says_how_much_was_looked_at() {
    let database = directory().await;
    let said = projector(&database.url_app(), &["store", "verify", "--rows"]);
    assert_eq!(said.code, 0, "{said:?}");
    let expected = "1 checkpoints, 3 events, rows of 3 streams: everything is as it should be";
    assert!(said.stderr.contains(expected), "{said:?}");
    assert!(said.stdout.starts_with("READER"), "{said:?}");
}

#[tokio::test]
async fn what_is_wrong_ends_with_1_and_is_named() {
    let database = directory().await;
    register(&database, 4).await;
    as_owner(
        &database,
        "UPDATE store.checkpoints SET position = 4;
         UPDATE \"workshops@1\".workshops SET name = 'Elm'
         WHERE workshop_id = '00000000-0000-0000-0000-000000000002'",
    )
    .await;
    let arguments = ["store", "verify", "--rows", "--format", "json"];
    let said = projector(&database.url_app(), &arguments);
    assert_eq!(said.code, 1, "{said:?}");
    let found = said.json();
    let checkpoint = &found["checkpoints"][0];
    assert_eq!(
        (&checkpoint["missing"], &checkpoint["sameDigest"]),
        (&json!(1), &json!(false))
    );
    let skipped = "workshop/00000000-0000-0000-0000-000000000004";
    assert_eq!(checkpoint["skipped"]["stream"], skipped);
    let rows: Vec<_> = found["rows"].as_array().unwrap().iter().collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["field"], "name");
    assert_eq!(rows[0]["what"], r#"name is "Elm", not "Oak""#);
    assert_eq!(
        (&rows[1]["stream"], &rows[1]["what"]),
        (&json!(skipped), &json!("the row is missing"))
    );
    let told = "1 checkpoints do not hold, 0 streams have holes, 2 differences in rows";
    assert!(said.stderr.contains(told), "{said:?}");

    as_owner(&database, "DELETE FROM store.events WHERE position = 1").await;
    register(&database, 5).await;
    as_owner(
        &database,
        "UPDATE store.events SET sequence = 3 WHERE position = 5",
    )
    .await;
    let said = projector(&database.url_app(), &["store", "verify"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stdout.contains("BROKEN STREAM"), "{said:?}");
    assert!(said.stderr.contains("1 streams have holes"), "{said:?}");
}
