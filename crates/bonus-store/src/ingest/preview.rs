//! The rows that taking facts in touches, before and after.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Delivery, beneficiaries};

/// A row that would change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its table.
    pub table: &'static str,
    /// Its key, as text.
    pub key: String,
    /// The row before, as a JSON object; none where it is new.
    pub before: Option<Value>,
    /// The row after.
    pub after: Option<Value>,
}

pub(super) type Rows = BTreeMap<(&'static str, String), Value>;

/// The ledger's rows of these facts, and the accounts of those who benefit.
pub(super) async fn rows(
    connection: &mut PgConnection,
    deliveries: &[Delivery],
) -> Result<Rows, sqlx::Error> {
    let facts = deliveries.iter().map(|delivery| &delivery.fact);
    let ids: Vec<Uuid> = facts.map(|fact| fact.source_event_id.as_uuid()).collect();
    let (roles, beneficiaries): (Vec<&str>, Vec<Uuid>) = beneficiaries(deliveries)
        .iter()
        .map(|beneficiary| (beneficiary.role.as_str(), beneficiary.id))
        .unzip();
    let ledger = sqlx::query!(
        r#"
        SELECT l.source_event_id::text AS "key!", to_jsonb(l) - 'recorded_at' AS "row!"
        FROM unnest($1::uuid[]) AS told (id)
        CROSS JOIN LATERAL (
            SELECT * FROM bonus.ledger WHERE source_event_id = told.id LIMIT 1
        ) l
        "#,
        &ids,
    )
    .map(|row| (("bonus.ledger", row.key), row.row))
    .fetch_all(&mut *connection)
    .await?;
    let accounts = sqlx::query!(
        r#"
        SELECT a.beneficiary_role || ':' || a.beneficiary_id AS "key!", to_jsonb(a) AS "row!"
        FROM unnest($1::text[], $2::uuid[]) AS told (role, id)
        CROSS JOIN LATERAL (
            SELECT * FROM bonus.accounts
            WHERE beneficiary_role = told.role AND beneficiary_id = told.id
            LIMIT 1
        ) a
        "#,
        &roles as &[&str],
        &beneficiaries,
    )
    .map(|row| (("bonus.accounts", row.key), row.row))
    .fetch_all(connection)
    .await?;
    Ok(ledger.into_iter().chain(accounts).collect())
}

/// What differs, by table and key.
pub(super) fn changes(mut before: Rows, mut after: Rows) -> Vec<Change> {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
    keys.into_iter()
        .map(|place| {
            let (before, after) = (before.remove(&place), after.remove(&place));
            let (table, key) = place;
            Change {
                table,
                key,
                before,
                after,
            }
        })
        .filter(|change| change.before != change.after)
        .collect()
}
