//! VIP as it is shown: exact at the instant of the answer, whatever the clock has settled.

use bonus_domain::{Earnings, Facts, KnownFacts, Points, VipAt};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::AccountAt;
use crate::ledger_page::{awards, reversals, rewarded};

/// Reads whether an account is VIP at `now`, with which points, and until when.
///
/// Call it in the snapshot that the account's row was read in.
///
/// # Errors
/// What the database said.
pub async fn vip_at(
    connection: &mut PgConnection,
    account: AccountAt<'_>,
    now: DateTime<Utc>,
) -> Result<VipAt, sqlx::Error> {
    let window_points = window_points(connection, account, now).await?;
    let active = window_points >= account.policy.vip().threshold;
    let until = if active {
        next_change(connection, account, now).await?
    } else {
        None
    };
    Ok(VipAt {
        window_points,
        active,
        until,
    })
}

async fn window_points(
    connection: &mut PgConnection,
    account: AccountAt<'_>,
    now: DateTime<Utc>,
) -> Result<Points, sqlx::Error> {
    let types = rewarded(account);
    let (events, by_dispute, reversed) = reversals(account);
    let counted = sqlx::query_file!(
        "queries/window_awards.sql",
        account.beneficiary.role.as_str(),
        account.beneficiary.id,
        account.version.get(),
        &types as &[&str],
        account.policy.vip().begins(now),
        now,
        &events as &[&str],
        &by_dispute,
        &reversed as &[&str],
    )
    .fetch_all(connection)
    .await?;
    let mut sum = 0_i64;
    for row in counted {
        let prices = account.policy.awards().filter(|(event, role, _)| {
            event.as_str() == row.event_type && *role == account.beneficiary.role
        });
        for (_, _, points) in prices {
            sum = sum.saturating_add(points.get().saturating_mul(row.awards));
        }
    }
    Ok(Points::new(sum))
}

/// When VIP ends: the newest awards say so, and more of them where some lie ahead.
async fn next_change(
    connection: &mut PgConnection,
    account: AccountAt<'_>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let enough = account.policy.facts_that_make_vip(account.beneficiary.role);
    let mut limit = enough.unwrap_or_default().saturating_add(1);
    loop {
        let rows = i64::try_from(limit).unwrap_or(i64::MAX);
        let newest = awards(connection, account, None, rows).await?;
        let oldest = newest.last().map(|award| award.fact.occurred_at);
        let complete = newest.len() < limit;
        let facts: Facts = newest.into_iter().map(|award| award.fact).collect();
        let known = match oldest {
            Some(oldest) if !complete => KnownFacts::all_after(oldest, facts),
            Some(_) | None => KnownFacts::all(facts),
        };
        match Earnings::new(account.policy, &known).next_change(now) {
            Ok(next) => return Ok(next),
            Err(_) => limit = limit.saturating_mul(4),
        }
    }
}
