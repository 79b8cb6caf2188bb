//! Checkpoints: how far a reader of the feed has come, and how old what it wrote is.
//! [`recompute`] says what the events say of one, [`hold`] keeps a reader where it is, [`put_at`]
//! puts one right after a restore.

mod adopt;
mod held;
mod recompute;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

pub use adopt::{certain, is_beyond, put_at};
pub use held::{Reached, hold, moved_streams, reached};
pub use recompute::recompute;
pub(crate) use recompute::{PAGE, mark, nearest_mark, recompute_page};

use crate::{Generation, Position, PositionToken, StoredEvent};

/// How far a reader has come, and a fingerprint of everything that it was delivered on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// The last position delivered.
    pub position: Position,
    /// The number of events up to it.
    pub delivered: i64,
    /// The sum modulo 2^64 of their hashed ids.
    pub digest: i64,
}

impl Checkpoint {
    /// Of a reader that begins after `position`.
    #[must_use]
    pub const fn at(position: Position) -> Self {
        Self {
            position,
            delivered: 0,
            digest: 0,
        }
    }

    /// This checkpoint after `events` were delivered too.
    #[must_use]
    pub fn after(self, events: &[StoredEvent]) -> Self {
        events.iter().fold(self, |checkpoint, event| Self {
            position: event.position,
            delivered: checkpoint.delivered + 1,
            digest: checkpoint.digest.wrapping_add(hashed(event)),
        })
    }
}

/// The first eight bytes of the SHA-256 of the event's id, as a signed number.
fn hashed(event: &StoredEvent) -> i64 {
    let hash = Sha256::digest(event.event_id.as_uuid().as_bytes());
    hash.iter()
        .take(8)
        .fold(0_i64, |number, byte| (number << 8) | i64::from(*byte))
}

/// How current a read model is, for one answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Freshness {
    /// How far it has come.
    pub token: PositionToken,
    /// The age in seconds of the oldest committed event that it has not taken: not passed yet, or
    /// parked; 0 if none.
    pub lag_seconds: f64,
}

/// Reads how current the reader `name` is, in the caller's snapshot; none before it first ran.
///
/// # Errors
/// What the database said.
pub async fn freshness(
    connection: &mut PgConnection,
    name: &str,
) -> Result<Option<Freshness>, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        SELECT i.store_id, c.generation, c.position,
               least(next.recorded_at, parked.recorded_at) AS "oldest?", clock_timestamp() AS "now!"
        FROM store.checkpoints c
        CROSS JOIN (SELECT store_id FROM store.identity LIMIT 1) i
        LEFT JOIN LATERAL (
            SELECT e.recorded_at FROM store.events e
            WHERE e.position > c.position
            ORDER BY e.position
            LIMIT 1
        ) next ON true
        LEFT JOIN LATERAL (
            SELECT p.recorded_at FROM store.parked p
            WHERE p.reader = c.name
            ORDER BY p.recorded_at
            LIMIT 1
        ) parked ON true
        WHERE c.name = $1
        "#,
        name,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Freshness {
        token: PositionToken {
            generation: Generation {
                store: row.store_id,
                number: row.generation,
            },
            position: Position::new(row.position),
        },
        lag_seconds: row
            .oldest
            .map_or(0.0, |oldest| age_seconds(oldest, row.now)),
    }))
}

/// Seconds from `then` to `now`; never negative.
fn age_seconds(then: DateTime<Utc>, now: DateTime<Utc>) -> f64 {
    (now - then).to_std().map_or(0.0, |age| age.as_secs_f64())
}

/// How much a reader of the feed has before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lag {
    /// Events not yet passed, counted up to [`LAG_COUNTED_TO`]; beyond that the difference of
    /// positions, which holes make greater.
    pub events: i64,
    /// The age in seconds of the oldest event not yet passed or parked; 0 if none.
    pub seconds: f64,
    /// Streams that are parked, counted up to [`LAG_COUNTED_TO`].
    pub parked: i64,
}

/// Beyond this many events the lag is not counted further.
pub const LAG_COUNTED_TO: i64 = 10_000;

/// Counts what the reader `name` at `position` has before it.
///
/// # Errors
/// What the database said.
pub async fn lag(
    connection: &mut PgConnection,
    name: &str,
    position: Position,
) -> Result<Lag, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        SELECT
            (SELECT count(*) FROM (
                SELECT FROM store.events WHERE position > $1 ORDER BY position LIMIT $2
             ) e) AS "events!",
            (SELECT count(*) FROM (
                SELECT FROM store.parked WHERE reader = $3 LIMIT $2
             ) p) AS "parked!",
            store.last_drawn() - $1 AS "drawn!",
            least(
                (SELECT recorded_at FROM store.events WHERE position > $1
                 ORDER BY position LIMIT 1),
                (SELECT recorded_at FROM store.parked WHERE reader = $3
                 ORDER BY recorded_at LIMIT 1)
            ) AS oldest,
            clock_timestamp() AS "now!"
        "#,
        position.get(),
        LAG_COUNTED_TO,
        name,
    )
    .fetch_one(connection)
    .await?;
    Ok(Lag {
        events: if row.events < LAG_COUNTED_TO {
            row.events
        } else {
            row.drawn.max(row.events)
        },
        seconds: row
            .oldest
            .map_or(0.0, |oldest| age_seconds(oldest, row.now)),
        parked: row.parked,
    })
}
