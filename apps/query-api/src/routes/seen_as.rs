//! An order as one of its parties sees it, for those who see all of it.

use http_edge::{Code, Problem};
use kernel::{Actor, Role, WorkshopId};
use serde::Deserialize;
use utoipa::IntoParams;

/// Through whose eyes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SeenAs {
    /// For operators and analysts: the answer that this party would get, of which they write the
    /// role and the id. Who is no party to the order would find none.
    #[serde(rename = "as")]
    #[param(
        value_type = Option<String>,
        pattern = "^(commissioner|workshop):[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        example = "workshop:01938f5e-7c00-7000-8000-0000000000a1"
    )]
    party: Option<String>,
}

impl SeenAs {
    /// Who is taken to look: the principal, unless they may and do look as somebody else.
    ///
    /// # Errors
    /// 400 where no party is named, 403 for whoever does not see everything anyway.
    pub(super) fn by(&self, principal: Actor) -> Result<Actor, Problem> {
        let Some(party) = &self.party else {
            return Ok(principal);
        };
        match principal.role {
            Role::Operator | Role::Analyst => {}
            Role::Commissioner | Role::Workshop => {
                return Err(Problem::new(
                    Code::Forbidden,
                    "only operators and analysts read an order as somebody else; leave out as",
                ));
            }
        }
        read(party).ok_or_else(|| {
            Problem::malformed(
                "as must be commissioner or workshop, a colon, and a hyphenated UUID",
            )
        })
    }
}

fn read(party: &str) -> Option<Actor> {
    let (role, id) = party.split_once(':')?;
    match role.parse::<Role>().ok()? {
        role @ (Role::Commissioner | Role::Workshop) => {
            let id: WorkshopId = id.parse().ok()?;
            Some(Actor::new(role, id.as_uuid()))
        }
        Role::Operator | Role::Analyst => None,
    }
}
