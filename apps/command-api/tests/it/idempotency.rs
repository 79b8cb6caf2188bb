//! `Idempotency-Key`: one effect, and one answer, however often the request comes.

use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::json;

use crate::api::Reply;
use crate::people::{COMMISSIONER, ELM, OAK, OPERATOR, STRANGER};
use crate::scene::{Scene, offer, request};

/// Insists that `again` repeats `first` in all that is promised.
#[track_caller]
fn repeats(again: &Reply, first: &Reply) {
    assert_eq!(
        again.header("idempotency-replayed"),
        Some("true"),
        "{again:?}"
    );
    assert_eq!(again.status, first.status);
    assert_eq!(again.body, first.body);
    for name in ["etag", "location", "content-type"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
}

#[tokio::test]
async fn a_placed_order_is_placed_once() {
    let scene = Scene::set().await;
    let place = || {
        let call = scene.api.post("/v1/orders").by(COMMISSIONER).key("place-1");
        call.json(&request(&[OAK, ELM]))
    };
    let first = place().send().await;
    assert_eq!(first.status, 201);
    assert_eq!(first.header("idempotency-replayed"), None);
    repeats(&place().send().await, &first);
}

#[tokio::test]
async fn duplicates_that_arrive_at_once_get_one_answer() {
    let scene = Scene::set().await;
    let apis = [scene.api.clone(), scene.instance(Duration::from_secs(10))];
    let body = request(&[OAK, ELM]);
    let calls = (0..12).zip(apis.iter().cycle()).map(|(_, api)| {
        let call = api.post("/v1/orders").by(COMMISSIONER).key("place-1");
        call.json(&body).send()
    });
    let replies = join_all(calls).await;
    let (fresh, repeated): (Vec<_>, Vec<_>) = replies
        .iter()
        .partition(|reply| reply.header("idempotency-replayed").is_none());
    assert_eq!(fresh.len(), 1, "{replies:?}");
    for again in repeated {
        repeats(again, fresh[0]);
    }
}

#[tokio::test]
async fn duplicates_of_a_command_on_one_order_get_one_answer() {
    let scene = Scene::set().await;
    let order = scene.offered().await;
    let other = scene.instance(Duration::from_secs(10));
    let path = format!("/v1/orders/{}/offers/{}/confirm", order.id, OAK.id);
    let apis = [&scene.api, &other];
    let calls = (0..12).zip(apis.iter().cycle()).map(|(_, api)| {
        let call = api.post(path.as_str()).by(COMMISSIONER).key("confirm-1");
        call.send()
    });
    let replies = join_all(calls).await;
    for reply in &replies {
        assert_eq!(reply.accepted(), (3, "inProgress".to_owned()));
    }
    let fresh = |reply: &&Reply| reply.header("idempotency-replayed").is_none();
    assert_eq!(replies.iter().filter(fresh).count(), 1);
    assert_eq!(order.event_names().await.len(), 3);
}

#[tokio::test]
async fn a_repeat_is_answered_as_before_after_the_order_moved_on() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let submit = || order.put("offers", OAK).key("offer-1").json(&offer());
    let first = submit().send().await;
    assert_eq!(first.accepted(), (2, "negotiating".to_owned()));
    order.confirm(OAK).expect_done().await;
    order.cancel().by(COMMISSIONER).expect_done().await;
    repeats(&submit().send().await, &first);
    assert_eq!(order.event_names().await.len(), 4);
}

#[tokio::test]
async fn a_repeat_wins_over_if_match() {
    let scene = Scene::set().await;
    let order = scene.offered().await;
    let confirm = || order.confirm(OAK).key("confirm-1").if_match("\"2\"");
    let first = confirm().send().await;
    assert_eq!(first.accepted(), (3, "inProgress".to_owned()));
    repeats(&confirm().send().await, &first);
    let fresh = order.confirm(OAK).key("confirm-2").if_match("\"2\"");
    assert_eq!(fresh.send().await.outcome(), "412 VERSION_MISMATCH");
}

#[tokio::test]
async fn a_repeat_wins_over_a_deadline_that_has_passed_since() {
    let scene = Scene::set().await;
    let place = |key| {
        let call = scene.api.post("/v1/orders").by(COMMISSIONER).key(key);
        call.json(&request(&[OAK]))
    };
    let first = place("place-1").send().await;
    scene.clock.advance(TimeDelta::days(365));
    repeats(&place("place-1").send().await, &first);
    assert_eq!(
        place("place-2").send().await.outcome(),
        "422 VALIDATION_FAILED"
    );
}

#[tokio::test]
async fn a_key_serves_one_request_alone() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let first = order.put("offers", OAK).key("k").json(&offer());
    first.expect_done().await;

    let mut other = offer();
    other["description"] = "Solid elm.".into();
    let reply = order.put("offers", OAK).key("k").json(&other).send().await;
    assert_eq!(reply.outcome(), "422 IDEMPOTENCY_KEY_REUSED");
    assert_eq!(reply.problem().get("errors"), None);
    // The raw body counts: the same values in other words are another request.
    let spaced = order
        .put("offers", OAK)
        .key("k")
        .raw(format!(" {}", offer()));
    assert_eq!(spaced.send().await.outcome(), "422 IDEMPOTENCY_KEY_REUSED");
    // So do method and path.
    let elsewhere = scene.placed().await;
    let reply = elsewhere
        .put("offers", OAK)
        .key("k")
        .json(&offer())
        .send()
        .await;
    assert_eq!(reply.outcome(), "422 IDEMPOTENCY_KEY_REUSED");
}

#[tokio::test]
async fn keys_belong_to_a_principal() {
    let scene = Scene::set().await;
    let mut ids = Vec::new();
    for commissioner in [COMMISSIONER, STRANGER] {
        let call = scene.api.post("/v1/orders").by(commissioner).key("k");
        let reply = call.json(&request(&[OAK])).expect_done().await;
        assert_eq!(reply.header("idempotency-replayed"), None);
        ids.push(reply.body["orderId"].clone());
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_refused_command_is_decided_again() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let confirm = || order.confirm(OAK).key("confirm-1");
    assert_eq!(confirm().send().await.outcome(), "409 OFFER_NOT_STANDING");
    order.put("offers", OAK).json(&offer()).expect_done().await;
    let reply = confirm().send().await;
    assert_eq!(reply.accepted(), (3, "inProgress".to_owned()));
    assert_eq!(reply.header("idempotency-replayed"), None);
}

#[tokio::test]
async fn an_empty_body_is_an_empty_object() {
    let scene = Scene::set().await;
    let order = scene.offered().await;
    let first = order.confirm(OAK).key("k").send().await;
    let again = order.confirm(OAK).key("k").json(&json!({})).send().await;
    repeats(&again, &first);
}

#[tokio::test]
async fn a_repeat_is_for_the_one_who_gave_the_command() {
    let scene = Scene::set().await;
    let order = scene.offered().await;
    order.confirm(OAK).key("k").expect_done().await;
    // An operator's key of the same name is another key.
    let operator = order
        .post(&format!("offers/{}/confirm", OAK.id))
        .by(OPERATOR);
    assert_eq!(
        operator.key("k").send().await.outcome(),
        "409 ILLEGAL_TRANSITION"
    );
}

#[tokio::test]
async fn a_key_is_one_header_of_visible_ascii() {
    let scene = Scene::set().await;
    let order = scene.offered().await;
    let longest = "k".repeat(255);
    let too_long = "k".repeat(256);
    for key in ["", "a b", "\u{e9}", too_long.as_str()] {
        let reply = order.confirm(OAK).key(key).send().await;
        assert_eq!(reply.outcome(), "400 MALFORMED_REQUEST", "{key:?}");
    }
    let twice = order.confirm(OAK).key("a").key("b").send().await;
    assert_eq!(twice.outcome(), "400 MALFORMED_REQUEST");
    order.confirm(OAK).key(&longest).expect_done().await;
}
