//! The JSON body of a command: read to the letter, bounded, and fingerprinted.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::headers::{NotSingle, single};
use crate::ignored::{Unread, is_strict};
use crate::place::Place;
use crate::strict_json::{self, Mismatch};
use crate::write_mark::WriteMark;
use crate::{Code, FieldError, Problem};

/// The largest body that is taken, in bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// What an empty body means.
const EMPTY: &[u8] = b"{}";

/// A command's body. Its type names what may be missing as `Option`, so that a missing value is
/// an invalid one (422, told with all others) and not a malformed request (400).
///
/// It reads the body, so it comes last among a handler's arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonBody<T> {
    /// What was sent; an empty body counts as `{}`.
    pub value: T,
    /// The members that were not read, as JSON pointers. With `Prefer: handling=strict` they are
    /// 422, and there are none here.
    pub ignored: Vec<String>,
    /// SHA-256 over method, path and raw body: what a repeat under one Idempotency-Key must share.
    pub fingerprint: [u8; 32],
}

impl<S, T> FromRequest<S> for JsonBody<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let place = Place::of(&head.extensions);
        let body = Place::give_up_for(place, collect(&head.headers, body));
        let bytes = body.await??;
        let raw = if bytes.is_empty() {
            EMPTY
        } else {
            must_be_json(&head.headers)?;
            &bytes
        };
        let value = strict_json::parse(raw).map_err(not_json)?;
        let (value, unread) = read(value)?;
        if !unread.is_empty() && is_strict(&head.headers) {
            return Err(Problem::invalid(unread.iter().map(Unread::fault).collect()));
        }
        WriteMark::of(&head.extensions).set();
        Ok(Self {
            value,
            ignored: unread.into_iter().map(|unread| unread.pointer).collect(),
            fingerprint: fingerprint(head.method.as_str(), head.uri.path(), raw),
        })
    }
}

async fn collect(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(too_large());
    }
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => Err(Problem::malformed("the body broke off before its end").caused_by(error)),
    }
}

fn too_large() -> Problem {
    Problem::new(Code::PayloadTooLarge, "the body is larger than 256 KiB")
}

fn must_be_json(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |detail| Err(Problem::new(Code::UnsupportedMediaType, detail));
    let declared = single(headers, &header::CONTENT_TYPE).ok().flatten();
    let (essence, parameters) = declared
        .map(|declared| declared.split_once(';').unwrap_or((declared, "")))
        .unwrap_or_default();
    if !is_json(essence) {
        return unsupported(
            "send the body as JSON, with the header \"Content-Type: application/json\"",
        );
    }
    if !parameters.split(';').all(is_no_foreign_charset) {
        return unsupported("send the body in UTF-8: JSON has no other charset");
    }
    match single(headers, &header::CONTENT_ENCODING) {
        Ok(None | Some("identity")) => Ok(()),
        Ok(Some(_)) | Err(NotSingle) => {
            unsupported("send the body as it is, without a Content-Encoding")
        }
    }
}

fn is_json(essence: &str) -> bool {
    let essence = essence.trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Whether a parameter of a media type is not `charset`, or says UTF-8. Others are of no meaning.
fn is_no_foreign_charset(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let value = value.trim().trim_matches('"');
    !name.trim().eq_ignore_ascii_case("charset") || value.eq_ignore_ascii_case("utf-8")
}

fn not_json(reason: String) -> Problem {
    Problem::malformed(format!("the body is not JSON as we take it: {reason}"))
}

fn read<T: DeserializeOwned>(value: Value) -> Result<(T, Vec<Unread>), Problem> {
    strict_json::read(value).map_err(|Mismatch { pointer, detail }| {
        Problem::malformed("the body has a value of another JSON type than it must be; see errors")
            .with_errors(vec![FieldError { pointer, detail }])
    })
}

fn fingerprint(method: &str, path: &str, raw: &[u8]) -> [u8; 32] {
    // Neither a method nor a path can hold a line break.
    Sha256::new()
        .chain_update(method)
        .chain_update("\n")
        .chain_update(path)
        .chain_update("\n")
        .chain_update(raw)
        .finalize()
        .into()
}
