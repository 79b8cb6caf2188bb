//! Who sends a request: the bearer of its token, in a role that may use the route.

use std::fmt;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use kernel::Actor;

use crate::{Gate, PlacingBudget, Problem};

/// The principal of a request. As a handler's *first* argument it has the request pass the gate
/// before anything else of it is looked at.
///
/// The application's state gives the [`Gate`], as an `Arc`.
pub struct Principal {
    actor: Actor,
    expires_at: DateTime<Utc>,
    placing: PlacingBudget,
}

impl Principal {
    /// Role and id.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        self.actor
    }

    /// Until when its token is good, the leeway included.
    #[must_use]
    pub const fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// What it may still place.
    #[must_use]
    pub fn placing_budget(&self) -> PlacingBudget {
        self.placing.clone()
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal({})", self.actor)
    }
}

impl<S> FromRequestParts<S> for Principal
where
    S: Send + Sync,
    Arc<Gate>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let gate = Arc::<Gate>::from_ref(state);
        let (actor, expires_at) = gate.admit(parts).await?;
        let placing = gate.placing_budget(actor, parts);
        Ok(Self {
            actor,
            expires_at,
            placing,
        })
    }
}
