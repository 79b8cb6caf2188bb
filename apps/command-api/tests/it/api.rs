//! The application in process, requests to it, and what it answers.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, Request, StatusCode, header};
use chrono::{DateTime, TimeDelta, Utc};
use command_api::{ACCESS, AppState, app, store_pool};
use event_store::Executor;
use http_body_util::BodyExt;
use http_edge::{Edge, Gate, Keys, Limits, TokenVerifier};
use kernel::{Actor, Clock, RandomIds};
use serde_json::Value;
use service_runtime::DatabaseConfig;
use service_runtime::config::Reader;
use test_support::{Answered, Document};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::people::{SECRET, token};

/// A clock that is moved by hand.
pub(crate) struct HandClock(Mutex<DateTime<Utc>>);

impl HandClock {
    /// The instant at which every test begins.
    pub(crate) fn at_noon() -> Arc<Self> {
        let noon = "2026-11-25T12:00:00Z".parse().expect("an instant");
        Arc::new(Self(Mutex::new(noon)))
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        *self.0.lock().expect("no panic while it was moved") += by;
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("no panic while it was moved")
    }
}

/// One instance of the application.
#[derive(Clone)]
pub(crate) struct Api(Router);

impl Api {
    /// An instance over the database at `url`, whose requests may take `timeout`.
    pub(crate) fn start(url: &str, clock: Arc<HandClock>, timeout: Duration) -> Self {
        Self::limited(url, clock, timeout, Limits::none())
    }

    /// The same, where principals may not ask as often as they like.
    pub(crate) fn limited(
        url: &str,
        clock: Arc<HandClock>,
        timeout: Duration,
        limits: Limits,
    ) -> Self {
        let database = Reader::of([("ATLAS_DATABASE_URL", url)])
            .read::<DatabaseConfig>()
            .expect("a database URL");
        let verifier = TokenVerifier::new(
            Keys::hs256(SECRET.as_bytes()).expect("a long secret"),
            "artisan-atlas".to_owned(),
            "artisan-atlas".to_owned(),
            clock.clone(),
        );
        let gate = Gate::new(verifier, ACCESS, limits);
        let ids = Arc::new(RandomIds);
        let executor = Executor::new(store_pool(&database), TaskTracker::new());
        let state = AppState::new(executor, gate, clock, ids.clone(), timeout);
        let edge = Edge {
            ids,
            timeout,
            max_in_flight: 1000,
            continue_trace: |_, _| {},
        };
        Self(app(state, edge, Router::new()))
    }

    pub(crate) fn post(&self, path: impl Into<String>) -> Call {
        self.call("POST", path)
    }

    pub(crate) fn put(&self, path: impl Into<String>) -> Call {
        self.call("PUT", path)
    }

    pub(crate) fn patch(&self, path: impl Into<String>) -> Call {
        self.call("PATCH", path)
    }

    pub(crate) fn call(&self, method: &'static str, path: impl Into<String>) -> Call {
        Call {
            api: self.clone(),
            path: path.into(),
            request: Request::builder().method(method),
            body: Body::empty(),
        }
    }
}

/// A request in the making.
pub(crate) struct Call {
    api: Api,
    path: String,
    request: axum::http::request::Builder,
    body: Body,
}

impl Call {
    pub(crate) fn by(self, actor: Actor) -> Self {
        self.header(header::AUTHORIZATION, &format!("Bearer {}", token(actor)))
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header(HeaderName::from_static("idempotency-key"), key)
    }

    pub(crate) fn if_match(self, tag: &str) -> Self {
        self.header(header::IF_MATCH, tag)
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.raw(body.to_string())
    }

    /// A body declared as JSON that need not be any.
    pub(crate) fn raw(self, body: impl Into<Body>) -> Self {
        let mut call = self.header(header::CONTENT_TYPE, "application/json");
        call.body = body.into();
        call
    }

    /// A body declared as nothing.
    pub(crate) fn undeclared(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends, and returns the body as text.
    pub(crate) async fn send_for_text(self) -> String {
        let request = self
            .request
            .uri(&self.path)
            .body(self.body)
            .expect("a request");
        let response = self.api.0.oneshot(request).await.expect("an answer");
        let bytes = response.into_body().collect().await.expect("a whole body");
        String::from_utf8(bytes.to_bytes().to_vec()).expect("text")
    }

    pub(crate) async fn send(self) -> Reply {
        let request = self
            .request
            .uri(&self.path)
            .header("x-request-id", "r-1")
            .body(self.body)
            .expect("a request");
        let method = request.method().clone();
        let response = self.api.0.oneshot(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
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
    static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
        Document::new(serde_json::to_value(command_api::openapi()).expect("JSON"))
    });
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
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("text"))
    }

    /// The body of a problem, whose headers and status are as they must be.
    #[track_caller]
    pub(crate) fn problem(&self) -> Value {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        assert_eq!(self.body["status"], self.status.as_u16());
        assert_eq!(self.body["requestId"], "r-1");
        assert_eq!(self.header("x-request-id"), Some("r-1"));
        self.body.clone()
    }

    /// Status and code of a problem, or the status alone.
    pub(crate) fn outcome(&self) -> String {
        match self.body["code"].as_str() {
            Some(code) => format!("{} {code}", self.status.as_u16()),
            None => self.status.as_u16().to_string(),
        }
    }

    /// The answer to an accepted command on an order: version and state.
    #[track_caller]
    pub(crate) fn accepted(&self) -> (i64, String) {
        assert!(self.status.is_success(), "{self:?}");
        let version = self.body["version"].as_i64().expect("a version");
        assert_eq!(self.header("etag"), Some(format!("\"{version}\"").as_str()));
        let state = self.body["state"].as_str().expect("a state").to_owned();
        (version, state)
    }
}
