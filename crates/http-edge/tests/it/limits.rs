//! How often a principal may ask, as a client sees it. The counts are kept in the process here.

use std::time::Duration;

use axum::Router;
use axum::http::request;
use axum::routing::{get as route_get, post as route_post};
use http_edge::{IdempotencyKey, JsonBody, Limits, Principal, Problem, Quota};
use serde_json::{Value, json};
use tokio::time::advance;

use crate::app::{Answer, bearer, claims, get, limited_app, post, send, send_body, token};

/// A key whose answer is known: what is spent for it is given back.
pub(crate) const KNOWN: &str = "known";

/// An application with a route for everybody and one that places.
pub(crate) fn marketplace(limits: Limits) -> Router {
    let place = async |principal: Principal,
                       key: IdempotencyKey,
                       _: JsonBody<Value>|
           -> Result<(), Problem> {
        let budget = principal.placing_budget();
        let spent = budget.spend(key.0.as_deref()).await?;
        if key.0.is_some_and(|key| key == KNOWN) {
            budget.give_back(spent).await;
        }
        Ok(())
    };
    limited_app(
        limits,
        Router::new()
            .route("/who", route_get(async |_: Principal| {}))
            .route("/orders", route_post(place)),
    )
}

fn limits(per_minute: u32, burst: u32, places_per_minute: u32) -> Limits {
    let requests = Quota::new(per_minute, per_minute);
    Limits::new(requests, Quota::new(burst, places_per_minute), None)
}

pub(crate) fn by(request: request::Builder, role: &str) -> request::Builder {
    request.header("authorization", bearer(role))
}

async fn read(app: &Router) -> Answer {
    send(app, by(get("/who"), "commissioner")).await
}

pub(crate) async fn place(app: &Router, key: Option<&str>) -> Answer {
    let request = by(post("/orders"), "commissioner");
    let request = key
        .into_iter()
        .fold(request, |r, key| r.header("idempotency-key", key));
    send(app, request).await
}

#[tokio::test(start_paused = true)]
async fn a_principal_may_send_so_many_requests_and_then_is_told_when_to_come_back() {
    let app = marketplace(limits(60, 0, 0));
    for left in (0..60).rev() {
        let answer = read(&app).await;
        assert_eq!(answer.status, 200);
        let state = format!("\"requests\";r={left};t={}", 60 - left);
        assert_eq!(answer.header("ratelimit"), Some(state.as_str()));
        assert_eq!(
            answer.header("ratelimit-policy"),
            Some("\"requests\";q=60;w=60")
        );
    }
    let refused = read(&app).await;
    assert_eq!(refused.problem(), (429, "RATE_LIMITED".to_owned()));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("ratelimit"), Some("\"requests\";r=0;t=60"));
    assert_eq!(
        refused.header("ratelimit-policy"),
        Some("\"requests\";q=60;w=60")
    );
    assert_eq!(refused.json()["retryable"], true);
    assert_eq!(
        refused.detail(),
        "you may send 60 requests at once and 60 a minute; come back in 1 s"
    );
    advance(Duration::from_secs(1)).await;
    assert_eq!(read(&app).await.status, 200);
    assert_eq!(read(&app).await.status, 429);
}

#[tokio::test(start_paused = true)]
async fn each_principal_has_a_budget_of_its_own() {
    let app = marketplace(limits(1, 0, 0));
    assert_eq!(read(&app).await.status, 200);
    assert_eq!(read(&app).await.status, 429);
    // Another role of the same person, and another person in the same role.
    assert_eq!(send(&app, by(get("/who"), "workshop")).await.status, 200);
    let mut other = claims("commissioner");
    other["sub"] = json!("01890000-0000-7000-8000-000000000002");
    let other = get("/who").header("authorization", format!("Bearer {}", token(&other)));
    assert_eq!(send(&app, other).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn who_is_turned_away_at_the_gate_spends_nothing() {
    let app = marketplace(limits(1, 0, 0));
    for _ in 0..3 {
        assert_eq!(send(&app, get("/who")).await.status, 401);
        assert_eq!(send(&app, by(post("/orders"), "analyst")).await.status, 403);
        assert_eq!(send(&app, by(get("/nowhere"), "analyst")).await.status, 404);
    }
    let answer = send(&app, by(get("/who"), "analyst")).await;
    assert_eq!(answer.header("ratelimit"), Some("\"requests\";r=0;t=60"));
    // It comes after 403, and before anything is read.
    let refused = send(&app, by(post("/orders"), "analyst")).await;
    assert_eq!(refused.status, 403);
    let app = marketplace(limits(1, 0, 0));
    assert_eq!(place(&app, None).await.status, 200);
    let unreadable = by(post("/orders"), "commissioner").header("idempotency-key", "a b");
    let refused = send_body(&app, unreadable, vec![b' '; 300_000]).await;
    assert_eq!(refused.problem().0, 429);
}

#[tokio::test(start_paused = true)]
async fn placing_has_a_budget_beside_that_of_all_requests() {
    let app = marketplace(limits(6000, 2, 10));
    let first = place(&app, None).await;
    assert_eq!(
        first.header("ratelimit"),
        Some("\"requests\";r=5999;t=1, \"placing\";r=1;t=6")
    );
    assert_eq!(
        first.header("ratelimit-policy"),
        Some("\"requests\";q=6000;w=60, \"placing\";q=2;w=12")
    );
    assert_eq!(place(&app, None).await.status, 200);
    let refused = place(&app, None).await;
    assert_eq!(refused.problem(), (429, "RATE_LIMITED".to_owned()));
    assert_eq!(refused.header("retry-after"), Some("6"));
    assert_eq!(
        refused.detail(),
        "you may send 2 orders at once and 10 a minute; come back in 6 s"
    );
    assert_eq!(read(&app).await.status, 200);
    advance(Duration::from_millis(5999)).await;
    assert_eq!(place(&app, None).await.header("retry-after"), Some("1"));
    advance(Duration::from_millis(1)).await;
    assert_eq!(place(&app, None).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn what_is_spent_under_a_key_is_spent_once() {
    let app = marketplace(limits(0, 2, 10));
    for _ in 0..5 {
        assert_eq!(place(&app, Some("one")).await.status, 200);
    }
    assert_eq!(place(&app, Some("two")).await.status, 200);
    assert_eq!(place(&app, Some("three")).await.status, 429);
    assert_eq!(place(&app, Some("one")).await.status, 200);
    // A refused one has not been spent for.
    advance(Duration::from_secs(6)).await;
    let answer = place(&app, Some("three")).await;
    assert_eq!(answer.header("ratelimit"), Some("\"placing\";r=0;t=12"));
    // Nor is it remembered for ever.
    advance(Duration::from_secs(120)).await;
    let answer = place(&app, Some("one")).await;
    assert_eq!(answer.header("ratelimit"), Some("\"placing\";r=1;t=6"));
}

#[tokio::test(start_paused = true)]
async fn zero_is_no_limit() {
    for limits in [limits(0, 0, 10), limits(0, 10, 0), Limits::none()] {
        let app = marketplace(limits);
        for _ in 0..100 {
            let answer = place(&app, None).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("ratelimit"), None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_given_back_can_be_spent_again() {
    let app = marketplace(limits(0, 2, 1));
    assert_eq!(place(&app, None).await.status, 200);
    let answer = place(&app, Some(KNOWN)).await;
    assert_eq!(answer.header("ratelimit"), None);
    assert_eq!(place(&app, None).await.status, 200);
    assert_eq!(place(&app, None).await.status, 429);
}
