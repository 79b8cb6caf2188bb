//! Nothing is dropped without a word: members that are not read are named in the answer, or refused
//! where the client asks for that.

use axum::http::HeaderName;
use serde_json::{Value, json};

use crate::people::{COMMISSIONER, OAK};
use crate::scene::{Scene, offer, request};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// An offer with one letter missing, and a member of its own.
fn misspelt() -> Value {
    let mut offer = offer();
    let stage = &mut offer["stages"][1];
    stage["requireApproval"] = json!(true);
    offer["a/b"] = json!({"requestRevision": 7});
    offer
}

#[tokio::test]
async fn members_that_are_not_read_are_named_also_in_a_repeated_answer() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let put = || {
        order
            .put("offers", OAK)
            .header(IDEMPOTENCY_KEY, "one")
            .json(&misspelt())
    };
    let first = put().expect_done().await;
    assert_eq!(
        first.body["ignored"],
        json!(["/a~1b", "/stages/1/requireApproval"])
    );
    let again = put().expect_done().await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.body, first.body);
    let reply = order
        .edit(&json!({"title": "Elm table"}))
        .expect_done()
        .await;
    assert_eq!(reply.body.get("ignored"), None);
}

#[tokio::test]
async fn who_asks_for_strictness_has_them_refused_all_at_once_and_nothing_is_done() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let call = order.put("offers", OAK).header(PREFER, "handling=strict");
    let refused = call.json(&misspelt()).send().await;
    assert_eq!(refused.outcome(), "422 VALIDATION_FAILED");
    assert_eq!(
        refused.body["errors"],
        json!([
            {
                "pointer": "/a~1b",
                "detail": "is not read here; these are: budget, deadline, description, stages, \
                           requestRevision",
            },
            {
                "pointer": "/stages/1/requireApproval",
                "detail": "is not read here; requiresApproval may be meant",
            },
        ])
    );
    assert_eq!(order.stream().await.events.len(), 1);
    let call = scene.api.post("/v1/orders").by(COMMISSIONER);
    let strict = call.header(PREFER, "wait=5, handling=strict");
    let placed = strict.json(&request(&[OAK])).send().await;
    assert_eq!(placed.status, 201, "{placed:?}");
}

#[tokio::test]
async fn a_patch_with_nothing_known_in_it_says_so() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let reply = order.edit(&json!({"titel": "Elm table"})).send().await;
    assert_eq!(reply.outcome(), "409 NOTHING_TO_CHANGE");
    assert_eq!(
        reply.body["detail"],
        "nothing in the body is read here: title, brief, budget and deadline are"
    );
}

#[tokio::test]
async fn who_wants_to_read_is_told_where() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let path = format!("/v1/orders/{}", order.id);
    for (path, outcome) in [
        (path.as_str(), "404 NOT_FOUND"),
        ("/v1/orders", "405 METHOD_NOT_ALLOWED"),
    ] {
        let reply = scene.api.call("GET", path).by(COMMISSIONER).send().await;
        assert_eq!(reply.outcome(), outcome);
        let detail = reply.body["detail"].as_str().unwrap();
        assert!(detail.contains("query API"), "{detail}");
    }
}
