//! VIP: enough points within the window, exact to the microsecond.
//!
//! At instant *t* the window holds what occurred in *(t − length, t]*. The points in it are a step
//! function of *t*: a fact enters at its instant, which may lie ahead, and leaves one length later.

use std::num::NonZeroU16;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{KnownFacts, Points, Policy};

/// When an account is VIP: so many points whose facts lie within the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VipRule {
    /// Length of the window in days of 24 hours.
    pub window_days: NonZeroU16,
    /// Points in the window from which on an account is VIP.
    pub threshold: Points,
}

impl VipRule {
    /// The length of the window: so many times 24 hours, in no time zone.
    #[must_use]
    pub fn window(&self) -> TimeDelta {
        TimeDelta::hours(24 * i64::from(self.window_days.get()))
    }

    /// The instant at which a fact of `occurred_at` has left the window.
    #[must_use]
    pub fn leaves_at(&self, occurred_at: DateTime<Utc>) -> DateTime<Utc> {
        occurred_at
            .checked_add_signed(self.window())
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// The instant after which facts lie in the window at `t`.
    #[must_use]
    pub fn begins(&self, t: DateTime<Utc>) -> DateTime<Utc> {
        t.checked_sub_signed(self.window())
            .unwrap_or(DateTime::<Utc>::MIN_UTC)
    }
}

/// An older fact may decide: none at or before this instant can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("facts back to {back_to} may decide, and are not known")]
pub struct MoreFacts {
    /// Facts at or before it cannot matter.
    pub back_to: DateTime<Utc>,
}

/// The points of one beneficiary in the order in which they were earned, under one policy.
#[derive(Debug, Clone)]
pub struct Earnings {
    rule: VipRule,
    /// Ascending; nothing that is worth 0.
    earned: Vec<(DateTime<Utc>, Points)>,
    /// Every fact after it is there.
    after: Option<DateTime<Utc>>,
}

impl Earnings {
    /// What `known` facts earn under `policy`.
    #[must_use]
    pub fn new(policy: &Policy, known: &KnownFacts) -> Self {
        let mut earnings = Self {
            rule: policy.vip(),
            earned: Vec::with_capacity(known.facts().len()),
            after: known.after(),
        };
        for (fact, points) in policy.worths(known.facts()) {
            let there = earnings.after.is_none_or(|after| fact.occurred_at > after);
            if there && points > Points::ZERO {
                earnings.earned.push((fact.occurred_at, points));
            }
        }
        earnings
    }

    /// Whether the account is VIP at `t`.
    ///
    /// # Errors
    /// [`MoreFacts`] where an older fact may decide.
    pub fn is_vip(&self, t: DateTime<Utc>) -> Result<bool, MoreFacts> {
        self.vip_since(t).map(|since| since.is_some())
    }

    /// The first instant after `t` at which VIP flips, either way, if nothing more happens.
    ///
    /// # Errors
    /// [`MoreFacts`] where an older fact may decide.
    pub fn next_change(&self, t: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, MoreFacts> {
        let Some(since) = self.vip_since(t)? else {
            return self.next_gain(t);
        };
        // Up to here the facts that make it VIP now stay in the window; what enters meanwhile may
        // carry it on.
        let mut ends = self.rule.leaves_at(since);
        while ends < DateTime::<Utc>::MAX_UTC {
            let Some(since) = self.vip_since(ends)? else {
                return Ok(Some(ends));
            };
            ends = self.rule.leaves_at(since);
        }
        Ok(None)
    }

    /// The instants in *[from, to]* at which VIP flips, beginning with an account that is VIP as
    /// `active` says. Where that is wrong at `from`, it flips there.
    ///
    /// # Errors
    /// [`MoreFacts`] where an older fact may decide.
    pub fn flips(
        &self,
        active: bool,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<DateTime<Utc>>, MoreFacts> {
        let mut flips = Vec::new();
        if from > to {
            return Ok(flips);
        }
        if self.is_vip(from)? != active {
            flips.push(from);
        }
        let mut at = from;
        while let Some(next) = self.next_change(at)?.filter(|next| *next <= to) {
            flips.push(next);
            at = next;
        }
        Ok(flips)
    }

    /// Whether facts at `t` make it VIP: then the oldest of the newest facts that suffice.
    fn vip_since(&self, t: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, MoreFacts> {
        let begins = self.rule.begins(t);
        let until = self.earned.partition_point(|(earned, _)| *earned <= t);
        let newest_first = self.earned.iter().take(until).rev();
        let mut missing = self.rule.threshold.get();
        for (earned, points) in newest_first {
            if *earned <= begins {
                return Ok(None);
            }
            missing = missing.saturating_sub(points.get());
            if missing <= 0 {
                return Ok(Some(*earned));
            }
        }
        self.reaches(begins).map(|()| None)
    }

    /// An account that is not VIP becomes so only when a fact enters.
    fn next_gain(&self, t: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, MoreFacts> {
        let entered = self.earned.partition_point(|(earned, _)| *earned <= t);
        for (enters, _) in self.earned.iter().skip(entered) {
            if self.is_vip(*enters)? {
                return Ok(Some(*enters));
            }
        }
        Ok(None)
    }

    fn reaches(&self, back_to: DateTime<Utc>) -> Result<(), MoreFacts> {
        match self.after {
            Some(after) if after > back_to => Err(MoreFacts { back_to }),
            Some(_) | None => Ok(()),
        }
    }
}
