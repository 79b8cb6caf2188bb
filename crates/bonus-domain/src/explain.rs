//! Why an account is what it is: every fact in exactly one place, and the places sum to the numbers.

mod words;

use chrono::{DateTime, Utc};
use kernel::EventId;

use crate::vip::Earnings;
use crate::{
    Fact, Facts, Grade, KnownFacts, NextGrade, Points, PointsOverflow, Policy, PolicyVersion,
};

/// What a fact does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It counts, and lies in the window.
    InWindow {
        /// What it gives.
        points: Points,
        /// When it leaves the window.
        until: DateTime<Utc>,
    },
    /// It counts, and has left the window.
    LeftWindow {
        /// What it gives.
        points: Points,
        /// When it left.
        at: DateTime<Utc>,
    },
    /// It counts, and lies ahead: it enters the window at its instant.
    Ahead {
        /// What it gives.
        points: Points,
    },
    /// The policy gives nothing for it.
    NotRewarded,
    /// Another fact of its order takes away what it would give.
    Reversed {
        /// What it would give.
        points: Points,
        /// The first fact that takes it away.
        by: EventId,
    },
    /// It counts from the next recompute on.
    Deferred,
}

impl Place {
    /// What it adds to the lifetime total.
    #[must_use]
    pub const fn lifetime_points(&self) -> Points {
        match self {
            Self::InWindow { points, .. }
            | Self::LeftWindow { points, .. }
            | Self::Ahead { points } => *points,
            Self::NotRewarded | Self::Reversed { .. } | Self::Deferred => Points::ZERO,
        }
    }

    /// What it adds to the points of the window.
    #[must_use]
    pub const fn window_points(&self) -> Points {
        match self {
            Self::InWindow { points, .. } => *points,
            Self::LeftWindow { .. }
            | Self::Ahead { .. }
            | Self::NotRewarded
            | Self::Reversed { .. }
            | Self::Deferred => Points::ZERO,
        }
    }
}

/// A fact in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The fact.
    pub fact: Fact,
    /// What it does.
    pub place: Place,
}

/// Why an account is what it is under a policy at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The policy.
    pub policy_version: PolicyVersion,
    /// The instant.
    pub at: DateTime<Utc>,
    /// What the parts add up to.
    pub lifetime_points: Points,
    /// The grade that it reaches.
    pub grade: Grade,
    /// What is missing for the next one.
    pub next_grade: Option<NextGrade>,
    /// What the parts in the window add up to.
    pub window_points: Points,
    /// The points in the window from which on an account is VIP.
    pub threshold: Points,
    /// When VIP flips next, either way, if nothing more happens.
    pub next_vip_change: Option<DateTime<Utc>>,
    /// Every fact, ascending by instant and id.
    pub parts: Vec<Part>,
}

impl Explanation {
    /// Whether the account is VIP.
    #[must_use]
    pub fn is_vip(&self) -> bool {
        self.window_points >= self.threshold
    }

    /// What is missing in the window for VIP; 0 while the account is VIP.
    #[must_use]
    pub fn points_to_vip(&self) -> Points {
        let missing = self.threshold.minus(self.window_points);
        missing.unwrap_or_default().max(Points::ZERO)
    }
}

/// Explains an account: `counted` is what it counts, `deferred` what it has kept beside that.
///
/// # Errors
/// When no number holds a sum.
pub fn explain(
    policy: &Policy,
    counted: &Facts,
    deferred: &Facts,
    at: DateTime<Utc>,
) -> Result<Explanation, PointsOverflow> {
    let mut parts: Vec<Part> = places(policy, counted, at).collect();
    parts.extend(deferred.iter().map(|fact| Part {
        fact: *fact,
        place: Place::Deferred,
    }));
    parts.sort_by_key(|part| (part.fact.occurred_at, part.fact.source_event_id));
    let (mut lifetime_points, mut window_points) = (Points::ZERO, Points::ZERO);
    for part in &parts {
        lifetime_points = lifetime_points.plus(part.place.lifetime_points())?;
        window_points = window_points.plus(part.place.window_points())?;
    }
    let earnings = Earnings::new(policy, &KnownFacts::all(counted.clone()));
    Ok(Explanation {
        policy_version: policy.version(),
        at,
        lifetime_points,
        grade: policy.grade(lifetime_points),
        next_grade: policy.next_grade(lifetime_points),
        window_points,
        threshold: policy.vip().threshold,
        // Every fact is known: more cannot be asked for.
        next_vip_change: earnings.next_change(at).unwrap_or_default(),
        parts,
    })
}

/// Each counted fact in its place.
fn places<'a>(
    policy: &'a Policy,
    counted: &'a Facts,
    at: DateTime<Utc>,
) -> impl Iterator<Item = Part> + 'a {
    let reversed = policy.reversed(counted);
    counted.iter().map(move |fact| Part {
        fact: *fact,
        place: match (policy.price(fact), reversed.by(fact)) {
            (Points::ZERO, _) => Place::NotRewarded,
            (points, Some(by)) => Place::Reversed { points, by },
            (points, None) => in_time(policy, fact, points, at),
        },
    })
}

fn in_time(policy: &Policy, fact: &Fact, points: Points, at: DateTime<Utc>) -> Place {
    let leaves = policy.vip().leaves_at(fact.occurred_at);
    if fact.occurred_at > at {
        Place::Ahead { points }
    } else if leaves > at {
        Place::InWindow {
            points,
            until: leaves,
        }
    } else {
        Place::LeftWindow { points, at: leaves }
    }
}

/// VIP at an instant, with the points that make it and when it flips next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VipAt {
    /// The points in the window.
    pub window_points: Points,
    /// Whether they suffice.
    pub active: bool,
    /// While it is VIP: until when, if nothing more happens.
    pub until: Option<DateTime<Utc>>,
}
