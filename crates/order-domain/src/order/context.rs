//! What a decision knows beside the order.

use chrono::{DateTime, Utc};
use kernel::Actor;

use crate::workshop::Directory;

/// The circumstances of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    /// Who gives the command.
    pub actor: Actor,
    /// What the clock says, in whole microseconds.
    pub now: DateTime<Utc>,
    /// The workshops that the command invites, as far as they are known; empty for commands that
    /// invite nobody.
    pub directory: Directory,
    /// How much room the order's facts take where they are stored, in bytes.
    pub stored_bytes: usize,
}

impl Context {
    /// The circumstances of a command that invites nobody.
    #[must_use]
    pub fn new(actor: Actor, now: DateTime<Utc>) -> Self {
        Self {
            actor,
            now,
            directory: Directory::default(),
            stored_bytes: 0,
        }
    }

    /// The same, with what the directory says of the workshops that are invited.
    #[must_use]
    pub fn with_directory(self, directory: Directory) -> Self {
        Self { directory, ..self }
    }

    /// The same, for an order whose facts take so many bytes.
    #[must_use]
    pub fn with_stored_bytes(self, stored_bytes: usize) -> Self {
        Self {
            stored_bytes,
            ..self
        }
    }
}
