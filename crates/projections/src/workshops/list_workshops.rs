//! The directory, by name.

use kernel::WorkshopId;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::page::Slice;

/// An entry of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkshopItem {
    /// The workshop.
    #[schema(value_type = Uuid)]
    pub workshop_id: WorkshopId,
    /// Its name.
    pub name: String,
    /// Whether it can be invited now.
    pub accepts_commissions: bool,
}

/// Where an entry lies in the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkshopKey {
    /// Its name.
    pub name: String,
    /// Its id, for entries of the same name.
    pub workshop_id: WorkshopId,
}

/// Lists at most `limit` entries after `after`.
///
/// # Errors
/// What the database said.
pub async fn list_workshops(
    connection: &mut PgConnection,
    after: Option<WorkshopKey>,
    limit: i64,
) -> Result<Slice<WorkshopItem, WorkshopKey>, sqlx::Error> {
    // No name is empty: every entry comes after this key.
    let (name, id) = after.map_or((String::new(), Uuid::nil()), |key| {
        (key.name, key.workshop_id.as_uuid())
    });
    let records = sqlx::query!(
        r#"
        SELECT workshop_id, name, accepts_commissions
        FROM workshops
        WHERE (name, workshop_id) > ($1, $2)
        ORDER BY name, workshop_id
        LIMIT $3
        "#,
        name,
        id,
        limit.saturating_add(1),
    )
    .fetch_all(connection)
    .await?;
    let items = records
        .into_iter()
        .map(|record| WorkshopItem {
            workshop_id: WorkshopId::from_uuid(record.workshop_id),
            name: record.name,
            accepts_commissions: record.accepts_commissions,
        })
        .collect();
    Ok(Slice::cut(items, limit, |last| WorkshopKey {
        name: last.name.clone(),
        workshop_id: last.workshop_id,
    }))
}
