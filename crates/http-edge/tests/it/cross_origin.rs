//! Pages of other origins: those that are named may ask, and no others.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, header};
use axum::routing::post;
use http_edge::cross_origin;
use tower::ServiceExt;

const PAGES: &str = "http://127.0.0.1:8081";

async fn send(method: Method, origin: &str) -> Response<Body> {
    let router = Router::new()
        .route("/v1/orders", post(|| async { "done" }))
        .layer(cross_origin(vec![HeaderValue::from_static(PAGES)]));
    let request = Request::builder()
        .method(method)
        .uri("/v1/orders")
        .header(header::ORIGIN, origin)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(
            header::ACCESS_CONTROL_REQUEST_HEADERS,
            "authorization,prefer,if-match",
        )
        .body(Body::empty());
    router.oneshot(request.unwrap()).await.unwrap()
}

fn header_of(response: &Response<Body>, name: header::HeaderName) -> &str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_named_page_may_ask_beforehand_without_a_token() {
    let response = send(Method::OPTIONS, PAGES).await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        header_of(&response, header::ACCESS_CONTROL_ALLOW_ORIGIN),
        PAGES
    );
    let headers = header_of(&response, header::ACCESS_CONTROL_ALLOW_HEADERS);
    for wanted in [
        "authorization",
        "if-match",
        "idempotency-key",
        "prefer",
        "last-event-id",
    ] {
        assert!(headers.contains(wanted), "{wanted} is not among {headers}");
    }
    assert!(!headers.contains('*'));
}

#[tokio::test]
async fn a_named_page_reads_what_our_answers_say() {
    let response = send(Method::POST, PAGES).await;
    assert_eq!(
        header_of(&response, header::ACCESS_CONTROL_ALLOW_ORIGIN),
        PAGES
    );
    let exposed = header_of(&response, header::ACCESS_CONTROL_EXPOSE_HEADERS);
    for wanted in [
        "etag",
        "location",
        "retry-after",
        "atlas-position",
        "ratelimit",
    ] {
        assert!(exposed.contains(wanted), "{wanted} is not among {exposed}");
    }
    assert!(header_of(&response, header::VARY).contains("origin"));
}

#[tokio::test]
async fn other_pages_read_nothing() {
    for origin in ["http://evil.example", "null", "http://127.0.0.1:80811"] {
        for method in [Method::OPTIONS, Method::POST] {
            let response = send(method, origin).await;
            assert_eq!(
                header_of(&response, header::ACCESS_CONTROL_ALLOW_ORIGIN),
                ""
            );
        }
    }
}
