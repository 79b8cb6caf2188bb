//! Whatever is sent to an extractor or a header's parser, the answer is a success or a problem of
//! 4xx, and nothing of it depends on luck.

use std::cell::RefCell;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request};
use axum::routing::{get as route_get, post as route_post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt;
use http_edge::{
    IdempotencyKey, IfMatch, IfNoneMatch, JsonBody, Listing, MinPosition, NoIfMatch, Page, Path,
    Principal, Problem, Query, RequestId,
};
use kernel::OrderId;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt;

use crate::app::{app, bearer, claims, token};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only read")]
struct Everything {
    text: Option<String>,
    small: Option<u8>,
    large: Option<i64>,
    float: Option<f64>,
    flag: Option<bool>,
    kind: Option<Kind>,
    nested: Option<Box<Everything>>,
    list: Option<Vec<Everything>>,
    anything: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    One,
    Other,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only read")]
struct Filter {
    state: Option<Kind>,
    workshop_id: Option<String>,
    number: Option<String>,
}

async fn list(
    _: Principal,
    _: Query<Filter>,
    page: Page,
    _: MinPosition,
    _: IfNoneMatch,
) -> Result<String, Problem> {
    let after: Option<(i64, String)> = page.after(&Listing::of(&"things"))?;
    Ok(format!("{after:?}"))
}

async fn command(
    _: Principal,
    _: RequestId,
    _: IdempotencyKey,
    _: IfMatch,
    _: JsonBody<Everything>,
) -> &'static str {
    "done"
}

fn everything() -> Router {
    app(Router::new()
        .route("/who", route_get(list))
        .route("/orders", route_post(command))
        .route(
            "/paths/{id}/{number}",
            route_get(async |_: Path<(OrderId, u32)>, _: NoIfMatch| "there"),
        ))
}

thread_local! {
    static APP: RefCell<(Runtime, Router)> = RefCell::new((
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        everything(),
    ));
}

/// Sends a request, and insists on an answer that is in order.
fn answers(request: Request<Body>) -> Result<u16, TestCaseError> {
    let shown = format!("{request:?}");
    APP.with_borrow(|(runtime, app)| {
        runtime.block_on(async {
            let response = app.clone().oneshot(request).await.unwrap();
            let (head, body) = response.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let status = head.status.as_u16();
            prop_assert!(status < 500, "{status} to {shown}");
            prop_assert!(head.headers.contains_key("x-request-id"));
            if status >= 400 {
                prop_assert_eq!(&head.headers["content-type"], "application/problem+json");
                let problem: Value = serde_json::from_slice(&body).unwrap();
                prop_assert_eq!(&problem["status"], &json!(status));
                prop_assert!(problem["code"].is_string() && problem["requestId"].is_string());
                let detail = problem["detail"].as_str().unwrap();
                prop_assert!(!detail.is_empty() && !detail.contains('\n'), "{detail:?}");
            }
            Ok(status)
        })
    })
}

/// What a header can hold: any bytes but controls; mostly what looks like something.
fn header_value() -> impl Strategy<Value = HeaderValue> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        "(W/)?\"?-?[0-9]{0,25}\"?(, ?\"[0-9]\")?".prop_map(String::into_bytes),
        "[A-Za-z0-9_=-]{0,140}".prop_map(String::into_bytes),
        "\\PC{0,40}".prop_map(String::into_bytes),
    ];
    bytes.prop_filter_map("no header", |bytes| HeaderValue::from_bytes(&bytes).ok())
}

fn header_name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(
        &[
            "idempotency-key",
            "if-match",
            "if-none-match",
            "atlas-min-position",
            "x-request-id",
            "traceparent",
            "content-type",
            "content-length",
            "content-encoding",
            "authorization",
            "accept",
            "expect",
        ][..],
    )
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let name = prop_oneof![
            prop::sample::select(
                &[
                    "text", "small", "large", "float", "flag", "kind", "nested", "list", "anything"
                ][..]
            )
            .prop_map(str::to_owned),
            "\\PC{0,5}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Bytes that are JSON, or were before something happened to them.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let whole = json_value().prop_map(|value| value.to_string().into_bytes());
    let broken = (
        whole.boxed(),
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    )
        .prop_map(|(mut bytes, changes)| {
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        });
    prop_oneof![
        3 => broken,
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => "[\\[\\]{}\",:0-9eE.+-]{0,60}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn headers(headers in prop::collection::vec((header_name(), header_value()), 0..6)) {
        for signed in [true, false] {
            for mut request in [
                Request::get("/who"),
                Request::post("/orders"),
                Request::get("/paths/01890000-0000-7000-8000-000000000001/7"),
            ] {
                if signed {
                    request = request.header("authorization", bearer("commissioner"));
                }
                for (name, value) in &headers {
                    request = request.header(*name, value);
                }
                answers(request.body("{}".into()).unwrap())?;
            }
        }
    }

    #[test]
    fn bodies(body in body()) {
        let request = Request::post("/orders")
            .header("authorization", bearer("commissioner"))
            .header("content-type", "application/json");
        let status = answers(request.body(body.into()).unwrap())?;
        prop_assert!(matches!(status, 200 | 400), "{status}");
    }

    #[test]
    fn queries(query in "(limit|cursor|state|workshopId|number|[a-z%]{0,3})=([0-9-]{0,12}|[\\PC&&[^#]]{0,20}|%[0-9a-fA-F]{0,2}){0,2}(&(limit|cursor)=[A-Za-z0-9_%-]{0,30}){0,2}") {
        let uri = format!("/who?{query}");
        prop_assume!(uri.parse::<axum::http::Uri>().is_ok());
        let request = Request::get(uri).header("authorization", bearer("analyst"));
        let status = answers(request.body(Body::empty()).unwrap())?;
        prop_assert!(matches!(status, 200 | 400), "{status}");
    }

    #[test]
    fn cursors(
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        key in (any::<i64>(), "\\PC{0,12}"),
        change in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let ours = Listing::of(&"things").next(&key);
        let mut changed = ours.clone().into_bytes();
        let at = change.index(changed.len());
        changed[at] = b"ABCDEFGHabcdefgh0123456789-_="[usize::from(byte) % 29];
        let changed = String::from_utf8(changed).unwrap();
        for cursor in [ours, changed, URL_SAFE_NO_PAD.encode(bytes)] {
            let request = Request::get(format!("/who?cursor={cursor}"));
            let request = request.header("authorization", bearer("analyst"));
            let status = answers(request.body(Body::empty()).unwrap())?;
            prop_assert!(matches!(status, 200 | 400), "{status}");
        }
    }

    #[test]
    fn paths(path in "/paths(/([0-9a-fA-F-]{0,40}|%[0-9a-fA-F]{2}|[a-zA-Z0-9._~!$&'()*+,;=:@-]{0,12})){0,4}") {
        let request = Request::get(path.as_str());
        let status = answers(request.body(Body::empty()).unwrap())?;
        prop_assert!(matches!(status, 200 | 400 | 404), "{status} to {path}");
    }

    #[test]
    fn tokens(
        header in json_value(),
        claims_changed in prop::collection::vec((prop::sample::select(&["sub", "role", "iss", "aud", "exp", "nbf", "name"][..]), json_value()), 0..3),
        raw in "[A-Za-z0-9_.=-]{0,80}",
    ) {
        let mut claims = claims("commissioner");
        for (name, value) in claims_changed {
            claims[name] = value;
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let forged = format!("{}.{}.{}", part(&header), part(&claims), raw);
        for token in [forged, raw, token(&claims)] {
            let request = Request::get("/who").header("authorization", format!("Bearer {token}"));
            let status = answers(request.body(Body::empty()).unwrap())?;
            prop_assert!(matches!(status, 200 | 401), "{status}");
        }
    }
}
