//! Request headers that are read as a whole or not at all.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};

use crate::Problem;

/// The most characters that an idempotency key has.
const LONGEST_KEY: usize = 255;
/// The most characters that a position token may have; real ones are far shorter.
const LONGEST_POSITION: usize = 128;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const MIN_POSITION: HeaderName = HeaderName::from_static("atlas-min-position");

/// A header that is there more than once, or not as visible ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotSingle;

/// The header's one value, if it is there.
pub(crate) fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, NotSingle> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| NotSingle),
        (Some(_), Some(_)) => Err(NotSingle),
    }
}

/// Whether a text is 1 to `longest` visible ASCII characters.
pub(crate) fn is_visible_ascii(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `Idempotency-Key`: under which the client may repeat the command; none where it sent none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match single(&parts.headers, &IDEMPOTENCY_KEY) {
            Ok(None) => Ok(Self(None)),
            Ok(Some(key)) if is_visible_ascii(key, LONGEST_KEY) => Ok(Self(Some(key.to_owned()))),
            Ok(Some(_)) | Err(NotSingle) => Err(Problem::malformed(
                "Idempotency-Key must be one header of 1 to 255 visible ASCII characters",
            )),
        }
    }
}

/// `Atlas-Min-Position`: what the answer must at least contain, as the token that the client was
/// given; none where it sent none. What it means is the application's to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinPosition(pub Option<String>);

impl<S: Sync> FromRequestParts<S> for MinPosition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match single(&parts.headers, &MIN_POSITION) {
            Ok(None) => Ok(Self(None)),
            Ok(Some(token)) if is_visible_ascii(token, LONGEST_POSITION) => {
                Ok(Self(Some(token.to_owned())))
            }
            Ok(Some(_)) | Err(NotSingle) => Err(Problem::malformed(
                "Atlas-Min-Position must be one header with a token from Atlas-Position or from \
                 \"position\" in the answer to a command",
            )),
        }
    }
}

/// `If-Match`: the version that the order must have; none where the client sent none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IfMatch(pub Option<i64>);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Ok(value) = single(&parts.headers, &header::IF_MATCH) else {
            return Err(not_one_strong_tag());
        };
        value.map(strong_version).transpose().map(Self)
    }
}

fn strong_version(tag: &str) -> Result<i64, Problem> {
    if tag.starts_with("W/") {
        return Err(Problem::malformed(
            "If-Match holds a weak tag, and only a strong one names a version; a gateway between \
             us may have weakened it: send the ETag without the W/ in front",
        ));
    }
    tag.strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .and_then(decimal)
        .ok_or_else(not_one_strong_tag)
}

/// A version as we write it: up to 18 digits, without sign or leading zeros.
fn decimal(text: &str) -> Option<i64> {
    let digits = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (text.starts_with('0') && text != "0") {
        return None;
    }
    text.parse().ok()
}

fn not_one_strong_tag() -> Problem {
    Problem::malformed("If-Match must be one header with exactly one strong tag, such as \"7\"")
}

/// For routes that have no version to match: refuses `If-Match`.
#[derive(Debug, Clone, Copy)]
pub struct NoIfMatch;

impl<S: Sync> FromRequestParts<S> for NoIfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if parts.headers.contains_key(header::IF_MATCH) {
            return Err(Problem::malformed(
                "If-Match is not taken here; leave it out",
            ));
        }
        Ok(Self)
    }
}
