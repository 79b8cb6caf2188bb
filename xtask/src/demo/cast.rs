//! Who is in the story, each with an id that no earlier story had, and a token.

use crate::failure::Failure;
use crate::people::{self, Person};
use crate::token::{self, Role};

/// How many hours the tokens of the story are good.
const TOKEN_HOURS: u32 = 24;

/// Everybody in the story.
#[derive(Debug)]
pub(crate) struct Cast {
    /// Runs the marketplace.
    pub(crate) operator: Party,
    /// Wants the piece.
    pub(crate) commissioner: Party,
    /// The workshop that makes it.
    pub(crate) maker: Party,
    /// The workshop that declines.
    pub(crate) decliner: Party,
    /// Looks on.
    pub(crate) analyst: Party,
}

/// Somebody who can act.
#[derive(Debug)]
pub(crate) struct Party {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) id: String,
    /// Empty until there is somebody who signs it.
    pub(crate) token: String,
}

impl Cast {
    /// Gives everybody an id, and nobody a token yet: who signs them is not there.
    pub(crate) fn draw() -> Result<Self, Failure> {
        Ok(Self {
            operator: Party::new("Olga", Role::Operator)?,
            commissioner: Party::new("Clara", Role::Commissioner)?,
            maker: Party::new("Oak & Iron", Role::Workshop)?,
            decliner: Party::new("Brass Lantern", Role::Workshop)?,
            analyst: Party::new("Ana", Role::Analyst)?,
        })
    }

    /// The same with tokens.
    pub(crate) fn with_tokens(mut self) -> Result<Self, Failure> {
        for party in [
            &mut self.operator,
            &mut self.commissioner,
            &mut self.maker,
            &mut self.decliner,
            &mut self.analyst,
        ] {
            party.token = token::issue(party.role, &party.id, TOKEN_HOURS)?;
        }
        Ok(self)
    }

    /// Whom one can be on the pages.
    pub(crate) fn people(&self) -> Vec<Person> {
        let everybody = [
            &self.commissioner,
            &self.maker,
            &self.decliner,
            &self.operator,
            &self.analyst,
        ];
        everybody
            .into_iter()
            .map(|party| Person {
                name: party.name,
                role: party.role,
                id: party.id.clone(),
            })
            .collect()
    }

    /// The name of whoever has this id, or the id of a stranger.
    pub(crate) fn name_of<'a>(&self, id: &'a str) -> &'a str {
        let everybody = [
            &self.operator,
            &self.commissioner,
            &self.maker,
            &self.decliner,
        ];
        everybody
            .into_iter()
            .find(|party| party.id == id)
            .map_or(id, |party| party.name)
    }
}

impl Party {
    fn new(name: &'static str, role: Role) -> Result<Self, Failure> {
        Ok(Self {
            name,
            role,
            id: people::fresh_id()?,
            token: String::new(),
        })
    }
}
