//! The account of one beneficiary.

mod aggregate;
mod award;
mod defer;
mod event;
mod evolve;
mod head;
mod recompute;
mod settle;
pub mod stored;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use aggregate::{AccountAggregate, AccountError, Award};
pub use award::Taken;
pub use event::{AccountEvent, AccountFact};
pub use evolve::{Corrupt, evolve};
pub use head::{Conflict, Head};
pub use settle::{Moved, Settled, Undecided, settle, unsettled};

use crate::{Grade, Points, PolicyVersion};

/// One beneficiary's account, as its events tell it.
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

    /// Whether it is VIP, as far as its events tell.
    #[must_use]
    pub const fn is_vip(&self) -> bool {
        match self {
            Self::Unopened => false,
            Self::Open(standing) => standing.vip,
        }
    }
}

/// How an open account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The policy that it was computed with.
    pub policy_version: PolicyVersion,
    /// What its ledger is worth under that policy, without the facts that were deferred.
    pub lifetime_points: Points,
    /// The grade that these points reach.
    pub grade: Grade,
    /// Whether it is VIP, as far as its events tell: a flip that has fallen due may be missing.
    pub vip: bool,
    /// Whether facts were deferred since it was computed: it has to be recomputed even when its
    /// policy is active again.
    pub deferred: bool,
    /// When its last event occurred; none occurs before it.
    pub changed_at: DateTime<Utc>,
}
