//! What one more fact does to points and grade. [`super::Settled::award`] takes its place as soon as
//! the heads that are stored carry VIP.

use chrono::{DateTime, Utc};

use super::{Account, AccountEvent, AccountFact};
use crate::{Fact, Facts, Points, PointsOverflow, Policy, PolicyVersion};

/// Why a fact cannot be taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The account was computed with another policy than the active one: it has to be recomputed
    /// first.
    #[error("the account is of policy {account}, and policy {active} is active")]
    PolicyConflict {
        /// The account's policy.
        account: PolicyVersion,
        /// The active policy.
        active: PolicyVersion,
    },
    /// The total would be too large.
    #[error("the account's points cannot be counted")]
    Overflow(#[from] PointsOverflow),
}

/// Takes `fact` into `account`. No events where it is known already, or moves no total.
///
/// `known` are facts of the account's ledger: all of them for an unopened account, for an open one
/// at least those of the fact's order. Facts of other orders change nothing in what a fact is
/// worth, so the open account's total stands for them.
///
/// # Errors
/// See [`Rejection`].
pub fn award(
    account: &Account,
    known: &Facts,
    fact: &Fact,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Result<Vec<AccountEvent>, Rejection> {
    let mut after = known.clone();
    if !after.insert(*fact) {
        return Ok(Vec::new());
    }
    let worth = policy.total(&after)?;
    let points = worth.minus(policy.total(known)?)?;
    let (lifetime_points, occurred_at) = match account {
        // Less than nothing can be taken from an account that does not exist.
        Account::Unopened if points < Points::ZERO => return Ok(Vec::new()),
        Account::Unopened => (worth, now),
        Account::Open(standing) if standing.policy_version != policy.version() => {
            return Err(Rejection::PolicyConflict {
                account: standing.policy_version,
                active: policy.version(),
            });
        }
        Account::Open(standing) => (
            standing.lifetime_points.plus(points)?,
            now.max(standing.changed_at),
        ),
    };
    if points == Points::ZERO {
        return Ok(Vec::new());
    }

    let event = |change| AccountEvent {
        beneficiary_id: fact.beneficiary.id,
        beneficiary_role: fact.beneficiary.role,
        policy_version: policy.version(),
        occurred_at,
        fact: change,
    };
    let mut events = vec![event(AccountFact::PointsAwarded {
        source_event_id: fact.source_event_id,
        source_type: fact.source_type,
        source_occurred_at: fact.occurred_at,
        order_id: fact.order_id,
        points,
        lifetime_points,
    })];
    let (from, to) = (account.grade(), policy.grade(lifetime_points));
    if from != to {
        events.push(event(AccountFact::GradeChanged { from, to }));
    }
    Ok(events)
}
