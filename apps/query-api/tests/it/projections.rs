//! What operators are told of the readers: by their rows, in pages, and what holds them all up.

use std::time::Duration;

use event_store::{Append, StreamId, Version, append};
use serde_json::{Value, json};
use test_support::eventually;

use crate::people::OPERATOR;
use crate::scene::Scene;
use crate::story::Story;

async fn asked(scene: &Scene, path: &str) -> Value {
    let reply = scene.api.get(path).by(OPERATOR).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body
}

fn names(body: &Value) -> Vec<&str> {
    let items = body["items"].as_array().unwrap().iter();
    items.map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_reader_has_its_row_and_what_it_has_parked() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    let owner = scene.owner().await;
    sqlx::raw_sql(
        "INSERT INTO store.checkpoints (name, generation, state, reason)
         VALUES ('orders@2', 1, 'halted', 'of another shape'), ('verification', 1, 'idle', NULL);
         INSERT INTO store.parked (reader, aggregate_type, aggregate_id, sequence, event_id,
                                   position, event, reason, recorded_at)
         SELECT 'orders@1', aggregate_type, aggregate_id, sequence, event_id, position,
                'Odd 1.0', 'nobody knows it', recorded_at
         FROM store.events WHERE aggregate_type = 'order' AND sequence = 2",
    )
    .execute(&owner)
    .await
    .unwrap();
    let body = asked(&scene, "/v1/ops/projections").await;
    assert_eq!(
        names(&body),
        ["bonus@1", "orders@1", "orders@2", "workshops@1"]
    );
    assert_eq!(
        (&body["nextCursor"], &body["stall"]),
        (&json!(null), &json!(null))
    );

    let first = &body["items"][1];
    assert_eq!(
        (&first["served"], &first["state"]),
        (&json!(true), &json!("idle"))
    );
    assert_eq!(
        (&first["lagEvents"], &first["parkedStreams"]),
        (&json!(0), &json!(1))
    );
    assert!(first["lagSeconds"].as_f64().unwrap() > 0.0, "{first}");
    assert_eq!(first["parked"][0]["stream"], format!("order/{order_id}"));
    assert_eq!(first["parked"][0]["event"], "Odd 1.0");

    let second = &body["items"][2];
    assert_eq!(
        (&second["served"], &second["state"]),
        (&json!(false), &json!("halted"))
    );
    assert_eq!(second["reason"], "of another shape");
    assert!(second["lagEvents"].as_i64().unwrap() > 0, "{second}");

    let page = asked(&scene, "/v1/ops/projections?limit=3").await;
    assert_eq!(names(&page), ["bonus@1", "orders@1", "orders@2"]);
    let cursor = page["nextCursor"].as_str().unwrap();
    let rest = asked(
        &scene,
        &format!("/v1/ops/projections?limit=3&cursor={cursor}"),
    )
    .await;
    assert_eq!(
        (names(&rest), &rest["nextCursor"]),
        (vec!["workshops@1"], &json!(null))
    );
}

#[tokio::test]
async fn an_append_that_holds_the_watermark_is_named_after_a_second() {
    let scene = Scene::set().await;
    Story::placed(&scene.pool, 1).await;
    let mut transaction = scene.pool.begin().await.unwrap();
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
    let stream = StreamId::from_parts("counter", "slow");
    let event = event_store::NewEvent {
        event_id: kernel::EventId::from_uuid(uuid::Uuid::from_u128(1)),
        event_type: "Counted",
        event_version: "1.0",
        payload: json!({}),
        metadata: kernel::Metadata {
            actor: None,
            on_behalf_of: None,
            correlation_id: uuid::Uuid::from_u128(7),
            causation_id: None,
            traceparent: None,
            idempotency_key: None,
        },
    };
    let slow = Append::to(stream, Version::NONE, vec![event]);
    append(&mut transaction, &slow).await.unwrap();
    let body = eventually("the stall", Duration::from_secs(10), || async {
        let body = asked(&scene, "/v1/ops/projections").await;
        if body["stall"].is_null() {
            Err("none")
        } else {
            Ok(body)
        }
    })
    .await;
    let stall = &body["stall"];
    assert_eq!(stall["pid"], pid);
    assert!(stall["ageSeconds"].as_f64().unwrap() >= 1.0, "{stall}");
    assert!(
        stall["query"].as_str().unwrap().contains("store.append"),
        "{stall}"
    );

    transaction.rollback().await.unwrap();
    assert!(asked(&scene, "/v1/ops/projections").await["stall"].is_null());
}
