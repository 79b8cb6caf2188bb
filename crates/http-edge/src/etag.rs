//! Entity tags: a version, strong, and the question whether the client has it already.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, IntoResponseParts, Response, ResponseParts};

/// `ETag: "<version>"`, as a part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ETag(pub i64);

impl ETag {
    /// The answer 304 to a client that has this version already.
    #[must_use]
    pub fn not_modified(self) -> Response {
        (StatusCode::NOT_MODIFIED, self, ()).into_response()
    }

    fn header(self) -> (HeaderName, HeaderValue) {
        let text = format!("\"{}\"", self.0);
        // Digits and quotes are legal in every header.
        let value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("\"\""));
        (header::ETAG, value)
    }
}

impl IntoResponseParts for ETag {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        let (name, value) = self.header();
        parts.headers_mut().insert(name, value);
        Ok(parts)
    }
}

/// `If-None-Match`: what the client has already. One that cannot be read matches nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IfNoneMatch(Vec<String>);

impl IfNoneMatch {
    /// Whether the client has this version already, by the weak comparison that a read asks for.
    #[must_use]
    pub fn matches(&self, version: i64) -> bool {
        let current = format!("\"{version}\"");
        self.0
            .iter()
            .any(|tag| tag == "*" || *tag.strip_prefix("W/").unwrap_or(tag) == current)
    }
}

impl<S: Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(
            parts
                .headers
                .get_all(header::IF_NONE_MATCH)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .flat_map(|value| value.split(','))
                .map(|tag| tag.trim().to_owned())
                .collect(),
        ))
    }
}
