//! What an event makes of an account.

use serde::{Deserialize, Serialize};

use super::{Account, AccountEvent, AccountFact, Standing};
use crate::{Grade, Points, PolicyVersion};

/// An event that cannot follow what went before: the stream is corrupt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Corrupt {
    /// Nothing but an award or a recompute opens an account.
    #[error("the account was opened neither by an award nor by a recompute")]
    Unopened,
    /// The event was evaluated under another policy, or leaves another one.
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
    /// The recompute leaves a total that the account does not have.
    #[error("the account has {account} points, and cannot leave {before}")]
    OtherTotal {
        /// The account's.
        account: Points,
        /// The one that the event leaves.
        before: Points,
    },
    /// The recompute does not make what it says: an account that was there is opened, or one that
    /// was not is left.
    #[error("the recompute does not say whether there was an account")]
    OtherOrigin,
    /// The event leaves a grade that the account does not have.
    #[error("the account is {account}, and cannot leave {from}")]
    OtherGrade {
        /// The account's.
        account: Grade,
        /// The one that the event leaves.
        from: Grade,
    },
    /// VIP begins or ends twice.
    #[error("vip begins or ends a second time")]
    VipTwice,
}

/// The account after `event`.
///
/// # Errors
/// When the event cannot follow what went before.
pub fn evolve(account: Account, event: &AccountEvent) -> Result<Account, Corrupt> {
    match account {
        Account::Unopened => open(event),
        Account::Open(standing) => change(standing, event),
    }
    .map(Account::Open)
}

fn open(event: &AccountEvent) -> Result<Standing, Corrupt> {
    let opened = |lifetime_points| Standing {
        policy_version: event.policy_version,
        lifetime_points,
        grade: Account::Unopened.grade(),
        vip: false,
        deferred: false,
        changed_at: event.occurred_at,
    };
    match event.fact {
        AccountFact::PointsAwarded {
            lifetime_points, ..
        } => Ok(opened(lifetime_points)),
        AccountFact::PolicyRecomputed {
            from_version: None,
            points_before: Points::ZERO,
            points_after,
            ..
        } => Ok(opened(points_after)),
        AccountFact::PolicyRecomputed { .. } => Err(Corrupt::OtherOrigin),
        AccountFact::GradeChanged { .. }
        | AccountFact::VipAcquired { .. }
        | AccountFact::VipLost
        | AccountFact::AwardDeferred { .. } => Err(Corrupt::Unopened),
    }
}

fn change(standing: Standing, event: &AccountEvent) -> Result<Standing, Corrupt> {
    if event.occurred_at < standing.changed_at {
        return Err(Corrupt::TimeRunsBack);
    }
    let of_policy = |version| {
        if version == standing.policy_version {
            return Ok(());
        }
        Err(Corrupt::OtherPolicy {
            account: standing.policy_version,
            event: version,
        })
    };
    let standing = Standing {
        changed_at: event.occurred_at,
        ..standing
    };
    match event.fact {
        AccountFact::PolicyRecomputed {
            from_version,
            to_version,
            points_before,
            points_after,
        } => {
            of_policy(from_version.ok_or(Corrupt::OtherOrigin)?)?;
            recomputed(standing, to_version, points_before, points_after)
        }
        AccountFact::PointsAwarded {
            points,
            lifetime_points,
            ..
        } => {
            of_policy(event.policy_version)?;
            awarded(standing, points, lifetime_points)
        }
        AccountFact::GradeChanged { from, to } => {
            of_policy(event.policy_version)?;
            graded(standing, from, to)
        }
        AccountFact::VipAcquired { .. } => {
            of_policy(event.policy_version)?;
            flipped(standing, true)
        }
        AccountFact::VipLost => {
            of_policy(event.policy_version)?;
            flipped(standing, false)
        }
        AccountFact::AwardDeferred { .. } => {
            of_policy(event.policy_version)?;
            Ok(Standing {
                deferred: true,
                ..standing
            })
        }
    }
}

fn awarded(standing: Standing, points: Points, after: Points) -> Result<Standing, Corrupt> {
    if standing.lifetime_points.plus(points) != Ok(after) {
        return Err(Corrupt::WrongTotal {
            before: standing.lifetime_points,
            points,
            after,
        });
    }
    Ok(Standing {
        lifetime_points: after,
        ..standing
    })
}

fn recomputed(
    standing: Standing,
    policy_version: PolicyVersion,
    before: Points,
    after: Points,
) -> Result<Standing, Corrupt> {
    if before != standing.lifetime_points {
        return Err(Corrupt::OtherTotal {
            account: standing.lifetime_points,
            before,
        });
    }
    Ok(Standing {
        policy_version,
        lifetime_points: after,
        deferred: false,
        ..standing
    })
}

fn graded(standing: Standing, from: Grade, to: Grade) -> Result<Standing, Corrupt> {
    if from != standing.grade {
        return Err(Corrupt::OtherGrade {
            account: standing.grade,
            from,
        });
    }
    Ok(Standing {
        grade: to,
        ..standing
    })
}

fn flipped(standing: Standing, vip: bool) -> Result<Standing, Corrupt> {
    if standing.vip == vip {
        return Err(Corrupt::VipTwice);
    }
    Ok(Standing { vip, ..standing })
}
