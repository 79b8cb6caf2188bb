//! What the ledger keeps: facts, not points. What a fact is worth, a policy says.

use std::fmt;

use chrono::{DateTime, Utc};
use kernel::{EventId, OrderId, Role};
use uuid::Uuid;

use crate::SourceType;

/// Who earns points: an id in a role. One id in two roles has two accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Beneficiary {
    /// The role in which they are earned.
    pub role: Role,
    /// The id, unique within its role.
    pub id: Uuid,
}

impl Beneficiary {
    /// The principal `id` in `role`.
    #[must_use]
    pub const fn new(role: Role, id: Uuid) -> Self {
        Self { role, id }
    }
}

impl fmt::Display for Beneficiary {
    /// `role:id`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.role, self.id.as_hyphenated())
    }
}

/// One row of the ledger: an event that names a beneficiary, with what the rules need of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// The event's global id: a fact is counted once, however often it is told.
    pub source_event_id: EventId,
    /// What happened.
    pub source_type: SourceType,
    /// To whose account it belongs.
    pub beneficiary: Beneficiary,
    /// The order that it belongs to, if any.
    pub order_id: Option<OrderId>,
    /// Whether an operator decided it in a dispute; false for events that know no disputes.
    pub by_dispute: bool,
    /// When it happened, in whole microseconds.
    pub occurred_at: DateTime<Utc>,
}

impl Fact {
    /// Its place among the facts of its beneficiary: by instant, then by id.
    fn place(&self) -> (DateTime<Utc>, EventId) {
        (self.occurred_at, self.source_event_id)
    }
}

/// A set of facts of one beneficiary: a slice, ascending by instant and id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts(Vec<Fact>);

impl Facts {
    /// Takes a fact in, unless one with its id is there. Returns whether it did.
    pub fn insert(&mut self, fact: Fact) -> bool {
        if self.contains(fact.source_event_id) {
            return false;
        }
        let place = self.0.partition_point(|other| other.place() < fact.place());
        self.0.insert(place, fact);
        true
    }

    /// Takes in the next fact of a reading that is ascending by instant and holds each id once, as
    /// the ledger does: nothing is compared with it but the last one.
    pub fn push_next(&mut self, fact: Fact) {
        let ascending = self.0.last().is_none_or(|last| last.place() < fact.place());
        if ascending {
            self.0.push(fact);
        } else {
            self.insert(fact);
        }
    }

    /// Forgets every fact, and keeps the room for as many.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether a fact with this id is there.
    #[must_use]
    pub fn contains(&self, source_event_id: EventId) -> bool {
        self.get(source_event_id).is_some()
    }

    /// The fact with this id.
    #[must_use]
    pub fn get(&self, source_event_id: EventId) -> Option<&Fact> {
        self.0
            .iter()
            .find(|fact| fact.source_event_id == source_event_id)
    }

    /// Every fact, ascending by instant and id.
    pub fn iter(&self) -> std::slice::Iter<'_, Fact> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that are about the same order as `fact`; none where it is about no order.
    #[must_use]
    pub fn of_its_order(&self, fact: &Fact) -> Self {
        let same = |other: &&Fact| fact.order_id.is_some() && other.order_id == fact.order_id;
        Self(self.0.iter().filter(same).copied().collect())
    }
}

impl<'a> IntoIterator for &'a Facts {
    type Item = &'a Fact;
    type IntoIter = std::slice::Iter<'a, Fact>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Fact> for Facts {
    /// Of several with one id, the first is kept.
    fn from_iter<I: IntoIterator<Item = Fact>>(facts: I) -> Self {
        let mut set: Vec<Fact> = facts.into_iter().collect();
        set.sort_by_key(|fact| fact.source_event_id);
        set.dedup_by_key(|fact| fact.source_event_id);
        set.sort_unstable_by_key(Fact::place);
        Self(set)
    }
}

/// What is known of a beneficiary's facts: all of them, or those after an instant and some more.
///
/// Whoever fills it sees to two things. Every rewarded fact after that instant is there, together
/// with the facts of its order that reverse it. And of the order of a fact that is to be taken in,
/// every fact is there, however old.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KnownFacts {
    facts: Facts,
    after: Option<DateTime<Utc>>,
}

impl KnownFacts {
    /// Every fact of the beneficiary.
    #[must_use]
    pub const fn all(facts: Facts) -> Self {
        Self { facts, after: None }
    }

    /// Facts that are all of those after `after`, and some older ones.
    #[must_use]
    pub const fn all_after(after: DateTime<Utc>, facts: Facts) -> Self {
        Self {
            facts,
            after: Some(after),
        }
    }

    /// The facts.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The instant after which every fact is known; none where all are.
    #[must_use]
    pub const fn after(&self) -> Option<DateTime<Utc>> {
        self.after
    }

    /// Takes a fact in, unless one with its id is there. Returns whether it did.
    pub fn insert(&mut self, fact: Fact) -> bool {
        self.facts.insert(fact)
    }

    /// Takes in older facts, which are now all of those after `after`; with none, all that there
    /// are.
    pub fn reach_back(
        &mut self,
        after: Option<DateTime<Utc>>,
        older: impl IntoIterator<Item = Fact>,
    ) {
        let facts = std::mem::take(&mut self.facts);
        self.facts = facts.0.into_iter().chain(older).collect();
        self.after = after;
    }
}
