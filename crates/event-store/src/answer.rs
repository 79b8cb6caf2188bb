//! What a command is given with, and what is answered to it.

use std::sync::Arc;
use std::time::Instant;

use crate::append::StoredAnswer;
use crate::{Outcome, PositionToken, Version};

/// The claim of an `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose key it is: `role:sub`.
    pub scope: String,
    /// The key.
    pub key: String,
    /// SHA-256 over method, path and raw body.
    pub fingerprint: [u8; 32],
}

/// What the client asked for beside the command.
#[derive(Debug, Clone)]
pub struct Conditions {
    /// The client's key, if any.
    pub claim: Option<Claim>,
    /// `If-Match`: the version that the target must have.
    pub expected: Option<Version>,
    /// When the client's patience ends.
    pub deadline: Instant,
}

/// The answer to an accepted command, the same at every replay of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The id of the target: an order's or workshop's UUID.
    pub key: String,
    /// The target's version afterwards.
    pub version: Version,
    /// The name of the target's state afterwards.
    pub state: Option<String>,
    /// Where the target's last event lies.
    pub token: PositionToken,
    /// Whether this is a stored answer, given again.
    pub replayed: bool,
}

impl Answer {
    pub(crate) fn from_stored(stored: StoredAnswer, replayed: bool) -> Self {
        Self {
            status: stored.status,
            key: stored.stream.key().to_owned(),
            version: stored.version,
            state: stored.state,
            token: stored.token,
            replayed,
        }
    }
}

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError<R> {
    /// The rules refuse it.
    #[error("the command was refused")]
    Rejected(R),
    /// `If-Match` names another version.
    #[error("the stream is at version {current}")]
    VersionMismatch {
        /// The version that it has.
        current: Version,
    },
    /// The key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The race was lost for good; nothing was changed.
    #[error("the stream changed under the command again and again")]
    Conflict,
    /// Too many commands wait for this stream; nothing was changed.
    #[error("too many commands wait for this stream")]
    Overloaded,
    /// The stream holds an event that this release cannot read; nothing was changed.
    #[error("the stream cannot be read by this release")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The deadline passed.
    #[error("the deadline passed")]
    TimedOut {
        /// Whether something may have been written.
        outcome: Outcome,
    },
    /// The store is out of reach.
    #[error("the store is out of reach")]
    Unavailable {
        /// Whether something may have been written.
        outcome: Outcome,
        /// What failed.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// A failure that nobody foresaw; nothing was changed.
    #[error("the store failed in an unforeseen way")]
    Internal(#[source] Arc<sqlx::Error>),
    /// The task that ran the command died: a bug.
    #[error("the command's task died")]
    Died {
        /// Whether something may have been written.
        outcome: Outcome,
    },
}
