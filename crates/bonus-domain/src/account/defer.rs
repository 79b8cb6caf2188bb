//! Keeps a fact for later: the account is not of the active policy.

use super::{AccountFact, Head, Moved, Settled, Undecided};
use crate::Fact;

impl Settled {
    /// Keeps `fact`, which counts from the next recompute on. An account that is open says so by
    /// an event; of a beneficiary without one nobody can say any more what the facts are worth.
    ///
    /// The caller writes the row, and adds the fact to nothing that the account counts.
    ///
    /// # Errors
    /// [`Undecided::Corrupt`] where the event cannot follow.
    pub fn defer(mut self, fact: &Fact) -> Result<Moved, Undecided> {
        match self.head {
            Head::Unopened { policy_version, .. } => {
                self.head = Head::Unopened {
                    policy_version,
                    deferred: true,
                };
            }
            Head::Open { standing, .. } => {
                let deferred = AccountFact::AwardDeferred {
                    source_event_id: fact.source_event_id,
                };
                let now = self.now;
                self.push(deferred, now, standing.policy_version)?;
            }
        }
        Ok(self.into_moved())
    }
}
