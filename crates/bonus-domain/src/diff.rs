//! What another policy makes of the same facts: for one beneficiary, and for all of them together.

mod report;
mod words;

use chrono::{DateTime, Utc};

pub use report::{Bucket, Flow, GradeFlow, LARGEST, Largest, Report};

use crate::{Facts, Grade, Points, PointsOverflow, Policy};

/// What facts come to under a policy at an instant. Without an account these are no points, the
/// lowest grade and no VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Assessment {
    /// The sum over all facts.
    pub lifetime_points: Points,
    /// The grade that it reaches.
    pub grade: Grade,
    /// Whether enough of it lies in the window.
    pub vip: bool,
}

/// One beneficiary under two policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// Under the policy that is left.
    pub before: Assessment,
    /// Under the policy that follows.
    pub after: Assessment,
}

impl Movement {
    /// Whether nothing moves.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.before == self.after
    }

    /// By how much the total moves.
    ///
    /// # Errors
    /// When no number holds the difference.
    pub fn points(&self) -> Result<Points, PointsOverflow> {
        self.after
            .lifetime_points
            .minus(self.before.lifetime_points)
    }
}

/// What `facts` come to under `policy` at `at`, in one pass over them.
///
/// # Errors
/// When no number holds the sum.
pub fn assess(
    policy: &Policy,
    facts: &Facts,
    at: DateTime<Utc>,
) -> Result<Assessment, PointsOverflow> {
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

/// What becomes of one beneficiary when `to` follows `from`, at `at`: what a recompute of these facts
/// then does.
///
/// # Errors
/// When no number holds a sum.
pub fn diff(
    from: &Policy,
    to: &Policy,
    facts: &Facts,
    at: DateTime<Utc>,
) -> Result<Movement, PointsOverflow> {
    Ok(Movement {
        before: assess(from, facts, at)?,
        after: assess(to, facts, at)?,
    })
}
