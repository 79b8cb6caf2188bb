//! What is seen of a request: a span in the caller's trace, one line when it was answered, and
//! the time that it took.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, Method, StatusCode};
use axum::response::Response;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::headers::single;
use crate::instruments::{HTTP_FAILURES, HTTP_REQUEST_SECONDS, NO_CODE};
use crate::{Code, Problem, RequestId};

/// Makes a span a part of the trace that a `traceparent` names, if there is a well-formed one.
pub type ContinueTrace = fn(&Span, Option<&str>);

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A request that is observed.
pub(crate) struct Observed {
    span: Span,
    method: &'static str,
    route: String,
    started: Instant,
}

/// Begins to observe a request, in the trace of whoever sends it.
pub(crate) fn observe(continue_trace: ContinueTrace, request: &Request) -> Observed {
    let method = known_method(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .cloned()
        .map_or_else(|| "(none)".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!(
        "http.request",
        otel.kind = "server",
        otel.name = format!("{method} {route}"),
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        request_id = request
            .extensions()
            .get::<RequestId>()
            .map(RequestId::as_str),
        actor = Empty,
    );
    let traceparent = single(request.headers(), &TRACEPARENT).ok().flatten();
    continue_trace(&span, traceparent);
    Observed {
        span,
        method,
        route,
        started: Instant::now(),
    }
}

impl Observed {
    /// The answer that `answer` gives, told of.
    pub(crate) async fn around(self, answer: impl Future<Output = Response>) -> Response {
        async {
            let response = answer.await;
            record(self.method, self.route, &response, self.started.elapsed());
            response
        }
        .instrument(self.span)
        .await
    }
}

fn record(method: &'static str, route: String, response: &Response, took: Duration) {
    let status = response.status();
    let span = Span::current();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    HTTP_REQUEST_SECONDS
        .of([method, &route, class(status)])
        .record(took);
    let problem = response.extensions().get::<Problem>();
    if status.is_server_error() && !problem.is_some_and(Problem::is_planned) {
        let code = problem.map(Problem::code).map_or(NO_CODE, Code::as_str);
        HTTP_FAILURES.of([code]).increment(1);
    }
    log(method, &route, response, took);
}

fn log(method: &'static str, route: &str, response: &Response, took: Duration) {
    let status = response.status().as_u16();
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let problem = response.extensions().get::<Problem>();
    let code = problem.map(|problem| problem.code().as_str());
    let detail = problem.map(Problem::detail);
    let cause = problem
        .and_then(Problem::cause)
        .map(|cause| cause as &(dyn std::error::Error + 'static));
    match status {
        500 => tracing::error!(
            method,
            route,
            status,
            duration_ms,
            code,
            detail,
            cause,
            "failed"
        ),
        501.. => tracing::warn!(
            method,
            route,
            status,
            duration_ms,
            code,
            detail,
            cause,
            "failed"
        ),
        _ => tracing::info!(
            method,
            route,
            status,
            duration_ms,
            code,
            detail,
            cause,
            "answered"
        ),
    }
}

/// The status without its particulars: a code says more than they do.
fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

/// Keeps made-up methods from making up labels.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}
