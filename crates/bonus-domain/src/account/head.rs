//! The head of an account: what the next decision needs, so that none reads a whole ledger.

use chrono::{DateTime, Utc};

use super::{Account, Standing};
use crate::{Points, Policy, PolicyVersion};

/// What an account comes to, from its beneficiary's first fact on, opened or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// Facts were kept at most, and nothing was awarded.
    Unopened {
        /// The policy under which its facts are worth 0 points together, without those that were
        /// deferred.
        policy_version: PolicyVersion,
        /// Whether facts were deferred: while another policy was the active one.
        deferred: bool,
    },
    /// Points were awarded.
    Open {
        /// How it stands.
        standing: Standing,
        /// The first instant after the standing's `changed_at` at which VIP flips, either way, if
        /// nothing more happens. `changed_at` itself where VIP was never computed.
        next_vip_change: Option<DateTime<Utc>>,
    },
}

/// The account is not of the active policy: it has to be recomputed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// It is of another policy, or has deferred facts of the time when it was.
    #[error("the account is of policy {account}, and policy {active} is active")]
    Account {
        /// The account's policy.
        account: PolicyVersion,
        /// The active policy.
        active: PolicyVersion,
    },
    /// There is no account yet, and its facts were never counted under the active policy.
    #[error("the facts were never counted under policy {active}, which is active")]
    Uncounted {
        /// The active policy.
        active: PolicyVersion,
    },
}

impl Head {
    /// Of a beneficiary without any fact, while `policy` is active.
    #[must_use]
    pub const fn new(policy: &Policy) -> Self {
        Self::Unopened {
            policy_version: policy.version(),
            deferred: false,
        }
    }

    /// Of an account that was stored before VIP was computed: it is looked at anew at once.
    #[must_use]
    pub fn without_vip(account: Account, policy: &Policy) -> Self {
        match account {
            Account::Unopened => Self::new(policy),
            Account::Open(standing) => Self::Open {
                standing,
                next_vip_change: Some(standing.changed_at),
            },
        }
    }

    /// The account, as its events tell it.
    #[must_use]
    pub const fn account(&self) -> Account {
        match self {
            Self::Unopened { .. } => Account::Unopened,
            Self::Open { standing, .. } => Account::Open(*standing),
        }
    }

    /// The policy that it was computed with.
    #[must_use]
    pub const fn policy_version(&self) -> PolicyVersion {
        match self {
            Self::Unopened { policy_version, .. } => *policy_version,
            Self::Open { standing, .. } => standing.policy_version,
        }
    }

    /// Whether facts were deferred since it was computed.
    #[must_use]
    pub const fn deferred(&self) -> bool {
        match self {
            Self::Unopened { deferred, .. } => *deferred,
            Self::Open { standing, .. } => standing.deferred,
        }
    }

    /// What it is worth; an unopened account nothing.
    #[must_use]
    pub const fn lifetime_points(&self) -> Points {
        match self {
            Self::Unopened { .. } => Points::ZERO,
            Self::Open { standing, .. } => standing.lifetime_points,
        }
    }

    /// When VIP flips next; the clock settles it then.
    #[must_use]
    pub const fn next_vip_change(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Unopened { .. } => None,
            Self::Open {
                next_vip_change, ..
            } => *next_vip_change,
        }
    }

    /// Why no fact can be awarded under the active policy; none where one can.
    #[must_use]
    pub fn conflict(&self, active: &Policy) -> Option<Conflict> {
        let active = active.version();
        if self.policy_version() == active && !self.deferred() {
            return None;
        }
        Some(match self {
            Self::Unopened { .. } => Conflict::Uncounted { active },
            Self::Open { standing, .. } => Conflict::Account {
                account: standing.policy_version,
                active,
            },
        })
    }
}
