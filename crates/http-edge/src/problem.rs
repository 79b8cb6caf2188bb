//! Problems: every answer that is not a success, as RFC 9457 `application/problem+json`.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::Code;

/// The media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// One thing that is wrong with a request's values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where in the body, as an RFC 6901 JSON pointer.
    pub pointer: String,
    /// What is wrong there, and what would be right.
    pub detail: String,
}

/// Whether a request that was not answered in time may have changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing was changed.
    None,
    /// A change had been sent to the store; repeat with the same Idempotency-Key to learn.
    Unknown,
}

/// Which request it was; filled in by the outermost layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occurrence<'a> {
    pub(crate) path: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) outcome: Outcome,
}

/// An answer that is not a success. Handlers return it as their error.
#[derive(Debug, Clone)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    members: Members,
    headers: HeaderMap,
    cause: Option<Arc<dyn Error + Send + Sync>>,
    is_planned: bool,
}

/// The members that some codes carry beside those of every problem.
#[derive(Debug, Clone, Default)]
struct Members {
    state: Option<Cow<'static, str>>,
    command: Option<Cow<'static, str>>,
    current_stage: Option<u32>,
    reason: Option<Cow<'static, str>>,
    current_offer_revision: Option<u32>,
    current_version: Option<i64>,
    outcome: Option<Outcome>,
}

/// Why a request has no other answer, as RFC 9457 has it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ProblemBody<'a> {
    /// A URN that names the type of problem; the code in other letters.
    #[schema(example = "urn:atlas:problem:not-found")]
    r#type: String,
    /// The code in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What went wrong this time, and what to do.
    detail: &'a str,
    /// The path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, nullable = false)]
    instance: Option<&'a str>,
    /// What went wrong, for programs.
    code: Code,
    /// Whether the same request may succeed later.
    retryable: bool,
    /// The request's id, as in `X-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required, nullable = false)]
    request_id: Option<&'a str>,
    /// All that is wrong with the values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: &'a Vec<FieldError>,
    /// The state that does not allow the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    state: Option<&'a str>,
    /// The command that the state does not allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    command: Option<&'a str>,
    /// The number of the stage that is the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    current_stage: Option<u32>,
    /// Why an offer is outdated: `requestRevised` or `deadlinePassed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<&'a str>,
    /// The revision of the offer that stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    current_offer_revision: Option<u32>,
    /// The version that the order has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    current_version: Option<i64>,
    /// Whether something may have been changed; with 503 and 504.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    outcome: Option<Outcome>,
}

impl Problem {
    /// A problem of this code. `detail` says what went wrong this time and what to do, in plain
    /// English, and nothing of the inside or of anybody else's data.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            members: Members::default(),
            headers: HeaderMap::new(),
            cause: None,
            is_planned: false,
        }))
        .with_retry_after(code.retry_after())
    }

    /// A request that cannot be read.
    #[must_use]
    pub fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::MalformedRequest, detail)
    }

    /// A thing that is not there, or that the principal may not know of.
    #[must_use]
    pub fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::NotFound, detail)
    }

    /// Something that the principal may not do.
    #[must_use]
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Forbidden, detail)
    }

    /// Values that no rule allows, all of them at once.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        Self::new(
            Code::ValidationFailed,
            "some values are not allowed; errors lists each of them",
        )
        .with_errors(errors)
    }

    /// A bug of ours. The cause is logged and not told.
    #[must_use]
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::bug().caused_by(cause)
    }

    pub(crate) fn bug() -> Self {
        Self::new(
            Code::Internal,
            "something went wrong on our side; tell us the requestId",
        )
    }

    /// Something long that is not begun here, because the process was told to stop. Nothing has
    /// failed: it is counted as no failure.
    #[must_use]
    pub fn leaving() -> Self {
        let mut problem = Self::new(
            Code::Overloaded,
            "this process is about to stop; ask again, and another one answers",
        );
        problem.0.is_planned = true;
        problem
    }

    /// Whether it is a part of stopping in good order.
    pub(crate) fn is_planned(&self) -> bool {
        self.0.is_planned
    }

    /// The store is out of reach. The cause is logged and not told.
    #[must_use]
    pub fn store_unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(
            Code::StoreUnavailable,
            "the store is out of reach; try again in a moment",
        )
        .caused_by(cause)
    }

    /// The same problem with what led to it, which is logged and not told.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into().into());
        self
    }

    /// The same problem with one entry for each fault.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// The same problem with the state and the command that it does not allow.
    #[must_use]
    pub fn with_transition(
        mut self,
        state: impl Into<Cow<'static, str>>,
        command: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.0.members.state = Some(state.into());
        self.0.members.command = Some(command.into());
        self
    }

    /// The same problem with the current stage's number.
    #[must_use]
    pub fn with_current_stage(mut self, number: u32) -> Self {
        self.0.members.current_stage = Some(number);
        self
    }

    /// The same problem with the reason why an offer is outdated.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.0.members.reason = Some(reason.into());
        self
    }

    /// The same problem with the revision of the offer that stands.
    #[must_use]
    pub fn with_current_offer_revision(mut self, revision: u32) -> Self {
        self.0.members.current_offer_revision = Some(revision);
        self
    }

    /// The same problem with the version that the order has.
    #[must_use]
    pub fn with_current_version(mut self, version: i64) -> Self {
        self.0.members.current_version = Some(version);
        self
    }

    /// The same problem with what is known of the outcome. Where nothing is said, the outermost
    /// layer says `unknown` if a command was read whole, else `none`.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.members.outcome = Some(outcome);
        self
    }

    /// The same problem with a `Retry-After` of so many seconds, or without one.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: Option<u32>) -> Self {
        match seconds {
            Some(seconds) => self.0.headers.insert(header::RETRY_AFTER, seconds.into()),
            None => self.0.headers.remove(header::RETRY_AFTER),
        };
        self
    }

    /// The same problem with one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// What went wrong, for programs.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What went wrong this time.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What led to it; for the log.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.cause.as_deref()
    }

    /// What is known of the outcome, where the code carries that.
    fn outcome(&self, occurrence: Option<Occurrence<'_>>) -> Option<Outcome> {
        let carried = matches!(self.0.code.status().as_u16(), 503 | 504);
        self.0
            .members
            .outcome
            .or(occurrence.filter(|_| carried).map(|o| o.outcome))
    }

    /// The body of the answer.
    pub(crate) fn to_json(&self, occurrence: Option<Occurrence<'_>>) -> Vec<u8> {
        let Parts {
            code,
            detail,
            errors,
            members,
            ..
        } = &*self.0;
        let body = ProblemBody {
            r#type: code.urn(),
            title: code.title(),
            status: code.status().as_u16(),
            detail,
            instance: occurrence.map(|o| o.path),
            code: *code,
            retryable: code.retryable(),
            request_id: occurrence.map(|o| o.request_id),
            errors,
            state: members.state.as_deref(),
            command: members.command.as_deref(),
            current_stage: members.current_stage,
            reason: members.reason.as_deref(),
            current_offer_revision: members.current_offer_revision,
            current_version: members.current_version,
            outcome: self.outcome(occurrence),
        };
        // Strings and numbers only: this cannot fail, and if it did, the status would still tell.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// Says in a response which request it answers, if it is a problem.
    pub(crate) fn complete(response: &mut Response, occurrence: Occurrence<'_>) {
        if let Some(problem) = response.extensions_mut().remove::<Self>() {
            *response.body_mut() = problem.to_json(Some(occurrence)).into();
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.to_json(None).into_response();
        *response.status_mut() = self.0.code.status();
        *response.headers_mut() = self.0.headers.clone();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        // For the layers: one logs it, the outermost completes it.
        response.extensions_mut().insert(self);
        response
    }
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        ProblemBody::schema()
    }
}

impl ToSchema for Problem {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        ProblemBody::schemas(schemas);
    }
}
