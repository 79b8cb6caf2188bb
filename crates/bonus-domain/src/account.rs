//! The account of one beneficiary.

mod aggregate;
mod award;
mod event;
mod evolve;
pub mod stored;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use aggregate::{AccountAggregate, AccountError, Award};
pub use award::{Rejection, award};
pub use event::{AccountEvent, AccountFact};
pub use evolve::{Corrupt, evolve};

use crate::{Grade, Points, PolicyVersion};

/// One beneficiary's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Account {
    /// Nothing was awarded yet.
    #[default]
    Unopened,
    /// Points were awarded.
    Open(Standing),
}

impl Account {
    /// Its grade; an unopened account has the lowest.
    #[must_use]
    pub fn grade(&self) -> Grade {
        match self {
            Self::Unopened => Grade::default(),
            Self::Open(standing) => standing.grade,
        }
    }
}

/// How an open account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The policy that it was computed with.
    pub policy_version: PolicyVersion,
    /// What its ledger is worth under that policy.
    pub lifetime_points: Points,
    /// The grade that these points reach.
    pub grade: Grade,
    /// When its last event occurred; none occurs before it.
    pub changed_at: DateTime<Utc>,
}
