//! A command as it was sent: path, headers and body, read in the order of checks.

use std::marker::PhantomData;
use std::time::Instant;

use axum::extract::{FromRequest, FromRequestParts, Request};
use event_store::Version;
use http_edge::{IdempotencyKey, IfMatch, JsonBody, NoIfMatch, Path, Problem, Segments};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::{IntoParams, ToSchema};

/// A command as it was sent; a handler's last argument, after the principal. `P` is what its path
/// names, `B` its body, and `M` says whether it may carry `If-Match`.
pub(crate) struct Sent<P, B, M = IfMatch> {
    pub(crate) path: P,
    pub(crate) body: B,
    pub(crate) asked: Asked,
    precondition: PhantomData<M>,
}

/// What was asked for beside the command itself, and when.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) received: Instant,
    pub(crate) key: Option<String>,
    pub(crate) fingerprint: [u8; 32],
    pub(crate) expected: Option<Version>,
    pub(crate) traceparent: String,
    /// The members of the body that were not read.
    pub(crate) ignored: Vec<String>,
}

impl<S, P, B, M> FromRequest<S> for Sent<P, B, M>
where
    S: Send + Sync,
    P: Segments + Send,
    B: DeserializeOwned,
    M: Precondition<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let received = Instant::now();
        let traceparent = service_runtime::traceparent();
        let (mut head, body) = request.into_parts();
        let path = Path::<P>::from_request_parts(&mut head, state).await;
        let key = IdempotencyKey::from_request_parts(&mut head, state).await;
        let precondition = M::from_request_parts(&mut head, state).await;
        // 413 and 415 come before any 400.
        let body = JsonBody::from_request(Request::from_parts(head, body), state).await?;
        Ok(Self {
            path: path?.0,
            body: body.value,
            asked: Asked {
                received,
                key: key?.0,
                fingerprint: body.fingerprint,
                expected: precondition?.expected(),
                traceparent,
                ignored: body.ignored,
            },
            precondition: PhantomData,
        })
    }
}

/// The header that makes a command depend on its order's version, or the refusal of it.
pub(crate) trait Precondition<S>: FromRequestParts<S, Rejection = Problem> + Send {
    /// The version that the order must have.
    fn expected(self) -> Option<Version>;
}

impl<S: Sync> Precondition<S> for IfMatch {
    fn expected(self) -> Option<Version> {
        self.0.map(Version::new)
    }
}

impl<S: Sync> Precondition<S> for NoIfMatch {
    fn expected(self) -> Option<Version> {
        None
    }
}

/// The path of a command that names nothing in it.
pub(crate) struct NoPath;

impl Segments for NoPath {
    fn take<'a>(_: impl Iterator<Item = &'a str>) -> Result<Self, Problem> {
        Ok(Self)
    }
}

/// Nothing: the path says it all. May be left out.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NoBody {}

/// The headers of a command on an existing order.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(
    dead_code,
    reason = "carries the description of headers that `Sent` reads"
)]
pub(crate) struct CommandHeaders {
    /// Makes the command safe to repeat: for 7 days at least, the same key with the same request
    /// gives the first answer again. 1 to 255 visible ASCII characters.
    #[param(
        rename = "Idempotency-Key",
        required = false,
        pattern = "^[!-~]{1,255}$",
        example = "7f3a-1"
    )]
    idempotency_key: String,
    /// The version that the order must have, as in its ETag: exactly one strong tag.
    #[param(rename = "If-Match", required = false, example = "\"4\"")]
    if_match: String,
    /// `handling=strict` refuses a body with members that are not read (422), which are else named
    /// in `ignored` of the answer: RFC 7240.
    #[param(rename = "Prefer", required = false, example = "handling=strict")]
    prefer: String,
}

/// The headers of a command that has to be repeatable.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(
    dead_code,
    reason = "carries the description of a header that `Sent` reads"
)]
pub(crate) struct KeyedHeaders {
    /// Makes the command safe to repeat: for 7 days at least, the same key with the same request
    /// gives the first answer again. 1 to 255 visible ASCII characters.
    #[param(
        rename = "Idempotency-Key",
        pattern = "^[!-~]{1,255}$",
        example = "7f3a-1"
    )]
    idempotency_key: String,
    /// `handling=strict` refuses a body with members that are not read (422), which are else named
    /// in `ignored` of the answer: RFC 7240.
    #[param(rename = "Prefer", required = false, example = "handling=strict")]
    prefer: String,
}

/// The headers of a command that has no version to depend on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(
    dead_code,
    reason = "carries the description of a header that `Sent` reads"
)]
pub(crate) struct UnconditionalHeaders {
    /// Makes the command safe to repeat: for 7 days at least, the same key with the same request
    /// gives the first answer again. 1 to 255 visible ASCII characters.
    #[param(
        rename = "Idempotency-Key",
        required = false,
        pattern = "^[!-~]{1,255}$",
        example = "7f3a-1"
    )]
    idempotency_key: String,
    /// `handling=strict` refuses a body with members that are not read (422), which are else named
    /// in `ignored` of the answer: RFC 7240.
    #[param(rename = "Prefer", required = false, example = "handling=strict")]
    prefer: String,
}
