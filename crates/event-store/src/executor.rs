//! Runs one command: load, decide, append; again on a fresh load when a race was lost. What many
//! commands want loaded or appended at once goes in one round trip.
//!
//! The work runs in a tracked task that nobody can drop: a deadline that passes, or a client that
//! leaves, ends the waiting only. What had not yet been sent is not sent after that, so that an
//! answer "nothing was changed" stays true.

use std::sync::Arc;

use sqlx::PgPool;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::Decision;
use crate::answer::{Answer, Conditions, ExecuteError};
use crate::group_commit::Batcher;
use crate::group_commit::jobs::{AppendJob, LoadJob};
use crate::outcome::{SharedOutcome, Waiter};
use crate::queue::Queues;
use crate::remembered::Remembered;
use crate::run::Run;
use crate::wake_up::WakeUp;

/// Runs commands against the store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Executor {
    store: Arc<Store>,
    tasks: TaskTracker,
}

/// What all commands share.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) loads: Batcher<LoadJob>,
    pub(crate) appends: Batcher<AppendJob>,
    pub(crate) wake_up: WakeUp,
    pub(crate) queues: Queues,
    pub(crate) remembered: Remembered,
}

impl Executor {
    /// An executor over `pool`, whose connections have the limits of an appender; it uses as many
    /// as the pool lends. `tasks` lets a shutdown wait for the commands under way.
    ///
    /// Called within a runtime: its workers start there.
    #[must_use]
    pub fn new(pool: PgPool, tasks: TaskTracker) -> Self {
        let connections = usize::try_from(pool.options().get_max_connections()).unwrap_or(1);
        // One is for the wake-up. Appends wait for what others hold; loads do not.
        let loads = (connections / 4).max(1);
        let appends = connections.saturating_sub(loads + 1).max(1);
        let store = Store {
            loads: Batcher::new(&pool, loads),
            appends: Batcher::new(&pool, appends),
            wake_up: WakeUp::new(pool),
            queues: Queues::default(),
            remembered: Remembered::default(),
        };
        Self {
            store: Arc::new(store),
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
        let outcome = SharedOutcome::default();
        let waiter = Waiter(outcome.clone());
        let run = Run {
            store: Arc::clone(&self.store),
            decision,
            conditions,
            outcome,
            charged: None,
            looked_back: false,
        };
        let task = self.tasks.spawn(run.in_turn().in_current_span());
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
