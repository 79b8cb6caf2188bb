//! Many who answer one order at once.

use std::time::Duration;

use event_store::StreamId;
use futures::future::join_all;
use futures::stream::{FuturesUnordered, StreamExt};
use kernel::Actor;

use crate::api::Api;
use crate::people::{COMMISSIONER, ELM, OAK, workshop};
use crate::scene::{PlacedOrder, Scene, offer};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_workshops_answer_at_once_through_two_instances() {
    let scene = Scene::set().await;
    let workshops: Vec<_> = (1..=20).map(workshop).collect();
    for workshop in &workshops {
        scene.register(*workshop).await;
    }
    let apis = [scene.api.clone(), scene.instance(Duration::from_secs(10))];
    for _ in 0..5 {
        let order = scene.placed_for(&workshops).await;
        answer_at_once(&order, &workshops, &apis).await;
    }
}

/// Each workshop submits its offer, all at once, and all succeed.
async fn answer_at_once(order: &PlacedOrder<'_>, workshops: &[Actor], apis: &[Api]) {
    let calls = workshops.iter().zip(apis.iter().cycle());
    let calls = calls.map(|(workshop, api)| {
        let path = format!("/v1/orders/{}/offers/{}", order.id, workshop.id);
        tokio::spawn(api.put(path).by(*workshop).json(&offer()).send())
    });
    let mut versions: Vec<_> = join_all(calls)
        .await
        .into_iter()
        .map(|reply| reply.unwrap().accepted().0)
        .collect();

    // Each answer is an event; the last brings the fact that closes the round.
    versions.sort_unstable();
    let expected: Vec<_> = (2..=20).chain([22]).collect();
    assert_eq!(versions, expected);
    let names = order.event_names().await;
    assert_eq!(names.last().unwrap(), "AllResponsesReceived");
    assert_eq!(names.iter().filter(|n| *n == "OfferSubmitted").count(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_confirmations_at_once_one_wins() {
    let scene = Scene::set().await;
    let other = scene.instance(Duration::from_secs(10));
    for _ in 0..10 {
        let order = scene.offered().await;
        order.put("offers", ELM).json(&offer()).expect_done().await;
        let path = |who: Actor| format!("/v1/orders/{}/offers/{}/confirm", order.id, who.id);
        let (oak, elm) = tokio::join!(
            scene.api.post(path(OAK)).by(COMMISSIONER).send(),
            other.post(path(ELM)).by(COMMISSIONER).send(),
        );
        let mut outcomes = [oak.outcome(), elm.outcome()];
        outcomes.sort();
        assert_eq!(outcomes, ["200", "409 ILLEGAL_TRANSITION"]);
        let names = order.event_names().await;
        assert_eq!(names.iter().filter(|n| *n == "OfferConfirmed").count(), 1);
    }
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let owner = scene.database.pool_owner().await;
    let mut lock = owner.begin().await.unwrap();
    sqlx::query!("LOCK TABLE store.events IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();

    // One is at it, 63 wait; the others find no place.
    let mut calls: FuturesUnordered<_> = (0..70)
        .map(|_| order.post("accept").by(COMMISSIONER).send())
        .collect();
    for _ in 0..6 {
        let reply = calls.next().await.unwrap();
        assert_eq!(reply.outcome(), "503 OVERLOADED");
        let problem = reply.problem();
        assert_eq!(
            (&problem["outcome"], &problem["retryable"]),
            (&"none".into(), &true.into())
        );
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    lock.rollback().await.unwrap();
    while let Some(reply) = calls.next().await {
        assert_eq!(reply.outcome(), "409 ILLEGAL_TRANSITION");
    }
    assert_eq!(order.stream().await.id.kind(), StreamId::ORDER);
}
