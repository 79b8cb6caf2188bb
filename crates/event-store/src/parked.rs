//! Streams that a reader has parked, because it could not take an event of theirs: it and all that
//! follow it wait in the store, while everything else flows.
//!
//! A line of the table moves only with the reader's checkpoint, and so under its lease.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use kernel::EventId;
use sqlx::PgConnection;

use crate::feed::{BatchBound, JsonColumn, event_of};
use crate::{Position, StoredEvent, StreamId, Version};

/// A stream that waits, and what for. As an error it says why what follows is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {event_id} ({event}) of {stream} waits: {reason}")]
pub struct Parked {
    /// The stream.
    pub stream: StreamId,
    /// The version of the first event that waits.
    pub version: Version,
    /// That event.
    pub event_id: EventId,
    /// Its place in the global log.
    pub position: Position,
    /// Its stored name and version.
    pub event: String,
    /// Why it could not be taken.
    pub reason: String,
    /// When it was stored.
    pub recorded_at: DateTime<Utc>,
}

impl Parked {
    /// The stream of `event`, from that event on.
    #[must_use]
    pub fn at(event: &StoredEvent, reason: String) -> Self {
        Self {
            stream: event.stream.clone(),
            version: event.version,
            event_id: event.event_id,
            position: event.position,
            event: event.name_and_version(),
            reason,
            recorded_at: event.recorded_at,
        }
    }
}

macro_rules! parked {
    ($connection:expr, $rest:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query!(
            "SELECT p.aggregate_type, p.aggregate_id, p.sequence, p.event_id, p.position, p.event,
                    p.reason, p.recorded_at
             FROM " + $rest,
            $($argument),+
        )
        .map(|row| Parked {
            stream: StreamId::from_parts(row.aggregate_type, row.aggregate_id),
            version: Version::new(row.sequence),
            event_id: EventId::from_uuid(row.event_id),
            position: Position::new(row.position),
            event: row.event,
            reason: row.reason,
            recorded_at: row.recorded_at,
        })
        .fetch_all($connection)
        .await
    };
}

/// Whether the reader `reader` has parked `stream`, in the caller's snapshot.
///
/// # Errors
/// What the database said.
pub async fn parked(
    connection: &mut PgConnection,
    reader: &str,
    stream: &StreamId,
) -> Result<Option<Parked>, sqlx::Error> {
    let found = parked!(
        connection,
        "store.parked p
         WHERE p.reader = $1 AND p.aggregate_type = $2 AND p.aggregate_id = $3
         LIMIT 1",
        reader,
        stream.kind(),
        stream.key(),
    )?;
    Ok(found.into_iter().next())
}

/// Whether the reader `reader` has parked anything, in the caller's snapshot.
///
/// # Errors
/// What the database said.
pub async fn parks_any(connection: &mut PgConnection, reader: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM store.parked WHERE reader = $1) AS "any!""#,
        reader,
    )
    .fetch_one(connection)
    .await
}

/// Whether any reader has parked `stream`, in the caller's snapshot.
///
/// # Errors
/// What the database said.
pub async fn is_parked(
    connection: &mut PgConnection,
    stream: &StreamId,
) -> Result<bool, sqlx::Error> {
    let parked = sqlx::query_scalar!(
        r#"
        SELECT true AS "parked!"
        FROM store.checkpoints c
        CROSS JOIN LATERAL (
            SELECT FROM store.parked p
            WHERE p.reader = c.name AND p.aggregate_type = $1 AND p.aggregate_id = $2
            LIMIT 1
        ) p
        LIMIT 1
        "#,
        stream.kind(),
        stream.key(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(parked.is_some())
}

/// The parked stream whose waiting events `position` is one of, in the caller's snapshot.
///
/// # Errors
/// What the database said.
pub async fn parked_at(
    connection: &mut PgConnection,
    reader: &str,
    position: Position,
) -> Result<Option<Parked>, sqlx::Error> {
    let found = parked!(
        connection,
        "(SELECT * FROM store.events e WHERE e.position = $2 LIMIT 1) e
         CROSS JOIN LATERAL (
             SELECT * FROM store.parked p
             WHERE p.reader = $1 AND p.aggregate_type = e.aggregate_type
               AND p.aggregate_id = e.aggregate_id AND p.sequence <= e.sequence
             LIMIT 1
         ) p",
        reader,
        position.get(),
    )?;
    Ok(found.into_iter().next())
}

/// The reader's streams after `after`, in their order, at most `limit` of them.
///
/// # Errors
/// What the database said.
pub async fn parked_page(
    connection: &mut PgConnection,
    reader: &str,
    after: Option<&StreamId>,
    limit: i64,
) -> Result<Vec<Parked>, sqlx::Error> {
    parked!(
        connection,
        "store.parked p
         WHERE p.reader = $1 AND (p.aggregate_type, p.aggregate_id) > ($2, $3)
         ORDER BY p.aggregate_type, p.aggregate_id
         LIMIT $4",
        reader,
        after.map_or("", StreamId::kind),
        after.map_or("", StreamId::key),
        limit,
    )
}

/// Those of the streams of `events` that the reader has parked.
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
        SELECT p.aggregate_type, p.aggregate_id
        FROM unnest($2::text[], $3::text[]) AS s (kind, key)
        CROSS JOIN LATERAL (
            SELECT * FROM store.parked p
            WHERE p.reader = $1 AND p.aggregate_type = s.kind AND p.aggregate_id = s.key
            LIMIT 1
        ) p
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

/// What a parked stream waits with, as far as `checkpoint`, within `bound`: the feed delivers what
/// comes later.
pub(crate) async fn waiting(
    connection: &mut PgConnection,
    parked: &Parked,
    checkpoint: Position,
    bound: BatchBound,
) -> Result<Vec<StoredEvent>, sqlx::Error> {
    sqlx::query!(
        r#"
        SELECT position, event_id, aggregate_type, aggregate_id, sequence, event_type,
               event_version, payload AS "payload: JsonColumn", metadata AS "metadata: JsonColumn", recorded_at,
               bytes
        FROM (
            SELECT e.*,
                   sum(bytes) OVER (ORDER BY sequence ROWS UNBOUNDED PRECEDING) - bytes AS before
            FROM (
                SELECT * FROM store.events
                WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence >= $3
                  AND position <= $4
                ORDER BY sequence
                LIMIT $5
            ) e
        ) e
        WHERE before < $6
        ORDER BY sequence
        "#,
        parked.stream.kind(),
        parked.stream.key(),
        parked.version.get(),
        checkpoint.get(),
        bound.events,
        bound.bytes as _,
    )
    .map(|row| event_of!(row))
    .fetch_all(connection)
    .await
}

/// Parks streams, each from its event on; one that is parked already keeps its `since`.
pub(crate) async fn park(
    connection: &mut PgConnection,
    reader: &str,
    streams: &[Parked],
) -> Result<(), sqlx::Error> {
    for parked in streams {
        sqlx::query!(
            r#"
            INSERT INTO store.parked
                (reader, aggregate_type, aggregate_id, sequence, event_id, position, event, reason,
                 recorded_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (reader, aggregate_type, aggregate_id) DO UPDATE SET
                sequence = excluded.sequence, event_id = excluded.event_id,
                position = excluded.position, event = excluded.event, reason = excluded.reason,
                recorded_at = excluded.recorded_at
            "#,
            reader,
            parked.stream.kind(),
            parked.stream.key(),
            parked.version.get(),
            parked.event_id.as_uuid(),
            parked.position.get(),
            parked.event,
            parked.reason,
            parked.recorded_at,
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
        DELETE FROM store.parked
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
