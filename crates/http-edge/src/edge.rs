//! The layers around every route, in their one order.
//!
//! From the outside in: `seal` (request id, headers of every answer, problems completed), then for
//! API routes alone `surround`: it is observed (span, metrics, log line), its head is bounded, it is
//! admitted (bounded concurrency) and has a deadline; innermost, panics become 500. They are one
//! layer because each layer of a router costs every request two boxes and a copy of what lies
//! within. Health, metrics and documents stand outside of the bounds: they must answer when the API
//! is full.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use kernel::IdSource;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;

use crate::limits::Report;
use crate::observe::{ContinueTrace, observe};
use crate::place::Place;
use crate::problem::Occurrence;
use crate::request_id::X_REQUEST_ID;
use crate::write_mark::WriteMark;
use crate::{Code, Outcome, Problem, RequestId};

/// The most bytes that a request's path, query and headers have together.
const LARGEST_HEAD: usize = 16 * 1024;
/// The most headers that a request has.
const MOST_HEADERS: usize = 64;

/// What surrounds the routes of an API.
#[derive(Clone)]
pub struct Edge {
    /// Gives ids to requests that bring none.
    pub ids: Arc<dyn IdSource>,
    /// How long a request may take before it is answered with 504.
    pub timeout: Duration,
    /// How many requests may be under way at once; one more is answered with 503.
    pub max_in_flight: usize,
    /// Takes up the caller's trace.
    pub continue_trace: ContinueTrace,
}

impl Edge {
    /// Puts the layers around `api`, the routes of the contract, and `open`, the routes that must
    /// always answer (health, metrics, documents).
    pub fn around(self, api: Router, open: Router) -> Router {
        let api = api
            .fallback(no_such_route)
            .method_not_allowed_fallback(wrong_method);
        self.layers(api, open)
    }

    /// The same around the routes of commands: who wants to read is told where.
    pub fn around_commands(self, api: Router, open: Router) -> Router {
        let api = api
            .fallback(no_such_command)
            .method_not_allowed_fallback(no_command_by_that);
        self.layers(api, open)
    }

    fn layers(self, api: Router, open: Router) -> Router {
        let bounds = Bounds {
            timeout: self.timeout,
            in_flight: Arc::new(Semaphore::new(self.max_in_flight)),
            continue_trace: self.continue_trace,
        };
        let api = api.layer(from_fn_with_state(bounds, surround));
        let open = open
            .method_not_allowed_fallback(wrong_method)
            .layer(map_response(as_problem))
            .layer(CatchPanicLayer::custom(panicked));
        api.merge(open).layer(from_fn_with_state(self.ids, seal))
    }
}

/// What the requests of API routes are held to.
#[derive(Clone)]
struct Bounds {
    timeout: Duration,
    in_flight: Arc<Semaphore>,
    continue_trace: ContinueTrace,
}

/// The layer of the API routes.
async fn surround(State(bounds): State<Bounds>, mut request: Request, next: Next) -> Response {
    observe(bounds.continue_trace, &request)
        .around(async {
            if let Err(refused) = bound_head(&request) {
                return refused.into_response();
            }
            let place = match Place::among(bounds.in_flight) {
                Ok(place) => place,
                Err(overloaded) => return overloaded.into_response(),
            };
            request.extensions_mut().insert(place.clone());
            let mark = WriteMark::of(request.extensions());
            let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
            let response = match tokio::time::timeout(bounds.timeout, answer).await {
                Ok(Ok(response)) => response,
                Ok(Err(panic)) => panicked(panic),
                Err(_) => too_late(mark.outcome()).into_response(),
            };
            drop(place);
            response
        })
        .await
}

async fn no_such_route() -> Problem {
    Problem::not_found("there is no such path; see /openapi.json for those that there are")
}

/// Where what is not a command is found.
const READS: &str = "commands are given here; what is read is at the query API, under the same paths \
                     (in development http://127.0.0.1:8081)";

async fn no_such_command(method: Method) -> Problem {
    if method.is_safe() {
        Problem::not_found(READS)
    } else {
        no_such_route().await
    }
}

async fn no_command_by_that(method: Method) -> Problem {
    if method.is_safe() {
        Problem::new(Code::MethodNotAllowed, READS)
    } else {
        wrong_method().await
    }
}

/// What is not found beside the routes of the contract, such as a file of the documents.
async fn as_problem(response: Response) -> Response {
    if response.status() == StatusCode::NOT_FOUND {
        return no_such_route().await.into_response();
    }
    response
}

async fn wrong_method() -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        "this path does not take this method; the Allow header lists those that it takes",
    )
}

/// The panic itself was logged where it happened.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    Problem::bug().into_response()
}

fn too_late(outcome: Outcome) -> Problem {
    let detail = match outcome {
        Outcome::None => "the request took too long and was given up; nothing was changed",
        Outcome::Unknown => {
            "the request took too long; it may still change something: only the Idempotency-Key \
             with which it was sent, if any, makes it safe to repeat"
        }
    };
    Problem::new(Code::Timeout, detail).with_outcome(outcome)
}

fn bound_head(request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let sizes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    let uri = request
        .uri()
        .path_and_query()
        .map_or(0, |it| it.as_str().len());
    if headers.len() > MOST_HEADERS || uri + sizes.sum::<usize>() > LARGEST_HEAD {
        return Err(Problem::malformed(
            "the path and headers are larger than 16 KiB together, or there are more than 64 \
             headers",
        ));
    }
    if headers.get_all(header::HOST).iter().nth(1).is_some() {
        return Err(Problem::malformed("send the header Host once"));
    }
    Ok(())
}

async fn seal(State(ids): State<Arc<dyn IdSource>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers(), &*ids);
    let mark = WriteMark::default();
    let report = Report::default();
    let path = request.uri().path().to_owned();
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(mark.clone());
    request.extensions_mut().insert(report.clone());
    let mut response = next.run(request).await;
    let occurrence = Occurrence {
        path: &path,
        request_id: id.as_str(),
        outcome: mark.outcome(),
    };
    Problem::complete(&mut response, occurrence);
    let headers = response.headers_mut();
    report.write(headers);
    headers.insert(X_REQUEST_ID, id.to_header());
    // Files of the pages have their own.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("private, no-cache, no-transform"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
