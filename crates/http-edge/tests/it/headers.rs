//! Request headers with a meaning, and entity tags.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get as route_get;
use http_edge::{ETag, IdempotencyKey, IfMatch, IfNoneMatch, MinPosition, NoIfMatch};

use crate::app::{Answer, app, get, send};

async fn read(if_none_match: IfNoneMatch) -> Response {
    if if_none_match.matches(7) {
        return ETag(7).not_modified();
    }
    (ETag(7), "seven").into_response()
}

fn routes() -> Router {
    app(Router::new()
        .route(
            "/key",
            route_get(|key: IdempotencyKey| async move { format!("{:?}", key.0) }),
        )
        .route(
            "/position",
            route_get(|p: MinPosition| async move { format!("{:?}", p.0) }),
        )
        .route(
            "/match",
            route_get(|tag: IfMatch| async move { format!("{:?}", tag.0) }),
        )
        .route("/no-match", route_get(|_: NoIfMatch| async { "fine" }))
        .route("/read", route_get(read)))
}

async fn send_with(path: &str, name: &str, values: &[&str]) -> Answer {
    let request = values
        .iter()
        .fold(get(path), |request, value| request.header(name, *value));
    send(&routes(), request).await
}

#[tokio::test]
async fn a_key_is_visible_ascii_once() {
    let longest = "k".repeat(255);
    assert_eq!(send_with("/key", "idempotency-key", &[]).await.body, "None");
    for key in ["a", "!~", &longest] {
        let answer = send_with("/key", "idempotency-key", &[key]).await;
        assert_eq!(answer.body, format!("Some({key:?})"));
    }
    let too_long = "k".repeat(256);
    for keys in [&[""][..], &["a b"], &["é"], &[&too_long], &["a", "a"]] {
        let answer = send_with("/key", "idempotency-key", keys).await;
        assert_eq!(
            answer.problem(),
            (400, "MALFORMED_REQUEST".to_owned()),
            "{keys:?}"
        );
    }
}

#[tokio::test]
async fn a_position_is_one_token_and_handed_on_as_it_stands() {
    assert_eq!(
        send_with("/position", "atlas-min-position", &[]).await.body,
        "None"
    );
    let answer = send_with("/position", "atlas-min-position", &["MS0x"]).await;
    assert_eq!(answer.body, "Some(\"MS0x\")");
    for positions in [&[""][..], &["a b"], &["MS0x", "MS0y"]] {
        let answer = send_with("/position", "atlas-min-position", positions).await;
        assert_eq!(
            answer.problem(),
            (400, "MALFORMED_REQUEST".to_owned()),
            "{positions:?}"
        );
    }
}

#[tokio::test]
async fn if_match_is_exactly_one_strong_version() {
    assert_eq!(send_with("/match", "if-match", &[]).await.body, "None");
    assert_eq!(
        send_with("/match", "if-match", &["\"7\""]).await.body,
        "Some(7)"
    );
    for tags in [
        &["*"][..],
        &["7"],
        &["\"\""],
        &["\"x\""],
        &["\"07\""],
        &["\"+7\""],
        &["\"-7\""],
        &["\"-0\""],
        &["\" 7\""],
        &["\"9223372036854775807\""],
        &["\"7\", \"8\""],
        &["\"99999999999999999999\""],
        &["\"7\"", "\"7\""],
    ] {
        let answer = send_with("/match", "if-match", tags).await;
        assert_eq!(
            answer.problem(),
            (400, "MALFORMED_REQUEST".to_owned()),
            "{tags:?}"
        );
    }
    let weak = send_with("/match", "if-match", &["W/\"7\""]).await;
    assert_eq!(weak.problem(), (400, "MALFORMED_REQUEST".to_owned()));
    assert!(weak.detail().contains("gateway"), "{}", weak.detail());
}

#[tokio::test]
async fn where_there_is_no_version_if_match_is_refused() {
    assert_eq!(send_with("/no-match", "if-match", &[]).await.body, "fine");
    let answer = send_with("/no-match", "if-match", &["\"7\""]).await;
    assert_eq!(answer.problem(), (400, "MALFORMED_REQUEST".to_owned()));
}

#[tokio::test]
async fn what_the_client_has_already_is_not_sent_again() {
    for (tags, status) in [
        (&[][..], 200),
        (&["\"7\""], 304),
        (&["W/\"7\""], 304),
        (&["\"6\", \"7\""], 304),
        (&["\"6\"", "\"7\""], 304),
        (&["*"], 304),
        (&["\"8\""], 200),
        (&["7"], 200),
    ] {
        let answer = send_with("/read", "if-none-match", tags).await;
        assert_eq!(answer.status, status, "{tags:?}");
        assert_eq!(answer.header("etag"), Some("\"7\""));
        assert_eq!(answer.body, if status == 200 { "seven" } else { "" });
    }
}
