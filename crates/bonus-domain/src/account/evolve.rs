//! What an event makes of an account.

use serde::{Deserialize, Serialize};

use super::{Account, AccountEvent, AccountFact, Standing};
use crate::{Grade, Points, PolicyVersion};

/// An event that cannot follow what went before: the stream is corrupt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Corrupt {
    /// Nothing but an award opens an account.
    #[error("the account was not opened by an award")]
    Unopened,
    /// The event was evaluated under another policy.
    #[error("the account is of policy {account}, its event of policy {event}")]
    OtherPolicy {
        /// The account's.
        account: PolicyVersion,
        /// The event's.
        event: PolicyVersion,
    },
    /// Time runs back.
    #[error("the event occurred before the account's last one")]
    TimeRunsBack,
    /// The totals before and after differ by something else than the points awarded.
    #[error("{before} and {points} points do not make {after}")]
    WrongTotal {
        /// The account's total.
        before: Points,
        /// The points awarded.
        points: Points,
        /// The total that the event names.
        after: Points,
    },
    /// The event leaves a grade that the account does not have.
    #[error("the account is {account}, and cannot leave {from}")]
    OtherGrade {
        /// The account's.
        account: Grade,
        /// The one that the event leaves.
        from: Grade,
    },
}

/// The account after `event`.
///
/// # Errors
/// When the event cannot follow what went before.
pub fn evolve(account: Account, event: &AccountEvent) -> Result<Account, Corrupt> {
    match account {
        Account::Unopened => open(event),
        Account::Open(standing) => change(standing, event).map(Account::Open),
    }
}

fn open(event: &AccountEvent) -> Result<Account, Corrupt> {
    match &event.fact {
        AccountFact::PointsAwarded {
            lifetime_points, ..
        } => Ok(Account::Open(Standing {
            policy_version: event.policy_version,
            lifetime_points: *lifetime_points,
            grade: Account::Unopened.grade(),
            changed_at: event.occurred_at,
        })),
        AccountFact::GradeChanged { .. } => Err(Corrupt::Unopened),
    }
}

fn change(standing: Standing, event: &AccountEvent) -> Result<Standing, Corrupt> {
    if event.policy_version != standing.policy_version {
        return Err(Corrupt::OtherPolicy {
            account: standing.policy_version,
            event: event.policy_version,
        });
    }
    if event.occurred_at < standing.changed_at {
        return Err(Corrupt::TimeRunsBack);
    }
    let standing = Standing {
        changed_at: event.occurred_at,
        ..standing
    };
    match &event.fact {
        AccountFact::PointsAwarded {
            points,
            lifetime_points,
            ..
        } => {
            if standing.lifetime_points.plus(*points) != Ok(*lifetime_points) {
                return Err(Corrupt::WrongTotal {
                    before: standing.lifetime_points,
                    points: *points,
                    after: *lifetime_points,
                });
            }
            Ok(Standing {
                lifetime_points: *lifetime_points,
                ..standing
            })
        }
        AccountFact::GradeChanged { from, to } => {
            if *from != standing.grade {
                return Err(Corrupt::OtherGrade {
                    account: standing.grade,
                    from: *from,
                });
            }
            Ok(Standing {
                grade: *to,
                ..standing
            })
        }
    }
}
