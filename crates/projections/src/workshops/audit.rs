//! The rows of the directory, compared with their events.

use std::collections::BTreeSet;

use event_store::StoredEvent;
use event_store::failure::chain;
use kernel::WorkshopId;
use order_domain::workshop::{WorkshopFact, stored};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::audit::{Difference, Scope, differences};

/// The keys of the rows after `after`.
pub(crate) async fn keys(
    connection: &mut PgConnection,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, sqlx::Error> {
    let after = after.parse().unwrap_or(Uuid::nil());
    sqlx::query_scalar!(
        r#"
        SELECT workshop_id::text AS "key!" FROM workshops
        WHERE workshop_id > $1 ORDER BY workshop_id LIMIT $2
        "#,
        after,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Compares the rows of these entries.
pub(crate) async fn compare(
    connection: &mut PgConnection,
    scope: &Scope,
    keys: &BTreeSet<String>,
) -> Result<Vec<Difference>, sqlx::Error> {
    let folded = scope
        .fold_each(connection, keys, "workshops", entry)
        .await?;
    let expected = folded.come_to.into_iter().flatten().collect();
    let ids = folded.keys.iter().flat_map(|key| key.parse::<WorkshopId>());
    let ids: Vec<Uuid> = ids.map(WorkshopId::as_uuid).collect();
    let rows = differences!(
        &mut *connection,
        "workshops",
        "coalesce(e.workshop_id, a.workshop_id)::text",
        "''",
        "e.workshop_id = a.workshop_id",
        "r.workshop_id = ANY ($3)",
        Value::Array(expected),
        &ids,
    )?;
    let rows = rows.into_iter().map(|it| it.told(scope, "workshops"));
    Ok(folded.unknown.into_iter().chain(rows).collect())
}

/// The row of an entry: its last fact carries all of it.
fn entry(events: &[StoredEvent]) -> Result<Option<Value>, String> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return Ok(None);
    };
    let mut facts = stored::decode(&last.event_type, &last.event_version, &last.payload)
        .map_err(|error| chain(&error))?;
    let fact = facts.pop().ok_or("the last event tells nothing")?;
    let (WorkshopFact::WorkshopRegistered {
        name,
        accepts_commissions,
    }
    | WorkshopFact::WorkshopChanged {
        name,
        accepts_commissions,
    }) = fact.fact;
    Ok(Some(json!({
        "workshop_id": fact.workshop_id,
        "version": last.version.get(),
        "name": name.to_string(),
        "accepts_commissions": accepts_commissions,
        "first_position": first.position.get(),
        "last_position": last.position.get(),
    })))
}
