//! Runs one command: load, decide, append; again on a fresh load when a race was lost. What many
//! commands want loaded or appended at once goes in one round trip.
//!
//! The work runs in a tracked task that nobody can drop: a deadline that passes, or a client that
//! leaves, ends the waiting only. What had not yet been sent is not sent after that, so that an
//! answer "nothing was changed" stays true.

use sqlx::PgPool;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::Decision;
use crate::answer::{Answer, Conditions, ExecuteError};
use crate::lanes::Lanes;
use crate::progress::{Progress, Waiter};
use crate::queue::Queues;
use crate::round::{AppendJob, LoadJob};
use crate::run::Run;

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
