//! Of several things that are wrong, the first in the documented order answers.

use chrono::TimeDelta;
use serde_json::json;

use crate::people::{ANALYST, ASH, COMMISSIONER, ELM, OAK, OPERATOR, STRANGER};
use crate::scene::{Scene, offer, request};

const LARGE: usize = 256 * 1024 + 1;

fn late_offer() -> serde_json::Value {
    let mut body = offer();
    body["deadline"] = "2026-11-25T12:00:00Z".into();
    body
}

#[tokio::test]
async fn a_route_is_looked_for_before_a_token() {
    let scene = Scene::set().await;
    assert_eq!(scene.api.post("/v1/nothing").send().await.status, 404);
    assert_eq!(scene.api.put("/v1/orders").send().await.status, 405);
}

#[tokio::test]
async fn a_token_is_asked_for_before_anything_is_read() {
    let scene = Scene::set().await;
    let reply = scene
        .api
        .post("/v1/orders")
        .raw("{")
        .if_match("odd")
        .send()
        .await;
    assert_eq!(reply.outcome(), "401 UNAUTHENTICATED");
    assert_eq!(
        reply.header("www-authenticate"),
        Some("Bearer realm=\"artisan-atlas\"")
    );
    let call = scene
        .api
        .post("/v1/orders")
        .header(axum::http::header::AUTHORIZATION, "Bearer x");
    let reply = call.send().await;
    assert_eq!(reply.outcome(), "401 UNAUTHENTICATED");
    let challenge = reply.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
}

#[tokio::test]
async fn a_role_that_can_never_use_the_route_is_refused_before_the_body() {
    let scene = Scene::set().await;
    let reply = scene
        .api
        .post("/v1/orders")
        .by(OPERATOR)
        .raw(vec![b' '; LARGE])
        .send()
        .await;
    assert_eq!(reply.outcome(), "403 FORBIDDEN");
}

#[tokio::test]
async fn a_body_too_large_comes_before_its_type_and_a_malformed_path() {
    let scene = Scene::set().await;
    let large = scene.api.post("/v1/orders/x/accept").by(COMMISSIONER);
    let reply = large.undeclared(vec![b' '; LARGE]).send().await;
    assert_eq!(reply.outcome(), "413 PAYLOAD_TOO_LARGE");
    let undeclared = scene.api.post("/v1/orders/x/accept").by(COMMISSIONER);
    let reply = undeclared.key("").undeclared("{").send().await;
    assert_eq!(reply.outcome(), "415 UNSUPPORTED_MEDIA_TYPE");
}

#[tokio::test]
async fn a_malformed_header_comes_before_illegal_values() {
    let scene = Scene::set().await;
    let call = scene.api.post("/v1/orders").by(COMMISSIONER).key("a b");
    assert_eq!(
        call.json(&json!({})).send().await.outcome(),
        "400 MALFORMED_REQUEST"
    );
}

#[tokio::test]
async fn illegal_values_come_before_the_keys_answer() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    order
        .put("offers", OAK)
        .key("k")
        .json(&offer())
        .expect_done()
        .await;
    let reply = order
        .put("offers", OAK)
        .key("k")
        .json(&json!({}))
        .send()
        .await;
    assert_eq!(reply.outcome(), "422 VALIDATION_FAILED");
}

#[tokio::test]
async fn a_reused_key_comes_before_a_passed_deadline() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    order
        .put("offers", OAK)
        .key("k")
        .json(&offer())
        .expect_done()
        .await;
    let reply = order
        .put("offers", OAK)
        .key("k")
        .json(&late_offer())
        .send()
        .await;
    assert_eq!(reply.outcome(), "422 IDEMPOTENCY_KEY_REUSED");
}

#[tokio::test]
async fn a_passed_deadline_comes_before_not_found_and_forbidden() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let path = format!("/v1/orders/{}/offers/{}", order.id, OAK.id);
    for who in [ASH, ELM, OAK] {
        let late = scene.api.put(path.as_str()).by(who).json(&late_offer());
        let reply = late.if_match("\"9\"").send().await;
        assert_eq!(reply.outcome(), "422 VALIDATION_FAILED", "{who}");
        assert_eq!(
            reply.problem()["errors"],
            json!([{"pointer": "/deadline", "detail": "must be later than now"}])
        );
    }
    let nowhere = format!("/v1/orders/{}/offers/{}", uuid::Uuid::from_u128(9), OAK.id);
    let reply = scene
        .api
        .put(nowhere)
        .by(OAK)
        .json(&late_offer())
        .send()
        .await;
    assert_eq!(reply.outcome(), "422 VALIDATION_FAILED");
}

#[tokio::test]
async fn a_passed_deadline_comes_before_unknown_workshops() {
    let scene = Scene::set().await;
    scene.clock.advance(TimeDelta::days(365));
    let place = scene.api.post("/v1/orders").by(COMMISSIONER);
    let reply = place
        .json(&request(&[crate::people::workshop(9)]))
        .send()
        .await;
    assert_eq!(reply.outcome(), "422 VALIDATION_FAILED");
}

#[tokio::test]
async fn the_state_comes_before_the_commands_own_reasons() {
    let scene = Scene::set().await;
    let order = scene.cancelled().await;
    // Its offer does not stand either.
    assert_eq!(
        order.confirm(OAK).send().await.outcome(),
        "409 ILLEGAL_TRANSITION"
    );
    // Strangers and analysts learn nothing of that.
    let confirm = || order.post(&format!("offers/{}/confirm", OAK.id));
    assert_eq!(
        confirm().by(STRANGER).send().await.outcome(),
        "404 NOT_FOUND"
    );
    assert_eq!(
        confirm().by(ANALYST).send().await.outcome(),
        "403 FORBIDDEN"
    );
}
