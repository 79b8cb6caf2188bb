//! An order as it was, over HTTP.

use serde_json::{Value, json};

use crate::api::Reply;
use crate::people::{ANALYST, ASH, COMMISSIONER, ELM, OAK, OPERATOR, STRANGER};
use crate::scene::Scene;

async fn read(scene: &Scene, viewer: kernel::Actor, query: &str) -> Reply {
    let path = format!("/v1/orders/00000000-0000-0000-0000-0000000000d1/as-of{query}");
    scene.api.get(path).by(viewer).send().await
}

#[tokio::test]
async fn today_it_is_the_detail_with_the_moment_beside() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    for viewer in [COMMISSIONER, OAK, ELM, OPERATOR, ANALYST] {
        let detail = scene.api.get(format!("/v1/orders/{order_id}"));
        let detail = detail.by(viewer).send().await.body;
        for (query, at) in [
            ("?version=6", "2027-01-01T05:00:00Z"),
            ("?at=2027-01-20T12:00:00%2B02:00", "2027-01-20T10:00:00Z"),
        ] {
            let past = read(&scene, viewer, query).await;
            assert_eq!(past.status, 200, "{past:?}");
            assert_eq!(past.header("etag"), Some("\"6\""));
            assert!(past.header("atlas-position").is_some());
            let mut expected = detail.clone();
            expected["asOf"] = json!({"version": 6, "at": at});
            assert_eq!(past.body, expected);
        }
    }
}

#[tokio::test]
async fn each_version_is_the_order_after_that_event() {
    let (scene, _) = Scene::with_work_in_progress().await;
    let mut seen = Vec::new();
    for version in 1..=6 {
        let reply = read(&scene, COMMISSIONER, &format!("?version={version}")).await;
        let body = reply.body;
        assert_eq!(body["version"], version);
        assert_eq!(body["asOf"]["version"], version);
        assert_eq!(body["asOf"]["at"], body["updatedAt"]);
        let seats = [0, 1].map(|seat| body["invitations"][seat]["status"].clone());
        seen.push(json!([seats, body["state"], body["currentStage"]]));
    }
    assert_eq!(
        seen,
        [
            json!([["pending", "pending"], "negotiating", null]),
            json!([["offered", "pending"], "negotiating", null]),
            json!([["offered", "offered"], "negotiating", null]),
            json!([["offered", "offered"], "negotiating", null]),
            json!([["confirmed", "notSelected"], "inProgress", 1]),
            json!([["confirmed", "notSelected"], "inProgress", 1]),
        ]
    );
}

/// What stood then had not been overtaken by the deadline that has passed since.
#[tokio::test]
async fn time_is_that_of_the_moment() {
    let (scene, _) = Scene::with_work_in_progress().await;
    scene.clock.set("2027-04-01T00:00:00Z");
    let reply = read(&scene, COMMISSIONER, "?version=4").await;
    assert_eq!(reply.body["invitations"][0]["offer"]["outdated"], false);
}

#[tokio::test]
async fn a_version_that_the_client_has_is_not_sent_again() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    let path = format!("/v1/orders/{order_id}/as-of?version=4");
    let call = || scene.api.get(&path).by(COMMISSIONER);
    let same = call().header("if-none-match", "\"4\"").send().await;
    assert_eq!((same.status.as_u16(), same.body), (304, Value::Null));
    let other = call().header("if-none-match", "\"6\"").send().await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn exactly_one_moment_is_asked_for() {
    let (scene, _) = Scene::with_work_in_progress().await;
    for query in [
        "",
        "?version=2&at=2027-01-01T01:00:00Z",
        "?version=two",
        "?version=",
        "?version=1&version=2",
        "?at=yesterday",
        "?at=2027-01-01",
        "?at=2027-01-01T01:00:00+02:00",
        "?at=2027-01-01T01:00:60Z",
    ] {
        let reply = read(&scene, COMMISSIONER, query).await;
        assert_eq!(reply.outcome(), "400 MALFORMED_REQUEST", "{query}");
    }
}

#[tokio::test]
async fn what_never_was_or_is_another_s_is_not_found() {
    let (scene, _) = Scene::with_work_in_progress().await;
    for query in [
        "?version=0",
        "?version=-1",
        "?version=7",
        "?at=2026-12-31T23:59:59.999999Z",
        "?at=0001-01-01T00:00:00Z",
    ] {
        let reply = read(&scene, OPERATOR, query).await;
        assert_eq!(reply.outcome(), "404 NOT_FOUND", "{query}");
    }
    for viewer in [STRANGER, ASH] {
        let reply = read(&scene, viewer, "?version=1").await;
        assert_eq!(reply.outcome(), "404 NOT_FOUND");
    }
}
