//! Events of other releases, as readers of an order see them.

use crate::people::{ASH, COMMISSIONER, ELM, OPERATOR};
use crate::scene::Scene;
use crate::story::Story;

fn reads(story: &Story) -> [String; 3] {
    let order = format!("/v1/orders/{}", story.order_id);
    [
        order.clone(),
        format!("{order}/timeline"),
        format!("{order}/as-of?version=2"),
    ]
}

/// The offer came after the event that this release does not know.
#[tokio::test]
async fn an_order_with_an_unknown_event_is_not_told_and_others_are() {
    let scene = Scene::set().await;
    let mut story = Story::placed(&scene.pool, 1).await;
    story.gilded(&scene.pool).await;
    story.offered(&scene.pool).await;
    let other = Story::placed(&scene.pool, 2).await;
    scene.catch_up().await;

    for path in reads(&story) {
        for party in [COMMISSIONER, ELM, OPERATOR] {
            let reply = scene.api.get(&path).by(party).send().await;
            assert_eq!(reply.outcome(), "503 UNREADABLE_EVENT", "{path}");
            assert_eq!(reply.body["retryable"], true);
        }
        let reply = scene.api.get(&path).by(ASH).send().await;
        assert_eq!(reply.outcome(), "404 NOT_FOUND", "{path}");
    }
    let reply = scene.api.get(format!("/v1/orders/{}", other.order_id));
    assert_eq!(reply.by(COMMISSIONER).send().await.status, 200);
    let list = scene.api.get("/v1/orders").by(COMMISSIONER).send().await;
    let items = list.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(items[1]["version"], 1, "as it was last known");
    let lag: f64 = list.header("atlas-lag-seconds").unwrap().parse().unwrap();
    assert!(lag > 0.0, "what waits counts");
}

/// As an old release may find it beside a new projector: who sees everything is told its name, and
/// no workshop anything.
#[tokio::test]
async fn a_fact_that_a_newer_release_wrote_is_told_by_its_name() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    sqlx::query("UPDATE \"orders@1\".timeline SET event = 'OrderTeleported' WHERE version = 3")
        .execute(&scene.pool)
        .await
        .unwrap();
    let path = format!("/v1/orders/{order_id}/timeline");
    let reply = scene.api.get(&path).by(OPERATOR).send().await;
    assert_eq!(reply.body["items"][2]["event"], "OrderTeleported");
    assert_eq!(reply.body["items"][2]["summary"], "OrderTeleported.");
    let reply = scene.api.get(&path).by(ELM).send().await;
    assert_eq!(reply.status, 200);
    assert!(!reply.body.to_string().contains("OrderTeleported"));
}

/// `OrderCancelled` 1.0 does not say whether a dispute ended the order: there were none.
#[tokio::test]
async fn an_event_of_an_older_version_is_told_like_one_of_today() {
    let scene = Scene::set().await;
    let mut story = Story::placed(&scene.pool, 1).await;
    story.cancelled_long_ago(&scene.pool).await;
    scene.catch_up().await;
    let [detail, timeline, as_of] = reads(&story);
    for path in [detail, as_of] {
        let reply = scene.api.get(&path).by(ELM).send().await;
        assert_eq!(reply.body["state"], "cancelled", "{path} {reply:?}");
        assert_eq!(reply.body["invitations"][0]["status"], "notSelected");
    }
    let reply = scene.api.get(timeline).by(COMMISSIONER).send().await;
    let told = &reply.body["items"][1];
    assert_eq!(told["event"], "OrderCancelled");
    assert_eq!(told["data"]["byDispute"], false);
    assert_eq!(told["data"]["reason"], "Enough");
}
