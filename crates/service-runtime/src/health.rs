//! Health: whether the process lives, and whether what it depends on is there.
//!
//! Whoever watches a dependency holds its [`Dependency`] handle and says what it finds; answering
//! `/health/ready` only reads what was said last, so that it never waits for anything.

use std::error::Error;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::{OpenApi, ToSchema};

use crate::instruments::DEPENDENCY_UP;
use crate::lifecycle::Tasks;
use crate::log_lines::chain;
use crate::metrics::Metrics;

/// What a process depends on.
#[derive(Debug, Clone, Default)]
pub struct Health {
    dependencies: Vec<Dependency>,
    draining: CancellationToken,
}

impl Health {
    /// Of a process that has these tasks: it is not ready once it was told to stop.
    #[must_use]
    pub fn of(tasks: &Tasks) -> Self {
        Self {
            dependencies: Vec::new(),
            draining: tasks.draining(),
        }
    }

    /// Adds a dependency without which the process is not ready. It counts as down at first.
    pub fn require(&mut self, name: &'static str) -> Dependency {
        self.add(name, true)
    }

    /// Adds a dependency without which the process is degraded. It counts as down at first.
    pub fn prefer(&mut self, name: &'static str) -> Dependency {
        self.add(name, false)
    }

    fn add(&mut self, name: &'static str, required: bool) -> Dependency {
        let dependency = Dependency(Arc::new(State {
            name,
            required,
            seen: AtomicU8::new(NEVER_SEEN),
            detail: Mutex::default(),
        }));
        self.dependencies.push(dependency.clone());
        dependency
    }

    /// What is known now.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let stopping = self.draining.is_cancelled();
        let mut dependencies: Vec<_> = self
            .dependencies
            .iter()
            .map(|dependency| DependencyReadiness {
                name: dependency.0.name,
                required: dependency.0.required,
                ok: dependency.is_up(),
                detail: dependency.detail().clone(),
            })
            .collect();
        let missing = |dependency: &Dependency| dependency.0.required && dependency.is_down();
        if stopping {
            dependencies.push(DependencyReadiness {
                name: "process",
                required: true,
                ok: false,
                detail: Some("it was told to stop".to_owned()),
            });
        }
        let status = if stopping || self.dependencies.iter().any(missing) {
            ReadinessStatus::Unready
        } else if dependencies.iter().any(|d| !d.ok) {
            ReadinessStatus::Degraded
        } else {
            ReadinessStatus::Ready
        };
        Readiness {
            status,
            dependencies,
        }
    }

    /// Sets the gauges of what is known now.
    fn measure(&self) {
        for dependency in &self.dependencies {
            let up = if dependency.is_up() { 1.0 } else { 0.0 };
            DEPENDENCY_UP.of([dependency.0.name]).set(up);
        }
    }

    /// The routes `/health/live`, `/health/ready` and `/metrics`.
    pub fn router(self, metrics: Metrics) -> Router {
        let health = self.clone();
        metrics.measure_by(move || health.measure());
        Router::new()
            .route("/health/live", get(live))
            .route(
                "/health/ready",
                get(move || async move { self.readiness() }),
            )
            .route("/metrics", get(move || async move { exposition(&metrics) }))
    }
}

/// The OpenAPI description of the routes of [`Health::router`].
#[derive(OpenApi)]
#[openapi(paths(live, ready, metrics), components(schemas(Readiness)))]
pub struct HealthApi;

const NEVER_SEEN: u8 = 0;
const DOWN: u8 = 1;
const UP: u8 = 2;
const IMPAIRED: u8 = 3;

#[derive(Debug)]
struct State {
    name: &'static str,
    required: bool,
    seen: AtomicU8,
    /// What it waits for, where it is not up.
    detail: Mutex<Option<String>>,
}

/// A dependency, held by whoever watches it. Each change is logged once.
#[derive(Debug, Clone)]
pub struct Dependency(Arc<State>);

impl Dependency {
    /// Says that it answers.
    pub fn up(&self) {
        if self.becomes(UP, None) {
            tracing::info!(dependency = self.0.name, "dependency is up");
        }
    }

    /// Says that it does not, and why.
    pub fn down(&self, reason: &dyn Error) {
        self.down_for(&chain(reason));
    }

    /// Says that it does not, and why, in words.
    pub fn down_for(&self, reason: &str) {
        if self.becomes(DOWN, Some(reason)) {
            tracing::warn!(dependency = self.0.name, reason, "dependency is down");
        }
    }

    /// Says that it does not get on as it should, and why: the process is degraded for it, required
    /// or not.
    pub fn impaired(&self, reason: &str) {
        if self.becomes(IMPAIRED, Some(reason)) {
            tracing::warn!(dependency = self.0.name, reason, "dependency is impaired");
        }
    }

    /// Whether this is another state than before.
    fn becomes(&self, seen: u8, detail: Option<&str>) -> bool {
        *self.detail() = detail.map(str::to_owned);
        self.0.seen.swap(seen, Ordering::Relaxed) != seen
    }

    fn detail(&self) -> MutexGuard<'_, Option<String>> {
        self.0.detail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what was found: that it answers, or why not.
    pub fn report(&self, found: Result<(), &dyn Error>) {
        match found {
            Ok(()) => self.up(),
            Err(reason) => self.down(reason),
        }
    }

    /// The same without a line in the log, for whoever writes lines of its own.
    pub fn note(&self, found: Result<(), &dyn Error>) {
        match found {
            Ok(()) => self.becomes(UP, None),
            Err(reason) => self.becomes(DOWN, Some(&chain(reason))),
        };
    }

    /// Whether nothing can be done with it: it does not answer, or was never looked at.
    fn is_down(&self) -> bool {
        matches!(self.0.seen.load(Ordering::Relaxed), NEVER_SEEN | DOWN)
    }

    /// Whether it answered when last looked at.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.0.seen.load(Ordering::Relaxed) == UP
    }
}

/// Whether the process can do its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Readiness {
    /// The sum of the dependencies.
    pub status: ReadinessStatus,
    /// Each dependency.
    pub dependencies: Vec<DependencyReadiness>,
}

/// Whether the process can do its work, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReadinessStatus {
    /// Everything answers.
    Ready,
    /// Something that can be done without does not answer.
    Degraded,
    /// Something that is required does not answer.
    Unready,
}

/// Whether one dependency answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DependencyReadiness {
    /// Its name.
    pub name: &'static str,
    /// Whether the process is unready without it.
    pub required: bool,
    /// Whether it answers.
    pub ok: bool,
    /// What it waits for, where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub detail: Option<String>,
}

impl IntoResponse for Readiness {
    fn into_response(self) -> Response {
        let status = match self.status {
            ReadinessStatus::Ready | ReadinessStatus::Degraded => StatusCode::OK,
            ReadinessStatus::Unready => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(self)).into_response()
    }
}

/// Whether the process runs. It looks at nothing else.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "health",
    responses((status = 200, description = "the process runs"))
)]
async fn live() -> StatusCode {
    StatusCode::OK
}

/// Whether the process can do its work, by what it last saw of its dependencies.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "health",
    responses(
        (status = 200, description = "ready or degraded", body = Readiness),
        (status = 503, description = "a required dependency is down", body = Readiness),
    )
)]
#[expect(
    dead_code,
    reason = "the route is a closure; this carries its description"
)]
fn ready() {}

/// Metrics in Prometheus's text format.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses((status = 200, description = "all metrics", content_type = "text/plain"))
)]
#[expect(
    dead_code,
    reason = "the route is a closure; this carries its description"
)]
fn metrics() {}

fn exposition(metrics: &Metrics) -> impl IntoResponse + use<> {
    const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.render())
}

#[cfg(test)]
mod tests {
    use std::io::Error;

    use serde_json::json;

    use super::*;

    fn refused() -> Error {
        Error::other("connection refused")
    }

    #[test]
    fn the_worst_dependency_decides() {
        let mut health = Health::default();
        let (postgres, kafka) = (health.require("postgres"), health.prefer("kafka"));
        let status = |health: &Health| health.readiness().status;
        assert_eq!(
            status(&health),
            ReadinessStatus::Unready,
            "nothing was seen yet"
        );
        postgres.up();
        assert_eq!(status(&health), ReadinessStatus::Degraded);
        kafka.up();
        assert_eq!(status(&health), ReadinessStatus::Ready);
        kafka.down(&refused());
        assert_eq!(status(&health), ReadinessStatus::Degraded);
        postgres.down(&refused());
        assert_eq!(status(&health), ReadinessStatus::Unready);
    }

    #[test]
    fn only_a_missing_required_dependency_is_503() {
        let mut health = Health::default();
        let (postgres, _kafka) = (health.require("postgres"), health.prefer("kafka"));
        let status = |health: &Health| health.readiness().into_response().status();
        assert_eq!(status(&health), 503);
        postgres.up();
        assert_eq!(status(&health), 200);
    }

    #[test]
    fn readiness_names_each_dependency() {
        let mut health = Health::default();
        health.require("postgres").up();
        health.prefer("kafka");
        health.prefer("redis").note(Err(&refused()));
        assert_eq!(
            serde_json::to_value(health.readiness()).unwrap(),
            json!({
                "status": "degraded",
                "dependencies": [
                    {"name": "postgres", "required": true, "ok": true},
                    {"name": "kafka", "required": false, "ok": false},
                    {"name": "redis", "required": false, "ok": false,
                     "detail": "connection refused"},
                ],
            })
        );
    }

    #[test]
    fn whoever_was_told_to_stop_is_not_ready_and_says_so() {
        let mut health = Health::default();
        health.require("postgres").up();
        assert_eq!(health.readiness().status, ReadinessStatus::Ready);
        health.draining.cancel();
        let readiness = health.readiness();
        assert_eq!(readiness.status, ReadinessStatus::Unready);
        let last = readiness.dependencies.last().unwrap();
        assert_eq!((last.name, last.ok), ("process", false));
    }

    #[test]
    fn what_does_not_get_on_degrades_required_or_not_and_says_what_it_waits_for() {
        let mut health = Health::default();
        let orders = health.require("orders");
        orders.impaired("it begins again");
        let readiness = health.readiness();
        assert_eq!(readiness.status, ReadinessStatus::Degraded);
        let detail = readiness.dependencies[0].detail.as_deref();
        assert_eq!(detail, Some("it begins again"));
        orders.up();
        let readiness = health.readiness();
        assert_eq!(readiness.status, ReadinessStatus::Ready);
        assert_eq!(readiness.dependencies[0].detail, None);
    }
}
