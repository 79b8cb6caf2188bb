//! How often, and after which pauses, one command is tried again.

use std::time::Duration;

use crate::Outcome;
use crate::answer::ExecuteError;
use crate::failure::{SqlFailure, classify};

/// How often a command that lost a race is decided again.
const FRESH_DECISIONS: u32 = 5;
/// The longest pause before the first fresh decision, and twice as long before each further one:
/// who loses to another process's queue again and again lets it run dry. The pause is drawn below
/// it, and above half of it.
const JITTER: Duration = Duration::from_millis(20);

/// How often the rounds of one command may still be repeated.
#[derive(Debug, Default)]
pub(super) struct Again {
    lost_races: u32,
    deadlocks: u32,
    stale_plans: u32,
}

impl Again {
    /// Doubles with each lost race.
    pub(super) fn longest_pause(&self) -> Duration {
        JITTER * (1 << (self.lost_races.clamp(1, FRESH_DECISIONS) - 1))
    }

    pub(super) fn after_lost_race(&mut self) -> Option<()> {
        self.lost_races += 1;
        (self.lost_races <= FRESH_DECISIONS).then_some(())
    }

    /// Once after a serialization failure or deadlock, once after a stale plan.
    pub(super) fn after<R>(&mut self, error: ExecuteError<R>) -> Result<(), ExecuteError<R>> {
        if let ExecuteError::Unavailable {
            outcome: Outcome::None,
            source,
        } = &error
        {
            let count = match classify(source) {
                SqlFailure::Retryable => &mut self.deadlocks,
                SqlFailure::StalePlan => &mut self.stale_plans,
                SqlFailure::VersionConflict
                | SqlFailure::Duplicate
                | SqlFailure::RefusedRow
                | SqlFailure::Unreachable
                | SqlFailure::GaveUp
                | SqlFailure::Other => return Err(error),
            };
            *count += 1;
            if *count == 1 {
                return Ok(());
            }
        }
        Err(error)
    }
}
