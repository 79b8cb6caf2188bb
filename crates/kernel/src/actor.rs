//! Who acts: a role and the id of the principal in it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The part that a principal plays. One id may play several, each a principal of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Asks for a piece.
    Commissioner,
    /// Makes pieces.
    Workshop,
    /// Runs the marketplace.
    Operator,
    /// Reads, and does nothing else.
    Analyst,
}

impl Role {
    /// Every role, in the order of the documentation.
    pub const ALL: [Self; 4] = [
        Self::Commissioner,
        Self::Workshop,
        Self::Operator,
        Self::Analyst,
    ];

    /// The name used on every wire and in every store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Commissioner => "commissioner",
            Self::Workshop => "workshop",
            Self::Operator => "operator",
            Self::Analyst => "analyst",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no [`Role`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// A principal in a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// The part played.
    pub role: Role,
    /// The principal's id, unique within its role.
    pub id: Uuid,
}

impl Actor {
    /// The principal `id` in `role`.
    #[must_use]
    pub const fn new(role: Role, id: Uuid) -> Self {
        Self { role, id }
    }
}

impl fmt::Display for Actor {
    /// `role:id`, the form in which streams and limits are keyed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.role, self.id.as_hyphenated())
    }
}
