//! The application in process, requests to it, and what it answers.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, Request, Response, StatusCode, header};
use chrono::{DateTime, Utc};
use event_store::Wakeups;
use http_body_util::BodyExt;
use http_edge::{Edge, Gate, Keys, Limits, TokenVerifier};
use kernel::{Actor, Clock, RandomIds};
use query_api::{ACCESS, AppState, app};
use serde_json::Value;
use sqlx::PgPool;
use test_support::{Answered, Document};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::people::{SECRET, token};

/// A clock that is set by hand.
pub(crate) struct HandClock(Mutex<DateTime<Utc>>);

impl HandClock {
    /// A clock that stands at this instant.
    pub(crate) fn at(instant: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(instant.parse().unwrap())))
    }

    pub(crate) fn set(&self, instant: &str) {
        *self.0.lock().unwrap() = instant.parse().unwrap();
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }
}

/// One instance of the application.
#[derive(Clone)]
pub(crate) struct Api(Router, CancellationToken);

impl Api {
    pub(crate) fn start(pool: PgPool, clock: Arc<HandClock>, min_position_wait: Duration) -> Self {
        let verifier = TokenVerifier::new(
            Keys::hs256(SECRET.as_bytes()).unwrap(),
            "artisan-atlas".to_owned(),
            "artisan-atlas".to_owned(),
            clock.clone(),
        );
        let gate = Gate::new(verifier, ACCESS, Limits::none());
        let closing = CancellationToken::new();
        let state = AppState::new(pool, gate, clock, min_position_wait, Wakeups::new())
            .closing_with(closing.clone());
        let edge = Edge {
            ids: Arc::new(RandomIds),
            timeout: Duration::from_secs(10),
            max_in_flight: 100,
            continue_trace: |_, _| {},
        };
        Self(app(state, edge, Router::new()), closing)
    }

    /// Has its streams end, as a server does that leaves.
    pub(crate) fn close(&self) {
        self.1.cancel();
    }

    pub(crate) fn get(&self, path: impl Into<String>) -> Call {
        self.call("GET", path)
    }

    pub(crate) fn call(&self, method: &'static str, path: impl Into<String>) -> Call {
        Call {
            api: self.clone(),
            path: path.into(),
            request: Request::builder().method(method),
        }
    }
}

/// A request in the making.
pub(crate) struct Call {
    api: Api,
    path: String,
    request: axum::http::request::Builder,
}

impl Call {
    pub(crate) fn by(self, actor: Actor) -> Self {
        self.header(
            header::AUTHORIZATION.as_str(),
            &format!("Bearer {}", token(actor)),
        )
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Sends, and returns the body as text.
    pub(crate) async fn send_for_text(self) -> String {
        let request = self
            .request
            .uri(&self.path)
            .body(Body::empty())
            .expect("a request");
        let response = self.api.0.oneshot(request).await.expect("an answer");
        let bytes = response.into_body().collect().await.expect("a whole body");
        String::from_utf8(bytes.to_bytes().to_vec()).expect("text")
    }

    /// Sends, and returns the answer while its body is still under way.
    pub(crate) async fn send_for_stream(self) -> Response<Body> {
        let request = self.request.uri(&self.path).body(Body::empty()).unwrap();
        self.api.0.oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(self) -> Reply {
        let request = self.request.uri(&self.path).body(Body::empty()).unwrap();
        let method = request.method().clone();
        let response = self.api.0.oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let reply = Reply {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        };
        is_described(method.as_str(), &self.path, &reply);
        reply
    }
}

/// Holds an answer against the document: whatever a test of this crate is answered is described.
#[track_caller]
fn is_described(method: &str, path: &str, reply: &Reply) {
    static DOCUMENT: LazyLock<Document> =
        LazyLock::new(|| Document::new(serde_json::to_value(query_api::openapi()).expect("JSON")));
    let headers: Vec<_> = reply.headers.keys().map(HeaderName::as_str).collect();
    let described = DOCUMENT.describes(Answered {
        method,
        path: path.split('?').next().unwrap_or_default(),
        status: reply.status.as_u16(),
        headers: &headers,
        body: &reply.body,
    });
    if let Err(difference) = described {
        panic!("{method} {path}: {difference}: {reply:?}");
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status and code of a problem, or the status alone: a dead letter has a code too.
    pub(crate) fn outcome(&self) -> String {
        match self.body["code"].as_str() {
            Some(code) if !self.status.is_success() => format!("{} {code}", self.status.as_u16()),
            Some(_) | None => self.status.as_u16().to_string(),
        }
    }
}
