//! What one more fact does to an account.

use super::{AccountFact, Moved, Settled, Undecided};
use crate::{Fact, KnownFacts, Points, Policy};

/// What became of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It was known already. Nothing is to be written.
    Repeated,
    /// It moves nothing: its row is kept, and no event is appended. What was due is left to the next
    /// decision.
    Kept,
    /// It is counted.
    Awarded {
        /// The account after it.
        moved: Moved,
        /// How many of the events are appended up to the award: with this one the row counts.
        counted_by: usize,
    },
}

impl Settled {
    /// Takes `fact` in under the active policy. Points follow, then the grade, then VIP, as far as
    /// each of them moves.
    ///
    /// `known` does not hold the fact yet; the caller adds it before the next one is taken in.
    ///
    /// # Errors
    /// [`Undecided::Conflict`] where the fact has to be deferred, [`Undecided::More`] where older
    /// facts may decide about VIP.
    pub fn award(
        mut self,
        known: &KnownFacts,
        fact: &Fact,
        policy: &Policy,
    ) -> Result<Taken, Undecided> {
        if let Some(conflict) = self.head.conflict(policy) {
            return Err(conflict.into());
        }
        if known.facts().contains(fact.source_event_id) {
            return Ok(Taken::Repeated);
        }
        // Facts of other orders change nothing in what this one is worth.
        let mut beside = known.facts().of_its_order(fact);
        let without = policy.total(&beside)?;
        beside.insert(*fact);
        let points = policy.total(&beside)?.minus(without)?;
        if points == Points::ZERO {
            return Ok(Taken::Kept);
        }

        let lifetime_points = self.head.lifetime_points().plus(points)?;
        let awarded = AccountFact::PointsAwarded {
            source_event_id: fact.source_event_id,
            source_type: fact.source_type,
            source_occurred_at: fact.occurred_at,
            order_id: fact.order_id,
            points,
            lifetime_points,
        };
        let now = self.now;
        self.push(awarded, now, policy.version())?;
        let counted_by = self.events.len();
        let mut after = known.clone();
        after.insert(*fact);
        self.follow(policy, &after)?;
        Ok(Taken::Awarded {
            moved: self.into_moved(),
            counted_by,
        })
    }
}
