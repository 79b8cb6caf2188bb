//! What spends of which budget, and in which place of the order of checks it is refused.

use chrono::TimeDelta;
use futures::future::join_all;
use http_edge::{Limits, Quota, SharedBuckets};
use serde_json::json;
use test_support::TestRedis;
use tokio::sync::watch;

use crate::api::{Api, Call};
use crate::people::{ANALYST, COMMISSIONER, OAK, OPERATOR, STRANGER, workshop};
use crate::scene::{Scene, offer, request};

/// Of which nothing comes back while a test runs.
fn placings(burst: u32) -> Limits {
    Limits::new(None, Quota::new(burst, 1), None)
}

fn place(api: &Api) -> Call {
    api.post("/v1/orders")
        .by(COMMISSIONER)
        .json(&request(&[OAK]))
}

#[tokio::test]
async fn a_replay_spends_nothing_and_is_answered_when_nothing_is_left() {
    let scene = Scene::set().await;
    let api = scene.limited(placings(2));
    let first = place(&api).key("one").expect_done().await;
    assert_eq!(first.header("ratelimit"), Some("\"placing\";r=1;t=60"));
    for _ in 0..5 {
        let again = place(&api).key("one").expect_done().await;
        assert_eq!(again.body, first.body);
        assert_eq!(again.header("ratelimit"), None);
    }
    place(&api).key("two").expect_done().await;
    let refused = place(&api).key("three").send().await;
    assert_eq!(refused.outcome(), "429 RATE_LIMITED");
    assert_eq!(refused.header("retry-after"), Some("60"));
    insta::assert_json_snapshot!("rate_limited", refused.problem());
    assert_eq!(place(&api).send().await.outcome(), "429 RATE_LIMITED");
    let again = place(&api).key("one").expect_done().await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
}

#[tokio::test]
async fn what_is_refused_for_its_values_spends_nothing() {
    let scene = Scene::set().await;
    let api = scene.limited(placings(1));
    let mut late = request(&[OAK]);
    late["request"]["deadline"] = "2020-01-01T00:00:00Z".into();
    let passed_on_the_way = request(&[OAK]);
    let unlimited = scene.instance(std::time::Duration::from_secs(10));
    place(&unlimited).key("taken").expect_done().await;
    for _ in 0..3 {
        let ask = || api.post("/v1/orders").by(COMMISSIONER);
        for (call, outcome) in [
            (ask().json(&json!({})), "422 VALIDATION_FAILED"),
            (ask().json(&late), "422 VALIDATION_FAILED"),
            (ask().raw("{"), "400 MALFORMED_REQUEST"),
            (
                ask().key("taken").json(&request(&[OAK, workshop(9)])),
                "422 IDEMPOTENCY_KEY_REUSED",
            ),
        ] {
            assert_eq!(call.send().await.outcome(), outcome);
        }
    }
    place(&api).expect_done().await;
    // Nothing is left: what is refused for its values still is.
    scene.clock.advance(TimeDelta::days(365));
    let call = api.post("/v1/orders").by(COMMISSIONER);
    let reply = call.json(&passed_on_the_way).send().await;
    assert_eq!(reply.outcome(), "422 VALIDATION_FAILED");
}

#[tokio::test]
async fn an_empty_budget_comes_before_the_directory_is_looked_at() {
    let scene = Scene::set().await;
    let api = scene.limited(placings(1));
    let unknown = || {
        let call = api.post("/v1/orders").by(COMMISSIONER);
        call.json(&request(&[workshop(9)]))
    };
    assert_eq!(unknown().send().await.outcome(), "409 UNKNOWN_WORKSHOP");
    assert_eq!(unknown().send().await.outcome(), "429 RATE_LIMITED");
    // Another commissioner has a budget of their own, and other commands need none.
    let call = api.post("/v1/orders").by(STRANGER);
    call.json(&request(&[OAK])).expect_done().await;
    let order = scene.placed().await;
    let path = format!("/v1/orders/{}/offers/{}", order.id, OAK.id);
    api.put(path).by(OAK).json(&offer()).expect_done().await;
    let path = format!("/v1/orders/{}/offers/{}/confirm", order.id, OAK.id);
    api.post(path).by(COMMISSIONER).expect_done().await;
}

#[tokio::test]
async fn too_many_requests_come_after_the_role_and_before_anything_is_read() {
    let scene = Scene::set().await;
    let api = scene.limited(Limits::new(Quota::new(1, 1), None, None));
    let path = format!("/v1/workshops/{}", OAK.id);
    let put = || api.put(path.as_str());
    assert_eq!(put().by(ANALYST).send().await.outcome(), "403 FORBIDDEN");
    assert_eq!(
        put().by(OPERATOR).send().await.outcome(),
        "422 VALIDATION_FAILED"
    );
    let large = vec![b' '; 256 * 1024 + 1];
    for call in [
        put().by(OPERATOR).undeclared(large),
        put().by(OPERATOR).undeclared("{"),
        put().by(OPERATOR).raw("{"),
        api.put("/v1/workshops/x").by(OPERATOR),
    ] {
        let reply = call.send().await;
        assert_eq!(reply.outcome(), "429 RATE_LIMITED");
        assert_eq!(reply.header("ratelimit"), Some("\"requests\";r=0;t=60"));
        assert_eq!(
            reply.header("ratelimit-policy"),
            Some("\"requests\";q=1;w=60")
        );
    }
    assert_eq!(put().by(ANALYST).send().await.outcome(), "403 FORBIDDEN");
    assert_eq!(put().send().await.outcome(), "401 UNAUTHENTICATED");
}

#[tokio::test]
async fn duplicates_that_arrive_at_once_through_two_instances_spend_one_together() {
    let scene = Scene::set().await;
    let redis = TestRedis::start().await;
    let apis = join_all([(); 2].map(async |()| {
        let buckets = SharedBuckets::at(&redis.url()).unwrap();
        let (sender, mut fit) = watch::channel(false);
        tokio::spawn(buckets.clone().keep(move |found| {
            sender.send_replace(found.is_ok());
        }));
        fit.wait_for(|fit| *fit).await.unwrap();
        scene.limited(Limits::new(None, Quota::new(2, 1), Some(buckets)))
    }))
    .await;
    let calls = apis.iter().cycle().take(12);
    let replies = join_all(calls.map(|api| place(api).key("one").send())).await;
    for reply in &replies {
        assert_eq!(
            (reply.status, &reply.body),
            (replies[0].status, &replies[0].body)
        );
        assert_eq!(reply.status, 201);
    }
    place(&apis[0]).key("two").expect_done().await;
    let refused = place(&apis[1]).key("three").send().await;
    assert_eq!(refused.outcome(), "429 RATE_LIMITED");
}
