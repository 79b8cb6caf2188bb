//! What comes before every decision: the flips of VIP that fell due meanwhile, each at its own
//! instant. So the events of an account never run back, and those of VIP alternate.

use chrono::{DateTime, Utc};

use super::{Account, AccountEvent, AccountFact, Conflict, Corrupt, Head, evolve};
use crate::vip::Earnings;
use crate::{Beneficiary, KnownFacts, MoreFacts, PointsOverflow, Policy, PolicyVersion};

/// Why nothing was decided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// Not enough is known. Read more facts and ask again: the question changes nothing.
    #[error("older facts are needed")]
    More(#[from] MoreFacts),
    /// The account has to be recomputed first.
    #[error("the account has to be recomputed first")]
    Conflict(#[from] Conflict),
    /// A total would be too large.
    #[error("the account's points cannot be counted")]
    Overflow(#[from] PointsOverflow),
    /// It was asked with another policy than the account's.
    #[error("the account is of policy {account}, and was to be settled under policy {policy}")]
    OtherPolicy {
        /// The account's policy.
        account: PolicyVersion,
        /// The one given.
        policy: PolicyVersion,
    },
    /// What is known contradicts the head.
    #[error("the account is corrupt")]
    Corrupt(#[from] Corrupt),
}

/// What a decision makes of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The head after the events.
    pub head: Head,
    /// The events to append, oldest first.
    pub events: Vec<AccountEvent>,
}

/// An account whose flips are settled up to an instant; every decision begins with one. Nothing
/// of it is stored until the decision's [`Moved`] is.
#[derive(Debug, Clone)]
pub struct Settled {
    pub(super) beneficiary: Beneficiary,
    pub(super) head: Head,
    pub(super) events: Vec<AccountEvent>,
    pub(super) now: DateTime<Utc>,
}

/// Settles what fell due up to `now`, or up to the account's last event where the clock is behind
/// it.
///
/// `policy` is the account's own, and `counted` what the account counts: no fact that was deferred
/// is in it. Where nothing is due neither is looked at, so that `counted` may be empty.
///
/// # Errors
/// [`Undecided::More`] where older facts may decide, [`Undecided::OtherPolicy`] for another policy
/// than the account's while something is due.
pub fn settle(
    head: Head,
    beneficiary: Beneficiary,
    counted: &KnownFacts,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Result<Settled, Undecided> {
    let mut settled = unsettled(head, beneficiary, now);
    let Head::Open {
        standing,
        next_vip_change,
    } = head
    else {
        return Ok(settled);
    };
    if next_vip_change.is_none_or(|due| due > settled.now) {
        return Ok(settled);
    }
    if standing.policy_version != policy.version() {
        return Err(Undecided::OtherPolicy {
            account: standing.policy_version,
            policy: policy.version(),
        });
    }
    let earnings = Earnings::new(policy, counted);
    let mut active = standing.vip;
    for at in earnings.flips(active, standing.changed_at, settled.now)? {
        active = !active;
        settled.flip(&earnings, active, at, policy.version())?;
    }
    settled.set_next_vip_change(&earnings)?;
    Ok(settled)
}

/// An account as it stands, for who does not know its policy and cannot say which flips fell due.
/// They are left to who does, and happen no earlier than what is decided now.
#[must_use]
pub fn unsettled(head: Head, beneficiary: Beneficiary, now: DateTime<Utc>) -> Settled {
    Settled {
        beneficiary,
        head,
        events: Vec::new(),
        now: match head {
            Head::Unopened { .. } => now,
            Head::Open { standing, .. } => now.max(standing.changed_at),
        },
    }
}

impl Settled {
    /// The flips alone, for the VIP clock. Without events where none was due; the head may have
    /// another next change even then.
    #[must_use]
    pub fn into_moved(self) -> Moved {
        Moved {
            head: self.head,
            events: self.events,
        }
    }

    /// The account as it stands.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Lets `change` happen at `at`.
    pub(super) fn push(
        &mut self,
        change: AccountFact,
        at: DateTime<Utc>,
        policy_version: PolicyVersion,
    ) -> Result<(), Corrupt> {
        let event = AccountEvent {
            beneficiary_id: self.beneficiary.id,
            beneficiary_role: self.beneficiary.role,
            policy_version,
            occurred_at: at,
            fact: change,
        };
        let next_vip_change = self.head.next_vip_change();
        if let Account::Open(standing) = evolve(self.head.account(), &event)? {
            self.head = Head::Open {
                standing,
                next_vip_change,
            };
        }
        self.events.push(event);
        Ok(())
    }

    fn flip(
        &mut self,
        earnings: &Earnings,
        active: bool,
        at: DateTime<Utc>,
        policy_version: PolicyVersion,
    ) -> Result<(), Undecided> {
        let change = if active {
            // A window empties, in the end.
            let until = earnings.next_change(at)?;
            AccountFact::VipAcquired {
                until: until.unwrap_or(DateTime::<Utc>::MAX_UTC),
            }
        } else {
            AccountFact::VipLost
        };
        Ok(self.push(change, at, policy_version)?)
    }

    /// Lets grade and VIP follow the total and the facts, at most once each, and says when VIP
    /// changes next.
    pub(super) fn follow(&mut self, policy: &Policy, known: &KnownFacts) -> Result<(), Undecided> {
        let now = self.now;
        let (from, to) = (
            self.head.account().grade(),
            policy.grade(self.head.lifetime_points()),
        );
        if from != to {
            self.push(
                AccountFact::GradeChanged { from, to },
                now,
                policy.version(),
            )?;
        }
        let earnings = Earnings::new(policy, known);
        let active = earnings.is_vip(now)?;
        if self.head.account().is_vip() != active {
            self.flip(&earnings, active, now, policy.version())?;
        }
        self.set_next_vip_change(&earnings)
    }

    fn set_next_vip_change(&mut self, earnings: &Earnings) -> Result<(), Undecided> {
        let next = earnings.next_change(self.now)?;
        if let Head::Open {
            next_vip_change, ..
        } = &mut self.head
        {
            *next_vip_change = next;
        }
        Ok(())
    }
}
