//! Asking for acts: the request is a fact on the operator's stream, once for each key.

use std::time::Duration;

use axum::http::HeaderName;
use event_store::StreamId;
use event_store::acts::{Act, ActId, RequestState, find, page};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::api::{Api, Call, Reply};
use crate::people::{ANALYST, COMMISSIONER, OAK, OPERATOR};
use crate::scene::{Scene, fresh_key};

const ACTS: &str = "/v1/ops/acts";
const PREFER: HeaderName = HeaderName::from_static("prefer");

fn redrive() -> Value {
    json!({
        "act": "redrive",
        "arguments": {"code": "ACCOUNT_REJECTED", "failedBefore": "2026-11-25T13:00:00+01:00"},
        "reason": " the cause is gone ",
    })
}

fn ask(api: &Api, key: &str) -> Call {
    api.post(ACTS).by(OPERATOR).key(key)
}

async fn acts(scene: &Scene) -> Vec<Act> {
    let pool = scene.database.pool_app().await;
    let mut connection = pool.acquire().await.unwrap();
    page(&mut connection, None, 100).await.unwrap()
}

fn id(reply: &Reply) -> ActId {
    ActId::from_uuid(reply.body["actId"].as_str().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_request_is_a_fact_and_a_repeat_is_answered_like_the_first_time() {
    let scene = Scene::set().await;
    let first = ask(&scene.api, "k").json(&redrive()).send().await;
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(first.body["version"], 1);
    assert_eq!(first.header("etag"), Some("\"1\""));
    let location = format!("{ACTS}/{}", id(&first));
    assert_eq!(first.header("location"), Some(location.as_str()));

    let second = ask(&scene.api, "l").json(&redrive()).send().await;
    assert_eq!(second.body["version"], 2);
    for api in [scene.api.clone(), scene.instance(Duration::from_secs(10))] {
        let again = ask(&api, "k").json(&redrive()).send().await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        for name in ["etag", "location"] {
            assert_eq!(again.header(name), first.header(name));
        }
    }
    let mut other = redrive();
    other["act"] = json!("discard");
    let reused = ask(&scene.api, "k").json(&other).send().await;
    assert_eq!(reused.outcome(), "422 IDEMPOTENCY_KEY_REUSED");

    let found = acts(&scene).await;
    let ids: Vec<ActId> = found.iter().map(|act| act.id).collect();
    assert_eq!(ids, [id(&second), id(&first)]);
    let act = &found[1];
    assert_eq!(
        (act.kind.as_str(), act.operator, act.reason.as_str()),
        ("redrive", OPERATOR.id, "the cause is gone")
    );
    let arguments = json!({"code": "ACCOUNT_REJECTED", "failedBefore": "2026-11-25T12:00:00Z"});
    assert_eq!(act.subject, arguments);
    let request = act.request.as_ref().unwrap();
    assert_eq!(request.state, RequestState::Requested);
    let pool = scene.database.pool_app().await;
    let mut connection = pool.acquire().await.unwrap();
    let one = find(&mut connection, id(&first)).await.unwrap();
    assert_eq!(one.as_ref(), Some(act));
}

#[tokio::test]
async fn the_request_is_stored_with_the_metadata_of_a_command() {
    let scene = Scene::set().await;
    ask(&scene.api, "k").json(&redrive()).send().await;
    let pool = scene.database.pool_app().await;
    let mut connection = pool.acquire().await.unwrap();
    let stream = StreamId::operator(OPERATOR.id);
    let stream = event_store::load(&mut connection, &[stream]).await.unwrap();
    let event = &stream[0].events[0];
    assert_eq!(event.event_type, "OperatorActRequested");
    let metadata = event.metadata().unwrap();
    assert_eq!(metadata.actor, Some(OPERATOR));
    assert_eq!(metadata.idempotency_key.as_deref(), Some("k"));
}

#[tokio::test]
async fn without_a_key_nothing_is_asked_for() {
    let scene = Scene::set().await;
    let call = scene.api.post(ACTS).by(OPERATOR).json(&redrive());
    let refused = call.send().await;
    assert_eq!(refused.outcome(), "400 MALFORMED_REQUEST");
    let detail = refused.problem()["detail"].clone();
    assert!(
        detail.as_str().unwrap().contains("Idempotency-Key"),
        "{detail}"
    );
    assert_eq!(acts(&scene).await, []);
}

#[tokio::test]
async fn nobody_but_an_operator_asks_for_an_act() {
    let scene = Scene::set().await;
    for actor in [COMMISSIONER, OAK, ANALYST] {
        let call = scene.api.post(ACTS).by(actor).key("k");
        let refused = call.json(&redrive()).send().await;
        assert_eq!(refused.outcome(), "403 FORBIDDEN", "{actor}");
    }
    assert_eq!(acts(&scene).await, []);
}

#[tokio::test]
async fn what_the_act_does_not_take_is_named_or_refused() {
    let scene = Scene::set().await;
    let tolerated = json!({
        "act": "rebuild", "arguments": {"model": "orders"}, "reason": "because", "why": 1,
    });
    let taken = ask(&scene.api, "k").json(&tolerated).send().await;
    assert_eq!(taken.status, 201, "{taken:?}");
    assert_eq!(taken.body["ignored"], json!(["/why"]));
    let body = json!({
        "act": "rebuild",
        "arguments": {"model": "orders", "code": "X", "keeep": true},
        "reason": "because", "why": 1,
    });
    let wider = ask(&scene.api, "m").json(&body).send().await;
    assert_eq!(wider.outcome(), "422 VALIDATION_FAILED");
    let pointers: Vec<&Value> = wider.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["pointer"])
        .collect();
    assert_eq!(
        json!(pointers),
        json!(["/arguments/code", "/arguments/keeep"])
    );
    let ignored = json!(["/arguments/code", "/arguments/keeep", "/why"]);
    let strict = ask(&scene.api, "l").header(PREFER, "handling=strict");
    let refused = strict.json(&body).send().await;
    assert_eq!(refused.outcome(), "422 VALIDATION_FAILED");
    let errors = refused.body["errors"].as_array().unwrap().iter();
    let pointers: Vec<&Value> = errors.map(|error| &error["pointer"]).collect();
    assert_eq!(json!(pointers), ignored);
    assert!(
        refused.body.to_string().contains("keep may be meant"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn values_are_refused_all_at_once_and_wrong_types_at_once() {
    let scene = Scene::set().await;
    let body = json!({"act": "replay", "arguments": {"order": "x"}, "reason": ""});
    let refused = ask(&scene.api, "k").json(&body).send().await;
    assert_eq!(refused.outcome(), "422 VALIDATION_FAILED");
    let errors = refused.body["errors"].as_array().unwrap().iter();
    let pointers: Vec<&Value> = errors.map(|error| &error["pointer"]).collect();
    assert_eq!(
        json!(pointers),
        json!(["/arguments/from", "/arguments/order", "/reason"])
    );
    for body in [
        json!({"act": "rebuild", "arguments": {"model": 7}, "reason": "r"}),
        json!({"act": "rebuild", "arguments": [], "reason": "r"}),
        json!({"act": "nothing", "arguments": [], "reason": "r"}),
        json!({"act": 7, "arguments": {}, "reason": "r"}),
    ] {
        let refused = ask(&scene.api, "k").json(&body).send().await;
        assert_eq!(refused.outcome(), "400 MALFORMED_REQUEST", "{body}");
    }
    assert_eq!(acts(&scene).await, []);
}

/// By two instances, which do not queue behind one another.
#[tokio::test]
async fn requests_that_arrive_at_once_are_each_kept_once() {
    let scene = Scene::set().await;
    let apis = [scene.api.clone(), scene.instance(Duration::from_secs(10))];
    let keys: Vec<String> = (0..2).map(|_| fresh_key()).collect();
    let calls = keys.iter().flat_map(|key| {
        apis.iter()
            .map(move |api| ask(api, key).json(&redrive()).send())
    });
    let replies = join_all(calls).await;
    let mut ids: Vec<ActId> = replies
        .iter()
        .map(|reply| {
            assert_eq!(reply.status, 201, "{reply:?}");
            id(reply)
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let mut kept: Vec<ActId> = acts(&scene).await.iter().map(|act| act.id).collect();
    kept.sort_unstable();
    assert_eq!(kept, ids);
    assert_eq!(kept.len(), keys.len());
}
