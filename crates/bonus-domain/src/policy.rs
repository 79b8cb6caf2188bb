//! A policy: what facts are worth, and what a total of points means.

mod compiled;
mod file;

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU16;

use kernel::{OrderId, Role};
use serde::{Deserialize, Serialize};

pub use compiled::Policies;

use crate::grade::Thresholds;
use crate::{Fact, Facts, Grade, NextGrade, Points, PointsOverflow, SourceType};

/// Numbers the policies, from 1 without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyVersion(NonZeroU16);

impl PolicyVersion {
    /// The policy that is active from the first start.
    pub const FIRST: Self = Self(NonZeroU16::MIN);

    /// The policy of that number, which is at least 1.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        match NonZeroU16::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The bare number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

/// A number that no policy can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no version of a policy")]
pub struct NoPolicyVersion(i32);

impl TryFrom<i32> for PolicyVersion {
    type Error = NoPolicyVersion;

    /// Reads the number as a column holds it.
    fn try_from(number: i32) -> Result<Self, Self::Error> {
        u16::try_from(number)
            .ok()
            .and_then(Self::new)
            .ok_or(NoPolicyVersion(number))
    }
}

impl From<PolicyVersion> for i32 {
    fn from(version: PolicyVersion) -> Self {
        Self::from(version.get())
    }
}

impl fmt::Display for PolicyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The SHA-256 of a policy's file: the same rules, letter for letter.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PolicyHash([u8; 32]);

impl PolicyHash {
    /// The bare bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for PolicyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PolicyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PolicyHash({self})")
    }
}

/// An event that gives points.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Award {
    event: SourceType,
    role: Role,
    points: Points,
}

/// An event that takes away what earlier or later events of the same order give.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reversal {
    event: SourceType,
    role: Role,
    by_dispute: bool,
    reverses: Vec<SourceType>,
}

impl Reversal {
    fn is(&self, fact: &Fact) -> bool {
        self.event == fact.source_type
            && self.role == fact.beneficiary.role
            && self.by_dispute == fact.by_dispute
    }
}

/// When an account is VIP: so many points whose facts lie within the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VipRule {
    /// Length of the window in days of 24 hours.
    pub window_days: NonZeroU16,
    /// Points in the window from which on an account is VIP.
    pub threshold: Points,
}

/// A versioned set of rules. One that exists is legal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    version: PolicyVersion,
    hash: PolicyHash,
    awards: Vec<Award>,
    reversals: Vec<Reversal>,
    thresholds: Thresholds,
    vip: VipRule,
}

impl Policy {
    /// Its number.
    #[must_use]
    pub const fn version(&self) -> PolicyVersion {
        self.version
    }

    /// The hash of its file.
    #[must_use]
    pub const fn hash(&self) -> PolicyHash {
        self.hash
    }

    /// When an account is VIP.
    #[must_use]
    pub const fn vip(&self) -> VipRule {
        self.vip
    }

    /// The events that give points to a beneficiary in `role`.
    pub fn rewarded(&self, role: Role) -> impl Iterator<Item = &SourceType> {
        self.awards
            .iter()
            .filter(move |award| award.role == role)
            .map(|award| &award.event)
    }

    /// Whether it gives or takes points for this event of a beneficiary in `role`.
    #[must_use]
    pub fn minds(&self, event: &SourceType, role: Role) -> bool {
        let reversed = self
            .reversals
            .iter()
            .any(|reversal| reversal.event == *event && reversal.role == role);
        reversed || self.rewarded(role).any(|rewarded| rewarded == event)
    }

    /// What each fact is worth in this set; 0 for one that another of the set reverses.
    pub fn worths<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = (&'a Fact, Points)> {
        let reversed = self.reversed(facts);
        facts.iter().map(move |fact| {
            let points = match fact.order_id {
                Some(order) if reversed.contains(&(order, &fact.source_type)) => Points::ZERO,
                Some(_) | None => self.price(fact),
            };
            (fact, points)
        })
    }

    /// What the set is worth: the lifetime points of an account with this ledger.
    ///
    /// # Errors
    /// When no number holds the sum.
    pub fn total(&self, facts: &Facts) -> Result<Points, PointsOverflow> {
        self.worths(facts)
            .try_fold(Points::ZERO, |sum, (_, points)| sum.plus(points))
    }

    /// The grade of an account with so many lifetime points.
    #[must_use]
    pub fn grade(&self, lifetime: Points) -> Grade {
        self.thresholds.grade(lifetime)
    }

    /// What is missing for the next grade; none where there is no higher one.
    #[must_use]
    pub fn next_grade(&self, lifetime: Points) -> Option<NextGrade> {
        self.thresholds.next(lifetime)
    }

    /// What a fact gives when nothing reverses it.
    fn price(&self, fact: &Fact) -> Points {
        self.awards
            .iter()
            .find(|award| award.event == fact.source_type && award.role == fact.beneficiary.role)
            .map_or(Points::ZERO, |award| award.points)
    }

    /// The events, each of one order, that give nothing in this set.
    fn reversed<'a>(&'a self, facts: &'a Facts) -> BTreeSet<(OrderId, &'a SourceType)> {
        facts
            .iter()
            .filter_map(|fact| Some((fact.order_id?, fact)))
            .flat_map(|(order, fact)| {
                self.reversals
                    .iter()
                    .filter(|reversal| reversal.is(fact))
                    .flat_map(|reversal| &reversal.reverses)
                    .map(move |event| (order, event))
            })
            .collect()
    }
}
