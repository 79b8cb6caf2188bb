//! What the issuer answers: OpenID Connect as the pages need it, and tokens for the command line.

mod authorize;
mod discovery;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::grants::Grants;
use crate::keys::SigningKey;
use crate::page;
use crate::people::Person;

/// The issuer.
pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) origins: Vec<String>,
    pub(crate) client: String,
    pub(crate) audience: String,
    pub(crate) people: Vec<Person>,
    pub(crate) key: SigningKey,
    pub(crate) grants: Grants,
}

impl Issuer {
    /// Whether people may be sent back there: to a page of ours.
    fn is_ours(&self, uri: &str) -> bool {
        self.origins.iter().any(|origin| {
            uri.strip_prefix(origin.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        })
    }
}

/// Every route.
pub(crate) fn all(issuer: Arc<Issuer>) -> Router {
    let origins = issuer
        .origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok());
    let pages = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::ACCEPT, header::CONTENT_TYPE]);
    let for_scripts = Router::new()
        .route("/.well-known/openid-configuration", get(discovery::read))
        .route("/jwks", get(discovery::keys))
        .route("/token", post(token::exchange))
        .layer(pages);
    Router::new()
        .route("/authorize", get(authorize::authorize))
        .route("/end-session", get(authorize::end_session))
        .route("/sign", post(token::sign))
        .route("/style.css", get(style))
        .merge(for_scripts)
        .with_state(issuer)
}

async fn style() -> Response {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        page::CSS,
    )
        .into_response()
}

/// A page, which runs no script and stands in no frame.
fn html(page: String) -> Response {
    const POLICY: &str =
        "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'";
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, page).into_response()
}

fn redirect(uri: &str, query: &[(&str, &str)]) -> Response {
    let mut address = uri.to_owned();
    for (number, (name, value)) in query.iter().enumerate() {
        address.push(if number == 0 && !uri.contains('?') {
            '?'
        } else {
            '&'
        });
        address.push_str(name);
        address.push('=');
        address.push_str(&percent_encoded(value));
    }
    Redirect::to(&address).into_response()
}

/// A value as a query may hold it.
fn percent_encoded(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
