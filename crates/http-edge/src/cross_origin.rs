//! Letting the pages of other origins use an API from browsers.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::request_id::X_REQUEST_ID;

/// How long a browser may remember what it was allowed.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The layer that lets the pages of these origins, and of no others, send everything that our
/// clients send, and read every header that our answers have. It goes around the whole application:
/// what a browser asks beforehand carries no token.
pub fn cross_origin(origins: Vec<HeaderValue>) -> CorsLayer {
    let own = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH])
        .allow_headers([
            header::ACCEPT,
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            own("atlas-min-position"),
            own("idempotency-key"),
            own("last-event-id"),
            own("prefer"),
            own("traceparent"),
            X_REQUEST_ID,
        ])
        .expose_headers([
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            own("atlas-lag-seconds"),
            own("atlas-position"),
            own("idempotency-replayed"),
            own("ratelimit"),
            own("ratelimit-policy"),
            X_REQUEST_ID,
        ])
        .max_age(REMEMBERED)
}
