//! Streams that a reader of the feed holds back, because this release cannot read an event of
//! theirs: it and all that follow it wait in the store, while everything else flows.
//!
//! A line of the table moves only with the reader's checkpoint, and so under its lease.

use std::collections::BTreeSet;

use kernel::EventId;
use sqlx::PgConnection;

use crate::{Position, StoredEvent, StreamId, Version, load};

/// A stream that waits, and what for. As an error it says why what follows is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {event_id} ({event}) of {stream} waits for a release that can read it")]
pub struct HeldBack {
    /// The stream.
    pub stream: StreamId,
    /// The version of the first event that waits.
    pub version: Version,
    /// That event.
    pub event_id: EventId,
    /// Its stored name and version.
    pub event: String,
}

impl HeldBack {
    /// The stream of `event`, from that event on.
    #[must_use]
    pub fn at(event: &StoredEvent) -> Self {
        Self {
            stream: event.stream.clone(),
            version: event.version,
            event_id: event.event_id,
            event: format!("{} {}", event.event_type, event.event_version),
        }
    }
}

/// Whether the reader `reader` holds `stream` back, in the caller's snapshot.
///
/// # Errors
/// What the database said.
pub async fn held_back(
    connection: &mut PgConnection,
    reader: &str,
    stream: &StreamId,
) -> Result<Option<HeldBack>, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        SELECT sequence, event_id, event
        FROM store.held_back
        WHERE reader = $1 AND aggregate_type = $2 AND aggregate_id = $3
        "#,
        reader,
        stream.kind(),
        stream.key(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| HeldBack {
        stream: stream.clone(),
        version: Version::new(row.sequence),
        event_id: EventId::from_uuid(row.event_id),
        event: row.event,
    }))
}

/// The reader's streams after `after`, in their order, at most `limit` of them.
pub(crate) async fn page(
    connection: &mut PgConnection,
    reader: &str,
    after: Option<&StreamId>,
    limit: i64,
) -> Result<Vec<HeldBack>, sqlx::Error> {
    sqlx::query!(
        r#"
        SELECT aggregate_type, aggregate_id, sequence, event_id, event
        FROM store.held_back
        WHERE reader = $1 AND (aggregate_type, aggregate_id) > ($2, $3)
        ORDER BY aggregate_type, aggregate_id
        LIMIT $4
        "#,
        reader,
        after.map_or("", StreamId::kind),
        after.map_or("", StreamId::key),
        limit,
    )
    .map(|row| HeldBack {
        stream: StreamId::from_parts(row.aggregate_type, row.aggregate_id),
        version: Version::new(row.sequence),
        event_id: EventId::from_uuid(row.event_id),
        event: row.event,
    })
    .fetch_all(connection)
    .await
}

/// Those of the streams of `events` that the reader holds back.
pub(crate) async fn among(
    connection: &mut PgConnection,
    reader: &str,
    events: &[StoredEvent],
) -> Result<BTreeSet<StreamId>, sqlx::Error> {
    let streams: BTreeSet<&StreamId> = events.iter().map(|event| &event.stream).collect();
    let (kinds, keys): (Vec<&str>, Vec<&str>) =
        streams.iter().map(|id| (id.kind(), id.key())).unzip();
    let rows = sqlx::query!(
        r#"
        SELECT h.aggregate_type, h.aggregate_id
        FROM unnest($2::text[], $3::text[]) AS s (kind, key)
        CROSS JOIN LATERAL (
            SELECT * FROM store.held_back h
            WHERE h.reader = $1 AND h.aggregate_type = s.kind AND h.aggregate_id = s.key
            LIMIT 1
        ) h
        "#,
        reader,
        &kinds as &[&str],
        &keys as &[&str],
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| StreamId::from_parts(row.aggregate_type, row.aggregate_id))
        .collect())
}

/// All of a stream up to the reader's checkpoint: the feed delivers what comes later.
pub(crate) async fn delivered(
    connection: &mut PgConnection,
    stream: &StreamId,
    checkpoint: Position,
) -> Result<Vec<StoredEvent>, sqlx::Error> {
    let loaded = load(connection, std::slice::from_ref(stream)).await?;
    let events = loaded.into_iter().flat_map(|stream| stream.events);
    Ok(events
        .filter(|event| event.position <= checkpoint)
        .collect())
}

/// Holds streams back, each from its event on; one that is held back already keeps its `since`.
pub(crate) async fn hold(
    connection: &mut PgConnection,
    reader: &str,
    held: &[HeldBack],
) -> Result<(), sqlx::Error> {
    for held in held {
        sqlx::query!(
            r#"
            INSERT INTO store.held_back
                (reader, aggregate_type, aggregate_id, sequence, event_id, event)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (reader, aggregate_type, aggregate_id) DO UPDATE SET
                sequence = excluded.sequence, event_id = excluded.event_id, event = excluded.event
            "#,
            reader,
            held.stream.kind(),
            held.stream.key(),
            held.version.get(),
            held.event_id.as_uuid(),
            held.event,
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Lets a stream flow again.
pub(crate) async fn release(
    connection: &mut PgConnection,
    reader: &str,
    stream: &StreamId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        DELETE FROM store.held_back
        WHERE reader = $1 AND aggregate_type = $2 AND aggregate_id = $3
        "#,
        reader,
        stream.kind(),
        stream.key(),
    )
    .execute(connection)
    .await
    .map(drop)
}
