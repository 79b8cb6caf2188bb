//! Checkpoints for whoever compares or swaps what two readers wrote: read, and held.

use sqlx::PgConnection;

use super::Checkpoint;
use crate::Position;

/// A reader's checkpoint as its row has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reached {
    /// The generation that it was last moved in.
    pub generation: i64,
    /// Where its counting began.
    pub since: Position,
    /// How far it has come.
    pub checkpoint: Checkpoint,
}

macro_rules! reached {
    ($connection:expr, $lock:literal, $name:expr) => {
        sqlx::query!(
            "SELECT generation, since, position, delivered, digest
             FROM store.checkpoints WHERE name = $1 "
                + $lock,
            $name,
        )
        .map(|row| Reached {
            generation: row.generation,
            since: Position::new(row.since),
            checkpoint: Checkpoint {
                position: Position::new(row.position),
                delivered: row.delivered,
                digest: row.digest,
            },
        })
        .fetch_optional($connection)
        .await
    };
}

/// How far the reader `name` has come, in the caller's snapshot; none before it first ran.
///
/// # Errors
/// What the database said.
pub async fn reached(
    connection: &mut PgConnection,
    name: &str,
) -> Result<Option<Reached>, sqlx::Error> {
    reached!(connection, "", name)
}

/// The same, and keeps it there: until the caller's transaction ends the reader commits nothing.
///
/// # Errors
/// What the database said.
pub async fn hold(
    transaction: &mut PgConnection,
    name: &str,
) -> Result<Option<Reached>, sqlx::Error> {
    reached!(transaction, "FOR UPDATE", name)
}

/// The keys of the streams of one kind that the events after `after` up to `to` belong to; none
/// where these are more than `most` events.
///
/// # Errors
/// What the database said.
pub async fn moved_streams(
    connection: &mut PgConnection,
    kind: &str,
    after: Position,
    to: Position,
    most: i64,
) -> Result<Option<Vec<String>>, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        SELECT count(*) AS "events!",
               coalesce(array_agg(DISTINCT e.aggregate_id) FILTER (WHERE e.aggregate_type = $1),
                        '{}') AS "keys!"
        FROM (
            SELECT aggregate_type, aggregate_id FROM store.events
            WHERE position > $2 AND position <= $3
            ORDER BY position
            LIMIT $4
        ) e
        "#,
        kind,
        after.get(),
        to.get(),
        most + 1,
    )
    .fetch_one(connection)
    .await?;
    Ok((row.events <= most).then_some(row.keys))
}
