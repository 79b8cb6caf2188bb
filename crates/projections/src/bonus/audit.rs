//! The rows of accounts, compared with their events.

use std::collections::BTreeSet;

use bonus_domain::stored;
use event_store::StoredEvent;
use event_store::failure::chain;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::read_model::advance;
use super::rows::AccountRow;
use crate::audit::{Difference, Scope, differences};

/// The role and the id of a key.
fn parts(key: &str) -> (&str, Uuid) {
    let (role, id) = key.split_once(':').unwrap_or_default();
    (role, id.parse().unwrap_or(Uuid::nil()))
}

/// The keys of the rows after `after`.
pub(crate) async fn keys(
    connection: &mut PgConnection,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, sqlx::Error> {
    let (role, id) = parts(after);
    sqlx::query_scalar!(
        r#"
        SELECT beneficiary_role || ':' || beneficiary_id AS "key!" FROM bonus_accounts
        WHERE (beneficiary_role, beneficiary_id) > ($1, $2)
        ORDER BY beneficiary_role, beneficiary_id
        LIMIT $3
        "#,
        role,
        id,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Compares the rows of these accounts.
pub(crate) async fn compare(
    connection: &mut PgConnection,
    scope: &Scope,
    keys: &BTreeSet<String>,
) -> Result<Vec<Difference>, sqlx::Error> {
    let folded = scope
        .fold_each(connection, keys, "bonus_accounts", account)
        .await?;
    let expected = folded.come_to.into_iter().flatten().collect();
    let (roles, ids): (Vec<&str>, Vec<Uuid>) = folded.keys.into_iter().map(parts).unzip();
    let rows = differences!(
        &mut *connection,
        "bonus_accounts",
        "coalesce(e.beneficiary_role, a.beneficiary_role) || ':'
             || coalesce(e.beneficiary_id, a.beneficiary_id)",
        "''",
        "e.beneficiary_role = a.beneficiary_role AND e.beneficiary_id = a.beneficiary_id",
        "(r.beneficiary_role, r.beneficiary_id)
             IN (SELECT * FROM unnest($3::text[], $4::uuid[]))",
        Value::Array(expected),
        &roles as &[&str],
        &ids,
    )?;
    let rows = rows.into_iter().map(|it| it.told(scope, "bonus_accounts"));
    Ok(folded.unknown.into_iter().chain(rows).collect())
}

fn account(events: &[StoredEvent]) -> Result<Option<Value>, String> {
    let mut row: Option<AccountRow> = None;
    for event in events {
        let read = stored::decode(&event.event_type, &event.event_version, &event.payload)
            .map_err(|error| chain(&error))?;
        row = advance(row.as_ref(), event, &read).map_err(|error| chain(&error))?;
    }
    Ok(row.map(|row| {
        json!({
            "beneficiary_role": row.beneficiary.role.as_str(),
            "beneficiary_id": row.beneficiary.id,
            "version": row.version.get(),
            "policy_version": i32::from(row.standing.policy_version),
            "lifetime_points": row.standing.lifetime_points.get(),
            "grade": row.standing.grade.as_str(),
            "changed_at": row.standing.changed_at,
            "first_position": row.first_position.get(),
            "last_position": row.last_position.get(),
            "deferred": row.standing.deferred,
            "is_vip": row.standing.vip,
        })
    }))
}
