//! The layers around every route.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::routing::{get as route_get, post as route_post};
use futures::StreamExt;
use http_edge::{Code, Edge, JsonBody, Outcome, Problem, RequestId};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};

use crate::app::{FRESH_ID, app, edge, get, post, send, send_body, with_state};

fn routes() -> Router {
    app(Router::new()
        .route(
            "/id",
            route_get(|id: RequestId| async move { id.to_string() }),
        )
        .route(
            "/panic",
            route_get(async || -> &'static str { panic!("secret inside") }),
        )
        .route(
            "/failing",
            route_get(async || Problem::internal("secret inside")),
        )
        .route(
            "/outdated",
            route_get(async || {
                Problem::new(Code::OfferOutdated, "the request was revised")
                    .with_reason("requestRevised")
            }),
        ))
}

#[tokio::test]
async fn a_sane_request_id_is_taken_and_returned_and_else_a_fresh_one_made() {
    let longest = "i".repeat(128);
    for id in ["r-1", &longest] {
        let answer = send(&routes(), get("/id").header("x-request-id", id)).await;
        assert_eq!(answer.body, id);
        assert_eq!(answer.header("x-request-id"), Some(id));
    }
    let too_long = "i".repeat(129);
    for ids in [&[][..], &[""], &["a b"], &["é"], &[&too_long], &["a", "a"]] {
        let request = ids
            .iter()
            .fold(get("/id"), |r, id| r.header("x-request-id", *id));
        let answer = send(&routes(), request).await;
        assert_eq!(answer.body, FRESH_ID, "{ids:?}");
        assert_eq!(answer.header("x-request-id"), Some(FRESH_ID));
    }
}

#[tokio::test]
async fn every_answer_forbids_to_keep_it_for_others_and_to_guess_its_type() {
    for path in ["/id", "/panic", "/failing", "/nowhere"] {
        let answer = send(&routes(), get(path)).await;
        let expected = Some("private, no-cache, no-transform");
        assert_eq!(answer.header("cache-control"), expected, "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

#[tokio::test]
async fn a_problem_says_which_request_it_answers() {
    let answer = send(
        &routes(),
        get("/outdated?x=1").header("x-request-id", "r-1"),
    )
    .await;
    assert_eq!(
        answer.json(),
        json!({
            "type": "urn:atlas:problem:offer-outdated", "title": "Offer outdated", "status": 409,
            "detail": "the request was revised", "instance": "/outdated",
            "code": "OFFER_OUTDATED", "retryable": false, "requestId": "r-1",
            "reason": "requestRevised",
        })
    );
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_problems() {
    let nowhere = send(&routes(), get("/nowhere")).await;
    assert_eq!(nowhere.problem(), (404, "NOT_FOUND".to_owned()));
    assert_eq!(nowhere.json()["instance"], "/nowhere");
    let wrong = send(&routes(), post("/id")).await;
    assert_eq!(wrong.problem(), (405, "METHOD_NOT_ALLOWED".to_owned()));
    assert_eq!(wrong.header("allow"), Some("GET,HEAD"));
}

#[tokio::test]
async fn panics_and_bugs_say_nothing_of_the_inside() {
    for path in ["/panic", "/failing"] {
        let answer = send(&routes(), get(path)).await;
        assert_eq!(answer.problem(), (500, "INTERNAL".to_owned()));
        assert!(!answer.body.contains("secret"), "{}", answer.body);
        assert_eq!(answer.json()["requestId"], FRESH_ID);
    }
}

/// An application that never answers `/slow`.
fn slow() -> Router {
    let read = async || pending::<()>().await;
    let write = async |_: JsonBody<Value>| pending::<()>().await;
    app(Router::new().route("/slow", route_get(read).merge(route_post(write))))
}

#[tokio::test(start_paused = true)]
async fn past_the_deadline_the_answer_says_whether_something_may_have_changed() {
    let read = send(&slow(), get("/slow")).await;
    assert_eq!(read.problem(), (504, "TIMEOUT".to_owned()));
    assert_eq!(read.json()["outcome"], "none");
    let written = send(&slow(), post("/slow")).await;
    assert_eq!(written.json()["outcome"], "unknown");
    assert_eq!(written.json()["retryable"], true);
    let never_read = Body::from_stream(futures::stream::pending::<Result<Bytes, Infallible>>());
    let json = post("/slow").header("content-type", "application/json");
    let began = tokio::time::Instant::now();
    let half = send_body(&slow(), json, never_read).await;
    assert_eq!(half.problem(), (504, "TIMEOUT".to_owned()));
    assert_eq!(half.json()["outcome"], "none");
    assert_eq!(began.elapsed().as_secs(), 10, "a body has as much time");
}

#[tokio::test]
async fn a_head_has_bounds_and_is_a_problem_beyond_them() {
    let long = |length| format!("/id?{}", "x".repeat(length));
    for (request, status) in [
        (get("/id").header("x", "x".repeat(16 * 1024 - 4)), 200),
        (get("/id").header("x", "x".repeat(16 * 1024 - 3)), 400),
        (get(&long(16 * 1024 - 4)), 200),
        (get(&long(16 * 1024 - 3)), 400),
        ((0..64).fold(get("/id"), |r, _| r.header("x", "y")), 200),
        ((0..65).fold(get("/id"), |r, _| r.header("x", "y")), 400),
        (get("/id").header("host", "a"), 200),
        (get("/id").header("host", "a").header("host", "b"), 400),
    ] {
        let answer = send(&routes(), request).await;
        assert_eq!(answer.status, status);
        if status == 400 {
            assert_eq!(answer.problem().1, "MALFORMED_REQUEST");
        }
    }
}

#[tokio::test]
async fn what_is_out_of_reach_says_when_to_come_back_and_what_is_known() {
    let reads = async || Problem::store_unavailable("connection refused");
    let writes = async |_: JsonBody<Value>| Problem::store_unavailable("connection refused");
    let knows = async |_: JsonBody<Value>| {
        Problem::store_unavailable("connection refused").with_outcome(Outcome::None)
    };
    let app = app(Router::new()
        .route("/", route_get(reads).merge(route_post(writes)))
        .route("/knows", route_post(knows)));
    for (request, outcome) in [
        (get("/"), "none"),
        (post("/"), "unknown"),
        (post("/knows"), "none"),
    ] {
        let answer = send(&app, request).await;
        assert_eq!(answer.problem(), (503, "STORE_UNAVAILABLE".to_owned()));
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.json()["outcome"], outcome);
        assert!(!answer.body.contains("refused"), "{}", answer.body);
    }
}

#[tokio::test]
async fn one_request_too_many_is_turned_away_while_health_still_answers() {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (entered, leave) = (Arc::clone(&entered), Arc::clone(&leave));
        async move || {
            entered.notify_one();
            leave.notified().await;
        }
    };
    let api = with_state(Router::new().route("/wait", route_get(handler)));
    let open = Router::new().route("/health/live", route_get(async || "alive"));
    let app = Edge {
        max_in_flight: 1,
        ..edge()
    }
    .around(api, open);

    let first = tokio::spawn({
        let app = app.clone();
        async move { send(&app, get("/wait")).await }
    });
    entered.notified().await;
    let second = send(&app, get("/wait")).await;
    assert_eq!(second.problem(), (503, "OVERLOADED".to_owned()));
    assert_eq!(second.header("retry-after"), Some("1"));
    assert_eq!(second.json()["outcome"], "none");
    let health = send(&app, get("/health/live")).await;
    assert_eq!(health.body, "alive");
    assert_eq!(health.header("x-request-id"), Some(FRESH_ID));
    let wrong = send(&app, Request::delete("/health/live")).await;
    assert_eq!(wrong.problem(), (405, "METHOD_NOT_ALLOWED".to_owned()));

    leave.notify_one();
    assert_eq!(first.await.unwrap().status, 200);
    leave.notify_one();
    assert_eq!(send(&app, get("/wait")).await.status, 200);
}

#[tokio::test]
async fn who_sends_slowly_takes_no_place_from_others() {
    let echo = async |_: JsonBody<Value>| "read";
    let api = with_state(Router::new().route("/echo", route_post(echo)));
    let app = Edge {
        max_in_flight: 1,
        ..edge()
    }
    .around(api, Router::new());
    let json = || post("/echo").header("content-type", "application/json");
    let begun = Arc::new(Semaphore::new(0));
    let slow: Vec<_> = (0..3)
        .map(|_| {
            let (sender, chunks) = futures::channel::mpsc::unbounded::<Result<Bytes, Infallible>>();
            let (app, request) = (app.clone(), json());
            let begun = Arc::clone(&begun);
            let body = Body::from_stream(chunks.inspect(move |_| begun.add_permits(1)));
            let answer = tokio::spawn(async move { send_body(&app, request, body).await });
            (sender, answer)
        })
        .collect();
    for (sender, _) in &slow {
        sender.unbounded_send(Ok("{".into())).unwrap();
    }
    drop(begun.acquire_many(3).await.unwrap());
    assert_eq!(send_body(&app, json(), "{}").await.body, "read");
    for (sender, answer) in slow {
        sender.unbounded_send(Ok("}".into())).unwrap();
        drop(sender);
        assert_eq!(answer.await.unwrap().body, "read");
    }
}
