//! What another policy makes of the same facts: for one beneficiary, and for all of them together.

mod report;
mod words;

use chrono::{DateTime, Utc};

pub use report::{Bucket, Flow, GradeFlow, LARGEST, Largest, Report};

use crate::{Facts, Grade, Points, PointsOverflow, Policy, PolicyVersion};

/// What facts come to under a policy at an instant. Nothing comes to no points, the lowest grade and no
/// VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Assessment {
    /// The sum over all facts.
    pub lifetime_points: Points,
    /// The grade that it reaches.
    pub grade: Grade,
    /// Whether enough of it lies in the window.
    pub vip: bool,
}

/// What the ledger holds of one beneficiary.
#[derive(Debug, Clone, Copy)]
pub struct Holdings<'a> {
    /// The policy that their head was computed with.
    pub policy_version: PolicyVersion,
    /// Whether they have an account.
    pub opened: bool,
    /// The facts that it counts.
    pub counted: &'a Facts,
    /// All of them, those that were deferred too.
    pub all: &'a Facts,
}

/// One beneficiary under two policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// Their account under the policy that is left; none where they have none.
    pub before: Option<Assessment>,
    /// Their account under the policy that follows; none where they get none.
    pub after: Option<Assessment>,
}

impl Movement {
    /// What they come to before; without an account nothing.
    #[must_use]
    pub fn before(&self) -> Assessment {
        self.before.unwrap_or_default()
    }

    /// What they come to after.
    #[must_use]
    pub fn after(&self) -> Assessment {
        self.after.unwrap_or_default()
    }

    /// Whether nothing moves.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.before() == self.after()
    }

    /// Whether they have no account before, and one after.
    #[must_use]
    pub const fn opens(&self) -> bool {
        self.before.is_none() && self.after.is_some()
    }

    /// By how much the total moves.
    ///
    /// # Errors
    /// When no number holds the difference.
    pub fn points(&self) -> Result<Points, PointsOverflow> {
        let before = self.before().lifetime_points;
        self.after().lifetime_points.minus(before)
    }
}

/// What `facts` come to under `policy` at `at`, in one pass over them.
fn assess(policy: &Policy, facts: &Facts, at: DateTime<Utc>) -> Result<Assessment, PointsOverflow> {
    let rule = policy.vip();
    let begins = rule.begins(at);
    let (mut lifetime_points, mut window_points) = (Points::ZERO, Points::ZERO);
    for (fact, points) in policy.worths(facts) {
        lifetime_points = lifetime_points.plus(points)?;
        if fact.occurred_at > begins && fact.occurred_at <= at {
            window_points = window_points.plus(points)?;
        }
    }
    Ok(Assessment {
        lifetime_points,
        grade: policy.grade(lifetime_points),
        vip: window_points >= rule.threshold,
    })
}

/// What becomes of one beneficiary when `to` follows `from`, at `at`: what a recompute then does, where
/// their head is of `from`. Of one that is of another policy it says what would be if it were of
/// `from`.
///
/// # Errors
/// When no number holds a sum.
pub fn diff(
    from: &Policy,
    to: &Policy,
    of: Holdings<'_>,
    at: DateTime<Utc>,
) -> Result<Movement, PointsOverflow> {
    let before = assess(from, of.counted, at)?;
    let after = assess(to, of.all, at)?;
    let is_worth = |it: Assessment| it.lifetime_points > Points::ZERO;
    let opened = if of.policy_version == from.version() {
        of.opened
    } else {
        is_worth(before)
    };
    Ok(Movement {
        before: opened.then_some(before),
        after: (opened || is_worth(after)).then_some(after),
    })
}
