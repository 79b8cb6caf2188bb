//! What is taken as the body of a command.

use axum::Router;
use axum::body::Body;
use axum::http::request;
use axum::routing::{patch, post as route_post};
use http_edge::{JsonBody, MAX_BODY_BYTES};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::{Answer, app, post, send_body};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    request: Option<Request>,
    workshops: Option<Vec<String>>,
    days: Option<u8>,
    urgent: Option<bool>,
    kind: Option<Kind>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Request {
    title: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Bowl,
    Table,
}

async fn echo(body: JsonBody<Place>) -> String {
    json!({"value": body.value, "fingerprint": body.fingerprint}).to_string()
}

fn place() -> Router {
    app(Router::new()
        .route("/place", route_post(echo).merge(patch(echo)))
        .route("/other", route_post(echo)))
}

fn json_post(path: &str) -> request::Builder {
    post(path).header("content-type", "application/json")
}

async fn send_json(body: impl Into<Body>) -> Answer {
    send_body(&place(), json_post("/place"), body).await
}

/// Sends a body that must be refused as malformed; the pointer and text of its one error.
async fn mismatch(body: &Value) -> (String, String) {
    let answer = send_json(body.to_string()).await;
    assert_eq!(
        answer.problem(),
        (400, "MALFORMED_REQUEST".to_owned()),
        "{body}"
    );
    let errors = answer.json()["errors"].clone();
    assert_eq!(errors.as_array().map(Vec::len), Some(1), "{errors}");
    let text = |name: &str| errors[0][name].as_str().unwrap().to_owned();
    (text("pointer"), text("detail"))
}

#[tokio::test]
async fn a_body_is_read_and_unknown_keys_are_ignored() {
    let body = json!({
        "request": {"title": "Bowl", "colour": "blue"}, "workshops": ["a", "b"],
        "days": 255, "urgent": true, "kind": "bowl", "more": [{}],
    });
    let answer = send_json(body.to_string()).await;
    assert_eq!(
        answer.json()["value"],
        json!({
            "request": {"title": "Bowl"}, "workshops": ["a", "b"],
            "days": 255, "urgent": true, "kind": "bowl",
        })
    );
}

/// JSON has one type of numbers.
#[tokio::test]
async fn a_whole_number_is_one_however_it_is_written() {
    for written in ["30", "30.0", "3e1", "3.0E+1", "300e-1"] {
        let answer = send_json(format!(r#"{{"days": {written}}}"#)).await;
        assert_eq!(answer.json()["value"]["days"], 30, "{written}");
    }
}

#[tokio::test]
async fn an_empty_body_is_an_empty_object_and_needs_no_content_type() {
    let empty = send_body(&place(), post("/place"), "").await;
    assert_eq!(empty.status, 200, "{}", empty.body);
    let braces = send_json("{}").await;
    assert_eq!(empty.body, braces.body);
}

#[tokio::test]
async fn wrong_types_are_told_with_their_place_and_without_names_of_ours() {
    for (body, pointer, detail) in [
        (json!([]), "", "expected an object, found an array"),
        (json!("x"), "", "expected an object, found a string"),
        (json!(null), "", "expected an object, found null"),
        (
            json!({"request": ["Bowl"]}),
            "/request",
            "expected an object, found an array",
        ),
        (
            json!({"request": {"title": 5}}),
            "/request/title",
            "expected a string, found the number 5",
        ),
        (
            json!({"workshops": {}}),
            "/workshops",
            "expected an array, found an object",
        ),
        (
            json!({"workshops": ["a", null]}),
            "/workshops/1",
            "expected a string, found null",
        ),
        (
            json!({"days": 256}),
            "/days",
            "expected a whole number from 0 to 255, found the number 256",
        ),
        (
            json!({"days": 1.5}),
            "/days",
            "expected a whole number from 0 to 255, found the number 1.5",
        ),
        (
            json!({"days": -1.0}),
            "/days",
            "expected a whole number from 0 to 255, found the number -1.0",
        ),
        (
            json!({"days": 1e300}),
            "/days",
            "expected a whole number from 0 to 255, found the number 1e+300",
        ),
        (
            json!({"urgent": "yes"}),
            "/urgent",
            "expected true or false, found a string",
        ),
        (
            json!({"kind": "chair"}),
            "/kind",
            "expected one of bowl, table",
        ),
        (
            json!({"kind": {"bowl": null}}),
            "/kind",
            "expected a string, found an object",
        ),
    ] {
        assert_eq!(
            mismatch(&body).await,
            (pointer.to_owned(), detail.to_owned()),
            "{body}"
        );
    }
}

#[tokio::test]
async fn what_is_not_json_is_400() {
    let deep = "[".repeat(100_000);
    for body in [
        "{",
        "{} {}",
        "{'title': 1}",
        "\u{feff}{}",
        " ",
        r#"{"days": 1e999}"#,
        r#"{"request": {"title": "\ud800"}}"#,
        deep.as_str(),
    ] {
        let answer = send_json(body.to_owned()).await;
        let start: String = body.chars().take(20).collect();
        assert_eq!(
            answer.problem(),
            (400, "MALFORMED_REQUEST".to_owned()),
            "{start}"
        );
    }
    let not_utf8 = send_json(&b"{\"request\": {\"title\": \"\xff\"}}"[..]).await;
    assert_eq!(not_utf8.problem(), (400, "MALFORMED_REQUEST".to_owned()));
}

#[tokio::test]
async fn keys_that_stand_twice_are_400_wherever_they_stand() {
    for body in [
        r#"{"days": 1, "days": 1}"#,
        r#"{"unknown": 1, "unknown": 2}"#,
        r#"{"unknown": [{"a": 1, "\u0061": 2}]}"#,
        r#"{"request": {"title": "a", "title": "b"}}"#,
    ] {
        let answer = send_json(body).await;
        assert_eq!(
            answer.problem(),
            (400, "MALFORMED_REQUEST".to_owned()),
            "{body}"
        );
        assert!(
            answer.detail().contains("stands twice"),
            "{}",
            answer.detail()
        );
    }
}

#[tokio::test]
async fn a_body_must_be_declared_as_json() {
    for (content_type, status) in [
        (Some("application/json"), 200),
        (Some("Application/JSON; charset=utf-8"), 200),
        (Some("application/merge-patch+json"), 200),
        (Some("application/json; charset=iso-8859-1"), 415),
        (Some("application/json;charset=\"utf-16\""), 415),
        (Some("application/json; profile=a; charset=latin1"), 415),
        (Some("application/json; charset"), 415),
        (Some("text/plain"), 415),
        (Some("text/json"), 415),
        (Some("application/jsonx"), 415),
        (None, 415),
    ] {
        let request = match content_type {
            Some(value) => post("/place").header("content-type", value),
            None => post("/place"),
        };
        let answer = send_body(&place(), request, "{}").await;
        assert_eq!(answer.status, status, "{content_type:?}");
    }
    for request in [
        json_post("/place").header("content-encoding", "gzip"),
        json_post("/place")
            .header("content-encoding", "identity")
            .header("content-encoding", "gzip"),
        json_post("/place").header("content-type", "application/json"),
        json_post("/place").header("content-type", "text/plain"),
    ] {
        let answer = send_body(&place(), request, "{}").await;
        assert_eq!(answer.problem(), (415, "UNSUPPORTED_MEDIA_TYPE".to_owned()));
    }
}

#[tokio::test]
async fn a_body_over_256_kib_is_413_whether_its_length_is_declared_or_not() {
    let fits = format!("{{{}}}", " ".repeat(MAX_BODY_BYTES - 2));
    assert_eq!(send_json(fits.clone()).await.status, 200);
    let too_large = format!("{fits} ");
    let declared = json_post("/place").header("content-length", too_large.len());
    for answer in [
        send_json(too_large.clone()).await,
        send_body(&place(), declared, too_large).await,
    ] {
        assert_eq!(answer.problem(), (413, "PAYLOAD_TOO_LARGE".to_owned()));
    }
}

#[tokio::test]
async fn a_fingerprint_tells_method_path_and_raw_body_apart() {
    async fn fingerprint(request: request::Builder, body: &'static str) -> Value {
        let request = request.header("content-type", "application/json");
        let answer = send_body(&place(), request, body).await;
        answer.json()["fingerprint"].clone()
    }
    let first = fingerprint(post("/place"), r#"{"days":1}"#).await;
    assert_eq!(first, fingerprint(post("/place"), r#"{"days":1}"#).await);
    assert_eq!(
        first,
        fingerprint(post("/place?x=1"), r#"{"days":1}"#).await
    );
    let patch = axum::http::Request::patch;
    for other in [
        fingerprint(post("/place"), r#"{"days": 1}"#).await,
        fingerprint(post("/other"), r#"{"days":1}"#).await,
        fingerprint(patch("/place"), r#"{"days":1}"#).await,
    ] {
        assert_ne!(first, other);
    }
}
