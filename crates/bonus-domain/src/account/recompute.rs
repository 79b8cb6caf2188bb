//! Counts every fact of an account anew.

use super::{AccountFact, Head, Moved, Settled, Undecided};
use crate::{Facts, KnownFacts, Points, Policy};

impl Settled {
    /// Counts `facts`, which are all that the ledger holds of the beneficiary, under `policy`.
    ///
    /// The net change alone is told: one `PolicyRecomputed`, and at most one fact of the grade and
    /// one of VIP. An account that is as it should be is not moved. Where there is no account, one
    /// is opened if the facts are worth anything.
    ///
    /// # Errors
    /// [`Undecided::Overflow`] where the total is too large.
    pub fn recompute(mut self, facts: &Facts, policy: &Policy) -> Result<Moved, Undecided> {
        let points_before = self.head.lifetime_points();
        let points_after = policy.total(facts)?;
        let opened = matches!(self.head, Head::Open { .. });
        if !opened && points_after == Points::ZERO {
            self.head = Head::new(policy);
            return Ok(self.into_moved());
        }

        let known = KnownFacts::all(facts.clone());
        let conflict = self.head.conflict(policy);
        let from_version = opened.then(|| self.head.policy_version());
        let due = self.events.len();
        let recomputed = AccountFact::PolicyRecomputed {
            from_version,
            to_version: policy.version(),
            points_before,
            points_after,
        };
        let now = self.now;
        let unmoved = self.clone();
        self.push(recomputed, now, policy.version())?;
        self.follow(policy, &known)?;
        let as_it_was =
            conflict.is_none() && points_before == points_after && self.events.len() == due + 1;
        Ok(if as_it_was {
            unmoved.into_moved()
        } else {
            self.into_moved()
        })
    }
}
