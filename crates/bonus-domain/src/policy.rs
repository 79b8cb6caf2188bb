//! A policy: what facts are worth, and what a total of points means.

mod compiled;
mod file;

use std::fmt;
use std::num::NonZeroU16;

use kernel::{EventId, OrderId, Role};
use serde::{Deserialize, Serialize};

pub use compiled::Policies;

use crate::grade::Thresholds;
use crate::{Fact, Facts, Grade, NextGrade, Points, PointsOverflow, SourceType, VipRule};

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
pub struct Reversal {
    /// The event.
    pub event: SourceType,
    /// The role in which it takes points.
    pub role: Role,
    /// Whether it takes them when an operator decided it in a dispute, or when none did.
    pub by_dispute: bool,
    /// The events whose points it takes.
    pub reverses: Vec<SourceType>,
}

impl Reversal {
    fn is(&self, fact: &Fact) -> bool {
        self.event == fact.source_type
            && self.role == fact.beneficiary.role
            && self.by_dispute == fact.by_dispute
    }
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
    pub fn rewarded(&self, role: Role) -> impl Iterator<Item = SourceType> {
        self.awards
            .iter()
            .filter(move |award| award.role == role)
            .map(|award| award.event)
    }

    /// What it gives for each event, in the order of its file.
    pub fn awards(&self) -> impl Iterator<Item = (SourceType, Role, Points)> {
        self.awards
            .iter()
            .map(|award| (award.event, award.role, award.points))
    }

    /// What takes away what else, in the order of its file.
    pub fn reversals(&self) -> impl Iterator<Item = &Reversal> {
        self.reversals.iter()
    }

    /// The lifetime points from which on an account has each grade, ascending.
    pub fn grades(&self) -> impl Iterator<Item = (Grade, Points)> {
        self.thresholds.iter()
    }

    /// How many of the newest facts decide about VIP, unless some of them are worth nothing: so
    /// many of the smallest award reach the threshold. None where nothing is rewarded in `role`.
    #[must_use]
    pub fn facts_that_make_vip(&self, role: Role) -> Option<usize> {
        let smallest = self
            .awards
            .iter()
            .filter(|award| award.role == role)
            .map(|award| award.points.get())
            .min()?;
        let rounded_up = self.vip.threshold.get().checked_add(smallest - 1)? / smallest;
        usize::try_from(rounded_up).ok()
    }

    /// Whether it gives or takes points for this event of a beneficiary in `role`.
    #[must_use]
    pub fn minds(&self, event: SourceType, role: Role) -> bool {
        let reversed = self
            .reversals
            .iter()
            .any(|reversal| reversal.event == event && reversal.role == role);
        reversed || self.rewarded(role).any(|rewarded| rewarded == event)
    }

    /// What each fact is worth in this set; 0 for one that another of the set reverses. Ascending
    /// as the set is.
    pub fn worths<'a>(&'a self, facts: &'a Facts) -> impl Iterator<Item = (&'a Fact, Points)> {
        let reversed = self.reversed(facts);
        facts.iter().map(move |fact| {
            let points = match reversed.by(fact) {
                Some(_) => Points::ZERO,
                None => self.price(fact),
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
    #[must_use]
    pub fn price(&self, fact: &Fact) -> Points {
        self.awards
            .iter()
            .find(|award| award.event == fact.source_type && award.role == fact.beneficiary.role)
            .map_or(Points::ZERO, |award| award.points)
    }

    /// What gives nothing in this set, each event of one order, and the first fact that says so.
    pub(crate) fn reversed(&self, facts: &Facts) -> Reversed {
        let mut reversed = Vec::new();
        for fact in facts {
            let rules = self.reversals.iter().filter(|reversal| reversal.is(fact));
            if let Some(order) = fact.order_id {
                reversed.extend(rules.flat_map(|rule| {
                    let events = rule.reverses.iter();
                    events.map(move |event| ((order, *event), fact.source_event_id))
                }));
            }
        }
        // Stable: of several facts that reverse the same, the first stays the first.
        reversed.sort_by_key(|(what, _)| *what);
        reversed.dedup_by_key(|(what, _)| *what);
        Reversed(reversed)
    }
}

/// What is reversed in a set of facts: events of orders, ascending, each with the fact that does it.
#[derive(Debug)]
pub(crate) struct Reversed(Vec<((OrderId, SourceType), EventId)>);

impl Reversed {
    /// The fact that reverses this one.
    pub(crate) fn by(&self, fact: &Fact) -> Option<EventId> {
        if self.0.is_empty() {
            return None;
        }
        let what = (fact.order_id?, fact.source_type);
        let found = self.0.binary_search_by_key(&what, |(what, _)| *what).ok()?;
        self.0.get(found).map(|(_, by)| *by)
    }
}
