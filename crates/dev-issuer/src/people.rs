//! Whom one can be.

use serde::Deserialize;

/// Somebody to be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Person {
    pub(crate) name: String,
    /// The principal's role, as the APIs know it.
    pub(crate) role: String,
    /// The principal's id, a UUID.
    pub(crate) sub: String,
}

impl Person {
    /// Reads one of the command line.
    pub(crate) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}
