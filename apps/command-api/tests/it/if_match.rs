//! `If-Match`: one strong tag, and 412 for any other version than the order's.

use serde_json::json;

use crate::people::{COMMISSIONER, ELM, OAK, OPERATOR, STRANGER};
use crate::scene::{Scene, offer, request};

#[tokio::test]
async fn the_current_version_lets_a_command_pass() {
    let scene = Scene::set().await;
    let order = scene.offered().await;
    let reply = order.confirm(OAK).if_match("\"2\"").send().await;
    assert_eq!(reply.accepted(), (3, "inProgress".to_owned()));
}

#[tokio::test]
async fn another_version_is_412_and_says_the_current_one() {
    let scene = Scene::set().await;
    let order = scene.offered().await;
    for tag in ["\"1\"", "\"3\"", "\"0\""] {
        let reply = order.confirm(OAK).if_match(tag).send().await;
        assert_eq!(reply.outcome(), "412 VERSION_MISMATCH", "{tag}");
        let problem = reply.problem();
        assert_eq!(problem["currentVersion"], 2);
        assert_eq!(
            problem["detail"],
            "If-Match names another version than 2, where the order is now"
        );
        assert_eq!(problem["retryable"], false);
    }
    assert_eq!(order.event_names().await.len(), 2);
}

#[tokio::test]
async fn anything_but_one_strong_tag_is_malformed() {
    let scene = Scene::set().await;
    let order = scene.offered().await;
    for tag in [
        "2",
        "W/\"2\"",
        "\"2\", \"3\"",
        "*",
        "",
        "\"\"",
        "\"02\"",
        "\"+2\"",
        "\"two\"",
    ] {
        let reply = order.confirm(OAK).if_match(tag).send().await;
        assert_eq!(reply.outcome(), "400 MALFORMED_REQUEST", "{tag}");
    }
    let twice = order.confirm(OAK).if_match("\"2\"").if_match("\"2\"");
    assert_eq!(twice.send().await.outcome(), "400 MALFORMED_REQUEST");
    let weak = order.confirm(OAK).if_match("W/\"2\"").send().await;
    let detail = weak.problem()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("a gateway between us may have weakened it"),
        "{detail}"
    );
}

#[tokio::test]
async fn commands_without_a_version_to_match_refuse_it() {
    let scene = Scene::set().await;
    let place = scene.api.post("/v1/orders").by(COMMISSIONER);
    let reply = place.if_match("\"1\"").json(&request(&[OAK])).send().await;
    assert_eq!(reply.outcome(), "400 MALFORMED_REQUEST");
    let put = scene
        .api
        .put(format!("/v1/workshops/{}", OAK.id))
        .by(OPERATOR);
    let entry = json!({"name": "Oak", "acceptsCommissions": true});
    let reply = put.if_match("\"1\"").json(&entry).send().await;
    assert_eq!(reply.outcome(), "400 MALFORMED_REQUEST");
}

#[tokio::test]
async fn who_may_not_give_the_command_learns_no_version() {
    let scene = Scene::set().await;
    let order = scene.offered().await;
    let confirm = || {
        order
            .post(&format!("offers/{}/confirm", OAK.id))
            .if_match("\"9\"")
    };
    assert_eq!(
        confirm().by(STRANGER).send().await.outcome(),
        "404 NOT_FOUND"
    );
    let path = format!("/v1/orders/{}/offers/{}", order.id, OAK.id);
    let rival = scene.api.put(path).by(ELM).if_match("\"9\"").json(&offer());
    assert_eq!(rival.send().await.outcome(), "403 FORBIDDEN");
}

#[tokio::test]
async fn a_version_is_compared_before_the_state() {
    let scene = Scene::set().await;
    let order = scene.cancelled().await;
    let accept = || order.post("accept").by(COMMISSIONER);
    assert_eq!(
        accept().if_match("\"1\"").send().await.outcome(),
        "412 VERSION_MISMATCH"
    );
    assert_eq!(
        accept().if_match("\"2\"").send().await.outcome(),
        "409 ILLEGAL_TRANSITION"
    );
}
