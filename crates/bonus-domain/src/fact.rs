//! What the ledger keeps: facts, not points. What a fact is worth, a policy says.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use kernel::{EventId, OrderId, Role};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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

/// The name of an event that a policy may reward, such as `OrderPlaced`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceType(String);

impl SourceType {
    /// The event of that name. Which names are worth keeping, [`crate::Policies::keep`] says.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One row of the ledger: an event that names a beneficiary, with what the rules need of it.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// A set of facts of one beneficiary.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts(BTreeMap<EventId, Fact>);

impl Facts {
    /// Takes a fact in, unless one with its id is there. Returns whether it did.
    pub fn insert(&mut self, fact: Fact) -> bool {
        match self.0.entry(fact.source_event_id) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(fact);
                true
            }
            std::collections::btree_map::Entry::Occupied(_) => false,
        }
    }

    /// Whether a fact with this id is there.
    #[must_use]
    pub fn contains(&self, source_event_id: EventId) -> bool {
        self.0.contains_key(&source_event_id)
    }

    /// Every fact, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.0.values()
    }
}

impl FromIterator<Fact> for Facts {
    fn from_iter<I: IntoIterator<Item = Fact>>(facts: I) -> Self {
        let mut set = Self::default();
        for fact in facts {
            set.insert(fact);
        }
        set
    }
}
