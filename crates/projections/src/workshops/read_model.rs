//! Follows the events of directory entries: each carries the whole entry.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use event_store::{Sink, SinkError, StoredEvent, StreamId, Version};
use kernel::WorkshopId;
use order_domain::workshop::{WorkshopFact, stored};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::following::comes_next;
use crate::row_sets::{all_moved, column};

/// The read model `workshops`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Workshops;

/// A row of `workshops` that a batch has changed.
struct Entry {
    from: Version,
    version: Version,
    name: String,
    accepts_commissions: bool,
    first_position: i64,
    last_position: i64,
}

#[async_trait]
impl Sink for Workshops {
    async fn apply(
        &mut self,
        transaction: &mut PgConnection,
        events: &[StoredEvent],
    ) -> Result<(), SinkError> {
        let mut delivered = Vec::with_capacity(events.len());
        for event in events
            .iter()
            .filter(|event| event.stream.kind() == StreamId::WORKSHOP)
        {
            // Each fact carries the whole entry: the last one is what holds.
            let mut facts = stored::decode(&event.event_type, &event.event_version, &event.payload)
                .map_err(|why| SinkError::unreadable(event, why))?;
            delivered.extend(facts.pop().map(|last| (event, last)));
        }
        let ids: BTreeSet<WorkshopId> =
            delivered.iter().map(|(_, read)| read.workshop_id).collect();
        if ids.is_empty() {
            return Ok(());
        }

        let versions = load_versions(transaction, &ids).await?;
        let mut changed: BTreeMap<WorkshopId, Entry> = BTreeMap::new();
        for (event, read) in delivered {
            let from = versions.get(&read.workshop_id).copied().unwrap_or_default();
            let row = changed
                .get(&read.workshop_id)
                .map_or(from, |entry| entry.version);
            if !comes_next(row, event)? {
                continue;
            }
            let (WorkshopFact::WorkshopRegistered {
                name,
                accepts_commissions,
            }
            | WorkshopFact::WorkshopChanged {
                name,
                accepts_commissions,
            }) = read.fact;
            let position = event.position.get();
            let first_position = changed
                .get(&read.workshop_id)
                .map_or(position, |entry| entry.first_position);
            changed.insert(
                read.workshop_id,
                Entry {
                    from,
                    version: event.version,
                    name: name.to_string(),
                    accepts_commissions,
                    first_position,
                    last_position: position,
                },
            );
        }
        if !changed.is_empty() {
            store_entries(transaction, &changed).await?;
        }
        Ok(())
    }
}

async fn load_versions(
    connection: &mut PgConnection,
    ids: &BTreeSet<WorkshopId>,
) -> Result<BTreeMap<WorkshopId, Version>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let records = sqlx::query!(
        "SELECT workshop_id, version FROM workshops WHERE workshop_id = ANY ($1)",
        &ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(records
        .into_iter()
        .map(|record| {
            let id = WorkshopId::from_uuid(record.workshop_id);
            (id, Version::new(record.version))
        })
        .collect())
}

async fn store_entries(
    connection: &mut PgConnection,
    changed: &BTreeMap<WorkshopId, Entry>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = changed.keys().map(|id| id.as_uuid()).collect();
    let entries: Vec<&Entry> = changed.values().collect();
    let stored = sqlx::query!(
        r#"
        MERGE INTO workshops AS w
        USING unnest(
            $1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::boolean[], $6::bigint[],
            $7::bigint[]
        ) AS n (
            workshop_id, from_version, version, name, accepts_commissions, first_position,
            last_position
        )
        ON w.workshop_id = n.workshop_id
        WHEN MATCHED AND w.version = n.from_version THEN UPDATE SET
            version = n.version, name = n.name, accepts_commissions = n.accepts_commissions,
            last_position = n.last_position
        WHEN NOT MATCHED AND n.from_version = 0 THEN INSERT (
            workshop_id, version, name, accepts_commissions, first_position, last_position
        ) VALUES (
            n.workshop_id, n.version, n.name, n.accepts_commissions, n.first_position,
            n.last_position
        )
        "#,
        &ids,
        &column(&entries, |entry| entry.from.get()),
        &column(&entries, |entry| entry.version.get()),
        &column(&entries, |entry| entry.name.as_str()) as &[&str],
        &column(&entries, |entry| entry.accepts_commissions),
        &column(&entries, |entry| entry.first_position),
        &column(&entries, |entry| entry.last_position),
    )
    .execute(connection)
    .await?
    .rows_affected();
    all_moved("workshops", entries.len(), stored)
}
