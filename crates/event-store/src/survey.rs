//! What operators are shown of the readers: each one's row, what it has before it, and which streams
//! wait.

use sqlx::PgConnection;

use crate::checkpoint::{self, Lag};
use crate::parked::{Parked, parked_page};
use crate::{Position, ReaderStatus, StreamId, reader_page};

/// Events that one statement counts.
const COUNT_PAGE: i64 = 1_000_000;

/// How many parked streams of a reader are named.
pub const PARKED_SHOWN: i64 = 50;

/// A reader, as operators see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Surveyed {
    /// Its row.
    pub status: ReaderStatus,
    /// What it has before it.
    pub lag: Lag,
    /// The first [`PARKED_SHOWN`] of the streams that it has parked.
    pub parked: Vec<Parked>,
}

/// Every reader after `after`, by name, at most `limit` of them.
///
/// # Errors
/// What the database said.
pub async fn survey(
    connection: &mut PgConnection,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Surveyed>, sqlx::Error> {
    let statuses = reader_page(connection, after, limit).await?;
    let mut found = Vec::with_capacity(statuses.len());
    for status in statuses {
        let lag = checkpoint::lag(connection, &status.name, status.position).await?;
        let parked = if status.parked == 0 {
            Vec::new()
        } else {
            parked_page(connection, &status.name, None, PARKED_SHOWN).await?
        };
        found.push(Surveyed {
            status,
            lag,
            parked,
        });
    }
    Ok(found)
}

/// Whether any stream of this kind has an event.
///
/// # Errors
/// What the database said.
pub async fn holds(connection: &mut PgConnection, kind: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM store.events WHERE aggregate_type = $1) AS "holds!""#,
        kind,
    )
    .fetch_one(connection)
    .await
}

/// Counts the events after `after` up to `to`, of one stream or of all.
///
/// # Errors
/// What the database said.
pub async fn count_events(
    connection: &mut PgConnection,
    after: Position,
    to: Position,
    stream: Option<&StreamId>,
) -> Result<u64, sqlx::Error> {
    if let Some(stream) = stream {
        let count = sqlx::query_scalar!(
            r#"
            SELECT count(*) AS "count!" FROM (
                SELECT position FROM store.events
                WHERE aggregate_type = $1 AND aggregate_id = $2
                ORDER BY sequence
                LIMIT $5
            ) e
            WHERE position > $3 AND position <= $4
            "#,
            stream.kind(),
            stream.key(),
            after.get(),
            to.get(),
            COUNT_PAGE,
        )
        .fetch_one(connection)
        .await?;
        return Ok(count.unsigned_abs());
    }
    let (mut count, mut after) = (0, after);
    loop {
        let page = sqlx::query!(
            r#"
            SELECT count(*) AS "count!", max(position) AS last FROM (
                SELECT position FROM store.events
                WHERE position > $1 AND position <= $2
                ORDER BY position
                LIMIT $3
            ) e
            "#,
            after.get(),
            to.get(),
            COUNT_PAGE,
        )
        .fetch_one(&mut *connection)
        .await?;
        let Some(last) = page.last else {
            return Ok(count);
        };
        count += page.count.unsigned_abs();
        after = Position::new(last);
    }
}
