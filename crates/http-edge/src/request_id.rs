//! The request's id: the client's own if it is a sane one, else a fresh one.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use kernel::IdSource;

use crate::headers::{is_visible_ascii, single};

/// The header that carries the id, both ways.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The most characters of an id that is taken.
const LONGEST: usize = 128;

/// Names a request in answers, logs and problems. Visible ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id that a request brings, or a fresh one.
    pub(crate) fn of(headers: &HeaderMap, ids: &dyn IdSource) -> Self {
        match single(headers, &X_REQUEST_ID) {
            Ok(Some(id)) if is_visible_ascii(id, LONGEST) => Self(id.into()),
            _ => Self(ids.next().to_string().into()),
        }
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as a header's value.
    pub(crate) fn to_header(&self) -> HeaderValue {
        // Visible ASCII is legal in every header.
        HeaderValue::try_from(self.as_str()).unwrap_or(HeaderValue::from_static(""))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // The outermost layer gave it; without that layer there is no request to name.
        let id = parts.extensions.get::<Self>().cloned();
        Ok(id.unwrap_or_else(|| Self("".into())))
    }
}
