//! The ledger as its owner reads it: awards, newest first.

use bonus_domain::{Beneficiary, Fact, Policy, SourceType};
use chrono::{DateTime, Utc};
use event_store::Version;
use kernel::{EventId, OrderId};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ledger::FactRecord;

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

/// Reads at most `limit` awards after `after`, by one statement. Facts that are worth nothing under
/// the account's policy, or that others of their order reverse, are not shown.
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
    let mut awards = awards(connection, account, after, limit.saturating_add(1)).await?;
    let length = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = awards.len() > length;
    awards.truncate(length);
    let next = awards.last().filter(|_| more).map(Kept::key);
    let items = awards
        .into_iter()
        .map(|award| award.item(account.policy))
        .collect();
    Ok(LedgerPage { items, next })
}

/// A fact, and when it was taken in.
pub(crate) struct Kept {
    pub(crate) fact: Fact,
    recorded_at: DateTime<Utc>,
}

/// A fact as its row holds it, and when it was taken in.
struct KeptRecord {
    fact: FactRecord,
    recorded_at: DateTime<Utc>,
}

impl KeptRecord {
    /// The fact; none of a type that only another release knows, which is worth nothing here.
    fn read(self) -> Result<Option<Kept>, sqlx::Error> {
        let recorded_at = self.recorded_at;
        Ok(self.fact.read()?.map(|fact| Kept { fact, recorded_at }))
    }
}

/// Takes a row apart.
macro_rules! kept {
    ($row:ident) => {
        KeptRecord {
            fact: FactRecord {
                source_event_id: $row.source_event_id,
                event_type: $row.event_type,
                beneficiary_role: $row.beneficiary_role,
                beneficiary_id: $row.beneficiary_id,
                order_id: $row.order_id,
                by_dispute: $row.by_dispute,
                occurred_at: $row.occurred_at,
            },
            recorded_at: $row.recorded_at,
        }
    };
}

impl Kept {
    fn key(&self) -> LedgerKey {
        LedgerKey {
            occurred_at: self.fact.occurred_at,
            event_id: self.fact.source_event_id,
        }
    }

    fn item(self, policy: &Policy) -> LedgerItem {
        LedgerItem {
            event_id: self.fact.source_event_id,
            event: self.fact.source_type.to_string(),
            order_id: self.fact.order_id,
            points: policy.price(&self.fact).get(),
            policy_version: policy.version().get(),
            occurred_at: self.fact.occurred_at,
            recorded_at: self.recorded_at,
        }
    }
}

/// What a policy takes away from whom, as columns: an event, whether by dispute, and one of the
/// events that it reverses.
pub(crate) fn reversals(account: AccountAt<'_>) -> (Vec<&str>, Vec<bool>, Vec<&str>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    let rules = account.policy.reversals();
    for rule in rules.filter(|rule| rule.role == account.beneficiary.role) {
        for reversed in &rule.reverses {
            columns.0.push(rule.event.as_str());
            columns.1.push(rule.by_dispute);
            columns.2.push(reversed.as_str());
        }
    }
    columns
}

/// The types that a policy rewards whom.
pub(crate) fn rewarded(account: AccountAt<'_>) -> Vec<&'static str> {
    let types = account.policy.rewarded(account.beneficiary.role);
    types.map(SourceType::as_str).collect()
}

/// The facts that give the account's points, newest first.
pub(crate) async fn awards(
    connection: &mut PgConnection,
    account: AccountAt<'_>,
    after: Option<LedgerKey>,
    limit: i64,
) -> Result<Vec<Kept>, sqlx::Error> {
    let types = rewarded(account);
    let (events, by_dispute, reversed) = reversals(account);
    let rows = sqlx::query_file!(
        "queries/ledger_page.sql",
        account.beneficiary.role.as_str(),
        account.beneficiary.id,
        account.version.get(),
        &types as &[&str],
        after.map(|key| key.occurred_at),
        after.map(|key| key.event_id.as_uuid()),
        limit,
        &events as &[&str],
        &by_dispute,
        &reversed as &[&str],
    )
    .fetch_all(connection)
    .await?;
    let rows = rows.into_iter();
    let awards = rows.filter_map(|row| kept!(row).read().transpose());
    awards.collect()
}

/// Of these rewarded events the awards that the ledger shows, in no order.
///
/// Call it in the snapshot that the account's row was read in.
///
/// # Errors
/// What the database said.
pub async fn awards_of(
    connection: &mut PgConnection,
    account: AccountAt<'_>,
    events: &[EventId],
) -> Result<Vec<LedgerItem>, sqlx::Error> {
    let ids: Vec<Uuid> = events.iter().map(|event| event.as_uuid()).collect();
    let types = rewarded(account);
    let (by, by_dispute, reversed) = reversals(account);
    let rows = sqlx::query_file!(
        "queries/awards_of.sql",
        account.beneficiary.role.as_str(),
        account.beneficiary.id,
        account.version.get(),
        &types as &[&str],
        &ids,
        &by as &[&str],
        &by_dispute,
        &reversed as &[&str],
    )
    .fetch_all(connection)
    .await?;
    let awards = rows
        .into_iter()
        .filter_map(|row| kept!(row).read().transpose());
    awards
        .map(|award| Ok(award?.item(account.policy)))
        .collect()
}
