//! What operators are shown of the readers: each one's row, what it has before it, and which streams
//! wait.

use sqlx::PgConnection;

use crate::checkpoint::{self, Lag};
use crate::parked::{Parked, parked_page};
use crate::{ReaderStatus, reader_page};

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
