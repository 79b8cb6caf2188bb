//! The ledger as its owner reads it: awards, newest first.

use std::collections::{BTreeMap, BTreeSet};

use bonus_domain::{Beneficiary, Fact, Facts, Points, Policy, SourceType};
use chrono::{DateTime, Utc};
use event_store::Version;
use kernel::{EventId, OrderId};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ledger::{FactRecord, MOST_FACTS, within_bounds};

/// An account as the reader sees it: the ledger is shown as of the same version and policy, so that
/// total and awards agree.
#[derive(Debug, Clone, Copy)]
pub struct AccountAt<'a> {
    /// Whose account it is.
    pub beneficiary: Beneficiary,
    /// The version of the account's row in the read model.
    pub version: Version,
    /// The policy of that row.
    pub policy: &'a Policy,
}

/// Where an award lies in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerKey {
    /// When the rewarded event occurred.
    pub occurred_at: DateTime<Utc>,
    /// Its id, for events of the same instant.
    pub event_id: EventId,
}

/// An award.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerItem {
    /// The rewarded event's global id.
    #[schema(value_type = Uuid)]
    pub event_id: EventId,
    /// The rewarded event's name.
    #[schema(example = "OrderPlaced")]
    pub event: String,
    /// The order that it belongs to.
    #[schema(value_type = Option<Uuid>, required)]
    pub order_id: Option<OrderId>,
    /// What it is worth.
    #[schema(minimum = 1)]
    pub points: i64,
    /// The policy that says so.
    #[schema(minimum = 1)]
    pub policy_version: u16,
    /// When it occurred.
    pub occurred_at: DateTime<Utc>,
    /// When it was taken into the ledger.
    pub recorded_at: DateTime<Utc>,
}

/// A piece of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerPage {
    /// Awards, newest first.
    pub items: Vec<LedgerItem>,
    /// The key after which the list goes on; none at its end.
    pub next: Option<LedgerKey>,
}

/// Reads at most `limit` awards after `after`. Facts that are worth nothing under the account's
/// policy, or that others of their order reverse, are not shown.
///
/// Call it in the snapshot that the account's row was read in.
///
/// # Errors
/// What the database said.
pub async fn ledger_page(
    connection: &mut PgConnection,
    account: AccountAt<'_>,
    after: Option<LedgerKey>,
    limit: i64,
) -> Result<LedgerPage, sqlx::Error> {
    let mut items = Vec::new();
    let mut after = after;
    loop {
        let candidates = candidates(connection, account, after, limit.saturating_add(1)).await?;
        let worths = worths(connection, account, &candidates).await?;
        let last = at_most(candidates.len(), limit);
        for candidate in candidates {
            let worth = worths.get(&candidate.fact.source_event_id);
            let points = worth.copied().unwrap_or_default();
            if points != Points::ZERO && !at_most(items.len() + 1, limit) {
                return Ok(LedgerPage { items, next: after });
            }
            after = Some(candidate.key());
            if points != Points::ZERO {
                items.push(candidate.item(points, account.policy));
            }
        }
        if last {
            return Ok(LedgerPage { items, next: None });
        }
    }
}

fn at_most(count: usize, limit: i64) -> bool {
    i64::try_from(count).is_ok_and(|count| count <= limit)
}

/// A fact that may be an award.
struct Candidate {
    fact: Fact,
    recorded_at: DateTime<Utc>,
}

impl Candidate {
    fn key(&self) -> LedgerKey {
        LedgerKey {
            occurred_at: self.fact.occurred_at,
            event_id: self.fact.source_event_id,
        }
    }

    fn item(self, points: Points, policy: &Policy) -> LedgerItem {
        LedgerItem {
            event_id: self.fact.source_event_id,
            event: self.fact.source_type.to_string(),
            order_id: self.fact.order_id,
            points: points.get(),
            policy_version: policy.version().get(),
            occurred_at: self.fact.occurred_at,
            recorded_at: self.recorded_at,
        }
    }
}

/// Facts of the types that the account's policy rewards, newest first.
async fn candidates(
    connection: &mut PgConnection,
    account: AccountAt<'_>,
    after: Option<LedgerKey>,
    limit: i64,
) -> Result<Vec<Candidate>, sqlx::Error> {
    let role = account.beneficiary.role;
    let rewarded: Vec<&str> = account
        .policy
        .rewarded(role)
        .map(SourceType::as_str)
        .collect();
    let rows = sqlx::query_file!(
        "queries/ledger_page.sql",
        role.as_str(),
        account.beneficiary.id,
        account.version.get(),
        &rewarded as &[&str],
        after.map(|key| key.occurred_at),
        after.map(|key| key.event_id.as_uuid()),
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .filter_map(|row| {
            let record = FactRecord {
                source_event_id: row.source_event_id,
                event_type: row.event_type,
                beneficiary_role: row.beneficiary_role,
                beneficiary_id: row.beneficiary_id,
                order_id: row.order_id,
                by_dispute: row.by_dispute,
                occurred_at: row.occurred_at,
            };
            let fact = record.read().transpose()?;
            Some(fact.map(|fact| Candidate {
                fact,
                recorded_at: row.recorded_at,
            }))
        })
        .collect()
}

/// What the candidates are worth beside everything else that is known of their orders.
async fn worths(
    connection: &mut PgConnection,
    account: AccountAt<'_>,
    candidates: &[Candidate],
) -> Result<BTreeMap<EventId, Points>, sqlx::Error> {
    let facts = || candidates.iter().map(|candidate| &candidate.fact);
    let orders: BTreeSet<Uuid> = facts()
        .filter_map(|fact| fact.order_id.map(OrderId::as_uuid))
        .collect();
    let orders: Vec<Uuid> = orders.into_iter().collect();
    let rows = sqlx::query_file_as!(
        FactRecord,
        "queries/order_facts.sql",
        account.beneficiary.role.as_str(),
        account.beneficiary.id,
        account.version.get(),
        &orders,
        MOST_FACTS + 1,
    )
    .fetch_all(connection)
    .await?;
    let mut known: Facts = facts().copied().collect();
    for row in within_bounds(rows)? {
        if let Some(fact) = row.read()? {
            known.insert(fact);
        }
    }
    Ok(account
        .policy
        .worths(&known)
        .map(|(fact, points)| (fact.source_event_id, points))
        .collect())
}
