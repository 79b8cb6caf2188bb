//! The application under test, and how to call it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::FromRef;
use axum::http::{HeaderMap, Request, StatusCode, request};
use chrono::{DateTime, Utc};
use http_body_util::BodyExt;
use http_edge::{Access, Edge, Gate, Keys, Limits, Relation, Row, TokenVerifier};
use jsonwebtoken::{EncodingKey, Header};
use kernel::{Clock, IdSource, Role};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

pub(crate) const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
pub(crate) const SUBJECT: &str = "01890000-0000-7000-8000-000000000001";
pub(crate) const FRESH_ID: &str = "01890000-0000-7000-8000-0000000000ff";
/// The instant at which every test takes place, in seconds.
pub(crate) const NOW: i64 = 1_800_000_000;

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(NOW, 0).unwrap()
    }
}

struct FixedIds;

impl IdSource for FixedIds {
    fn next(&self) -> Uuid {
        FRESH_ID.parse().unwrap()
    }
}

#[derive(Clone)]
pub(crate) struct State {
    gate: Arc<Gate>,
}

impl FromRef<State> for Arc<Gate> {
    fn from_ref(state: &State) -> Self {
        Arc::clone(&state.gate)
    }
}

const EVERYBODY: &[(Role, Relation)] = &[
    (Role::Commissioner, Relation::Any),
    (Role::Workshop, Relation::Any),
    (Role::Operator, Relation::Any),
    (Role::Analyst, Relation::Any),
];

/// Who may use the routes of the tests.
const ACCESS: Access = Access(&[
    Row::get("/who", EVERYBODY),
    Row::get("/things/{n}", EVERYBODY),
    Row::post("/orders", &[(Role::Commissioner, Relation::Any)]),
    Row::get("/commissioners/{n}", &[(Role::Commissioner, Relation::Any)]),
]);

pub(crate) fn edge() -> Edge {
    Edge {
        ids: Arc::new(FixedIds),
        timeout: Duration::from_secs(10),
        max_in_flight: 100,
        continue_trace: |_, _| {},
    }
}

/// `routes` behind the whole stack.
pub(crate) fn app(routes: Router<State>) -> Router {
    edge().around(with_state(routes), Router::new())
}

/// The same, for tokens that these keys verify.
pub(crate) fn app_with(keys: Keys, routes: Router<State>) -> Router {
    edge().around(with_gate(routes, keys, Limits::none()), Router::new())
}

/// The same, where principals may not ask as often as they like.
pub(crate) fn limited_app(limits: Limits, routes: Router<State>) -> Router {
    let keys = Keys::hs256(SECRET).unwrap();
    edge().around(with_gate(routes, keys, limits), Router::new())
}

pub(crate) fn with_state(routes: Router<State>) -> Router {
    with_gate(routes, Keys::hs256(SECRET).unwrap(), Limits::none())
}

fn with_gate(routes: Router<State>, keys: Keys, limits: Limits) -> Router {
    let verifier = TokenVerifier::new(
        keys,
        "artisan-atlas".to_owned(),
        "artisan-atlas".to_owned(),
        Arc::new(FixedClock),
    );
    routes.with_state(State {
        gate: Arc::new(Gate::new(verifier, ACCESS, limits)),
    })
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Status and code of a problem.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        (
            self.status.as_u16(),
            body["code"].as_str().unwrap().to_owned(),
        )
    }

    /// The detail of a problem.
    pub(crate) fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn get(path: &str) -> request::Builder {
    Request::get(path)
}

pub(crate) fn post(path: &str) -> request::Builder {
    Request::post(path)
}

/// Sends a request without a body.
pub(crate) async fn send(app: &Router, request: request::Builder) -> Answer {
    send_body(app, request, Body::empty()).await
}

/// Sends a request.
pub(crate) async fn send_body(
    app: &Router,
    request: request::Builder,
    body: impl Into<Body>,
) -> Answer {
    let request = request.body(body.into()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answer {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8(bytes.to_vec()).unwrap(),
    }
}

/// Claims that are valid in every respect.
pub(crate) fn claims(role: &str) -> Value {
    json!({
        "sub": SUBJECT, "role": role,
        "iss": "artisan-atlas", "aud": "artisan-atlas", "exp": NOW + 600,
    })
}

/// A token of these claims, signed with the right secret.
pub(crate) fn token(claims: &Value) -> String {
    sign(&Header::default(), claims, SECRET)
}

pub(crate) fn sign(header: &Header, claims: &Value, secret: &[u8]) -> String {
    jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// The header's value for a principal in `role`.
pub(crate) fn bearer(role: &str) -> String {
    format!("Bearer {}", token(&claims(role)))
}
