//! Who sends a request: the bearer of its token, in a role that the route admits.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use kernel::{Actor, Role};

use crate::headers::single;
use crate::token::{TokenError, TokenVerifier};
use crate::{Code, Problem};

/// The roles that a route admits.
pub trait Admits: Send + Sync + 'static {
    /// These and no others.
    const ROLES: &'static [Role];
}

macro_rules! admits {
    ($($(#[$doc:meta])* $name:ident: $($role:ident),+;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub enum $name {}

        impl Admits for $name {
            const ROLES: &'static [Role] = &[$(Role::$role),+];
        }
    )*};
}

admits! {
    /// Anyone signed in.
    Anyone: Commissioner, Workshop, Operator, Analyst;
    /// Whoever may take part in an order, and operators.
    Parties: Commissioner, Workshop, Operator;
    /// Commissioners alone.
    Commissioners: Commissioner;
    /// Commissioners, and operators in their place.
    CommissionersOrOperators: Commissioner, Operator;
    /// Workshops alone.
    Workshops: Workshop;
    /// Workshops, and operators in their place.
    WorkshopsOrOperators: Workshop, Operator;
    /// Operators alone.
    Operators: Operator;
}

/// The principal of a request. As a handler's *first* argument it answers 401, and 403 for a role
/// that can never use the route, before anything else is looked at.
///
/// The application's state gives the [`TokenVerifier`], as an `Arc`.
pub struct Principal<R = Anyone> {
    actor: Actor,
    admitted: PhantomData<R>,
}

impl<R> Principal<R> {
    /// Role and id.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        self.actor
    }
}

impl<R> fmt::Debug for Principal<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal({})", self.actor)
    }
}

impl<S, R> FromRequestParts<S> for Principal<R>
where
    S: Send + Sync,
    R: Admits,
    Arc<TokenVerifier>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let verifier = Arc::<TokenVerifier>::from_ref(state);
        let token = bearer(&parts.headers)?;
        let actor = verifier.verify(token).await.map_err(refused)?;
        tracing::Span::current().record("actor", tracing::field::display(actor));
        if !R::ROLES.contains(&actor.role) {
            return Err(not_admitted(actor.role));
        }
        Ok(Self {
            actor,
            admitted: PhantomData,
        })
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = || {
        unauthenticated(
            "send exactly one header \"Authorization: Bearer\" with a token".to_owned(),
            r#"Bearer realm="artisan-atlas""#,
        )
    };
    let value = single(headers, &header::AUTHORIZATION).map_err(|_| missing())?;
    let (scheme, token) = value.and_then(|v| v.split_once(' ')).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(token.trim())
    } else {
        Err(missing())
    }
}

fn refused(error: TokenError) -> Problem {
    if error == TokenError::KeysUnavailable {
        return Problem::new(
            Code::KeysUnavailable,
            "the keys that verify tokens could not be fetched yet; try again in a moment",
        );
    }
    unauthenticated(
        error.to_string(),
        r#"Bearer realm="artisan-atlas", error="invalid_token""#,
    )
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
