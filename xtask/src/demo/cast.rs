//! Who is in the story, each with an id that no earlier story had, and a token.

use std::fs;
use std::path::Path;

use crate::failure::Failure;
use crate::token::{self, Role};

/// The kernel makes a fresh UUID for whoever reads it.
const FRESH_ID: &str = "/proc/sys/kernel/random/uuid";
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
}

/// Somebody who can act.
#[derive(Debug)]
pub(crate) struct Party {
    pub(crate) name: &'static str,
    pub(crate) id: String,
    pub(crate) token: String,
}

impl Cast {
    pub(crate) fn assemble() -> Result<Self, Failure> {
        Ok(Self {
            operator: Party::new("Olga", Role::Operator)?,
            commissioner: Party::new("Clara", Role::Commissioner)?,
            maker: Party::new("Oak & Iron", Role::Workshop)?,
            decliner: Party::new("Brass Lantern", Role::Workshop)?,
        })
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
        let file = Path::new(FRESH_ID);
        let id = fs::read_to_string(file).map_err(Failure::file(file))?;
        let id = id.trim_end().to_owned();
        let token = token::issue(role, &id, TOKEN_HOURS)?;
        Ok(Self { name, id, token })
    }
}
