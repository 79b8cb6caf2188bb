//! What a command answers when the store is slow, away, or newer than this release.

use std::time::Duration;

use event_store::{Append, NewEvent, Version, append};
use kernel::{EventId, IdSource, Metadata, RandomIds};
use serde_json::json;
use test_support::eventually;

use crate::api::{Api, HandClock};
use crate::people::{COMMISSIONER, OAK};
use crate::scene::{Scene, offer, request};

const SHORT: Duration = Duration::from_millis(400);

#[tokio::test]
async fn a_command_that_cannot_load_in_time_changed_nothing() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let hasty = scene.instance(SHORT);
    let owner = scene.database.pool_owner().await;
    let mut lock = owner.begin().await.unwrap();
    sqlx::query!("LOCK TABLE store.events IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let path = format!("/v1/orders/{}/offers/{}", order.id, OAK.id);
    let reply = hasty.put(path).by(OAK).json(&offer()).send().await;
    assert_eq!(reply.outcome(), "504 TIMEOUT");
    let problem = reply.problem();
    assert_eq!(
        (&problem["outcome"], &problem["retryable"]),
        (&"none".into(), &true.into())
    );
    lock.rollback().await.unwrap();
    assert_eq!(order.event_names().await, ["OrderPlaced"]);
}

#[tokio::test]
async fn a_command_whose_append_hangs_may_still_be_carried_out() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let hasty = scene.instance(SHORT);
    let owner = scene.database.pool_owner().await;
    let mut lock = owner.begin().await.unwrap();
    // Readers pass, writers wait.
    sqlx::query!("LOCK TABLE store.events IN SHARE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let path = format!("/v1/orders/{}/offers/{}", order.id, OAK.id);
    let submit = || {
        hasty
            .put(path.as_str())
            .by(OAK)
            .key("offer-1")
            .json(&offer())
    };
    let reply = submit().send().await;
    assert_eq!(reply.outcome(), "504 TIMEOUT");
    assert_eq!(reply.problem()["outcome"], "unknown");
    lock.rollback().await.unwrap();

    // It was, and the key tells.
    let names = eventually("the offer", Duration::from_secs(10), || async {
        let names = order.event_names().await;
        if names.len() == 2 {
            Ok(names)
        } else {
            Err(format!("{names:?}"))
        }
    })
    .await;
    assert_eq!(names, ["OrderPlaced", "OfferSubmitted"]);
    let again = submit().send().await;
    assert_eq!(again.accepted(), (2, "negotiating".to_owned()));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
}

#[tokio::test]
async fn a_store_that_is_away_is_said_to_be() {
    let nowhere = "postgres://atlas_app@127.0.0.1:1/atlas";
    let api = Api::start(nowhere, HandClock::at_noon(), Duration::from_secs(10));
    let call = api.post("/v1/orders").by(COMMISSIONER);
    let reply = call.json(&request(&[OAK])).send().await;
    assert_eq!(reply.outcome(), "503 STORE_UNAVAILABLE");
    assert_eq!(reply.header("retry-after"), Some("1"));
    insta::assert_json_snapshot!("store_unavailable", reply.problem());
}

#[tokio::test]
async fn an_order_with_an_unknown_event_takes_no_commands() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let stream = order.stream().await;
    let gilded = NewEvent {
        event_id: EventId::from_uuid(RandomIds.next()),
        event_type: "OrderGilded",
        event_version: "1.0",
        payload: json!({"event": "OrderGilded"}),
        metadata: Metadata {
            actor: None,
            on_behalf_of: None,
            correlation_id: RandomIds.next(),
            causation_id: None,
            traceparent: None,
            idempotency_key: None,
        },
    };
    let pool = scene.database.pool_app().await;
    let mut connection = pool.acquire().await.unwrap();
    append(
        &mut connection,
        &Append::to(stream.id, Version::new(1), vec![gilded]),
    )
    .await
    .unwrap();

    let reply = order.put("offers", OAK).json(&offer()).send().await;
    assert_eq!(reply.outcome(), "503 UNREADABLE_EVENT");
    let mut problem = reply.problem();
    problem["instance"] = "(path)".into();
    insta::assert_json_snapshot!("unreadable_event", problem);
    // Others are as before.
    let other = scene.placed().await;
    other.put("offers", OAK).json(&offer()).expect_done().await;
}
