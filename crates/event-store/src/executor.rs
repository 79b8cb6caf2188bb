//! Runs one command: load, decide, append; again on a fresh load when a race was lost. What many
//! commands want loaded or appended at once goes in one round trip.
//!
//! The work runs in a tracked task that nobody can drop: a deadline that passes, or a client that
//! leaves, ends the waiting only. What had not yet been sent is not sent after that, so that an
//! answer "nothing was changed" stays true.

use std::sync::Arc;
use std::time::Instant;

use sqlx::PgPool;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::append::StoredAnswer;
use crate::lanes::Lanes;
use crate::queue::Queues;
use crate::round::{AppendJob, LoadJob};
use crate::run::{Progress, Run, Waiter};
use crate::{Decision, PositionToken, Version};

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

/// Whether a failed command may have left a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was changed, and nothing will be.
    None,
    /// An append had been sent, and its answer has not come.
    Unknown,
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

/// Runs commands against the store.
#[derive(Clone, Debug)]
pub struct Executor {
    loads: Lanes<LoadJob>,
    appends: Lanes<AppendJob>,
    queues: Queues,
    tasks: TaskTracker,
}

impl Executor {
    /// An executor over `pool`, whose connections have the limits of an appender. `tasks` lets a
    /// shutdown wait for the commands under way.
    #[must_use]
    pub fn new(pool: PgPool, tasks: TaskTracker) -> Self {
        Self {
            loads: Lanes::new(pool.clone(), tasks.clone()),
            appends: Lanes::new(pool, tasks.clone()),
            queues: Queues::default(),
            tasks,
        }
    }

    /// Runs one command. Dropping the future ends the waiting, never an append.
    ///
    /// # Errors
    /// See [`ExecuteError`].
    pub async fn execute<D: Decision>(
        &self,
        decision: D,
        conditions: Conditions,
    ) -> Result<Answer, ExecuteError<D::Rejection>> {
        let deadline = conditions.deadline;
        let progress = Progress::default();
        let waiter = Waiter(progress.clone());
        let run = Run {
            loads: self.loads.clone(),
            appends: self.appends.clone(),
            decision,
            conditions,
            progress,
            charged: false,
        };
        let queues = self.queues.clone();
        let task = self.tasks.spawn(run.in_line(queues).in_current_span());
        let finished = tokio::time::timeout_at(deadline.into(), task).await;
        match finished {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(ExecuteError::Died {
                outcome: waiter.0.abandon(),
            }),
            Err(_) => Err(ExecuteError::TimedOut {
                outcome: waiter.0.abandon(),
            }),
        }
    }
}
