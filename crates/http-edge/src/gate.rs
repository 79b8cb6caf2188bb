//! The gate of an API: what a request must pass before anything of it is read.

mod configured;

use axum::extract::MatchedPath;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use chrono::{DateTime, Utc};
use kernel::{Actor, Role};

use crate::headers::single;
use crate::limits::Report;
use crate::token::{TokenError, TokenVerifier};
use crate::{Access, Code, Limits, PlacingBudget, Problem};

/// Knows who the bearer of a token is, whether their role may use a route, and whether they ask too
/// often.
pub struct Gate {
    verifier: TokenVerifier,
    access: Access,
    limits: Limits,
}

impl Gate {
    /// A gate for the routes of this table.
    #[must_use]
    pub const fn new(verifier: TokenVerifier, access: Access, limits: Limits) -> Self {
        Self {
            verifier,
            access,
            limits,
        }
    }

    /// What this principal may still place, told of in the answer to the request.
    pub(crate) fn placing_budget(&self, actor: Actor, parts: &Parts) -> PlacingBudget {
        let report = Report::of(&parts.extensions);
        PlacingBudget::new(self.limits.clone(), actor, report)
    }

    /// Who sends the request, and until when their token is good, if they may: 401, then 403 for a role that can never use the route,
    /// then 429.
    pub(crate) async fn admit(&self, parts: &Parts) -> Result<(Actor, DateTime<Utc>), Problem> {
        let token = bearer(&parts.headers)?;
        let (actor, good_until) = self.verifier.verify(token).await.map_err(refused)?;
        tracing::Span::current().record("actor", tracing::field::display(actor));
        let path = parts.extensions.get::<MatchedPath>();
        let row = path.and_then(|path| self.access.row(parts.method.as_str(), path.as_str()));
        if row.is_none_or(|row| row.relation(actor.role).is_none()) {
            return Err(not_admitted(actor.role));
        }
        let report = Report::of(&parts.extensions);
        self.limits.count(actor, &report).await?;
        Ok((actor, good_until))
    }
}

/// What the client should do: a challenge as RFC 6750 has it.
const CHALLENGE: &str = r#"Bearer realm="artisan-atlas""#;
/// The same for a client that did do it, but with a token that is of no use.
const CHALLENGE_AGAIN: &str = r#"Bearer realm="artisan-atlas", error="invalid_token""#;

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let value = single(headers, &header::AUTHORIZATION).ok().flatten();
    let token = value
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    token.ok_or_else(|| {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        unauthenticated(
            "send exactly one header \"Authorization: Bearer\" with a token".to_owned(),
            if values.any(is_bearer) {
                CHALLENGE_AGAIN
            } else {
                CHALLENGE
            },
        )
    })
}

/// Whether a value of `Authorization` was meant to be a token.
fn is_bearer(value: &HeaderValue) -> bool {
    let scheme = value.as_bytes().split(|byte| *byte == b' ').next();
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer"))
}

fn refused(error: TokenError) -> Problem {
    if error == TokenError::KeysUnavailable {
        return Problem::new(
            Code::KeysUnavailable,
            "the keys that verify tokens could not be fetched yet; try again in a moment",
        );
    }
    unauthenticated(error.to_string(), CHALLENGE_AGAIN)
}

fn unauthenticated(detail: String, challenge: &'static str) -> Problem {
    Problem::new(Code::Unauthenticated, detail).with_header(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(challenge),
    )
}

fn not_admitted(role: Role) -> Problem {
    Problem::forbidden(format!("the role {role} can never do this"))
}
