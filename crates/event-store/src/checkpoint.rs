//! Checkpoints: how far a reader of the feed has come, whether that can still be true, and how old
//! what it wrote is.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

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

/// What the table of events says that a checkpoint at `position` has to be.
///
/// # Errors
/// What the database said.
pub async fn recompute(
    connection: &mut PgConnection,
    position: Position,
) -> Result<Checkpoint, sqlx::Error> {
    let mut checkpoint = Checkpoint::default();
    while let Some(next) = recompute_page(connection, checkpoint, position).await? {
        checkpoint = next;
    }
    Ok(checkpoint)
}

/// The checkpoint one page after `from`, by the primary key, as far as `position`; none at its
/// end. The table may be large, and statements have a time limit.
pub(crate) async fn recompute_page(
    connection: &mut PgConnection,
    from: Checkpoint,
    position: Position,
) -> Result<Option<Checkpoint>, sqlx::Error> {
    let page = sqlx::query!(
        r#"
        SELECT max(page.position) AS last, count(*) AS "delivered!",
               coalesce(sum(('x' || encode(substr(sha256(uuid_send(page.event_id)), 1, 8),
                                           'hex'))::bit(64)::bigint::numeric)
                        % 18446744073709551616, 0)::text AS "digest!"
        FROM (
            SELECT e.position, e.event_id FROM store.events e
            WHERE e.position > $1 AND e.position <= $2
            ORDER BY e.position
            LIMIT 50000
        ) page
        "#,
        from.position.get(),
        position.get(),
    )
    .fetch_one(connection)
    .await?;
    let Some(last) = page.last else {
        return Ok(None);
    };
    Ok(Some(Checkpoint {
        position: Position::new(last),
        delivered: from.delivered + page.delivered,
        digest: from.digest.wrapping_add(modulo_2_64(&page.digest)?),
    }))
}

/// A sum that the database has reduced modulo 2^64, sign kept, as the wrapped 64-bit number.
fn modulo_2_64(text: &str) -> Result<i64, sqlx::Error> {
    let number: i128 = text
        .parse()
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let wrapped = number.rem_euclid(1 << 64);
    u64::try_from(wrapped)
        .map(u64::cast_signed)
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// How current a read model is, for one answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Freshness {
    /// How far it has come.
    pub token: PositionToken,
    /// The age in seconds of the oldest committed event that it has not passed; 0 if none.
    pub lag_seconds: f64,
}

/// Reads how current the read model `name` is, in the caller's snapshot; none before it first ran.
///
/// # Errors
/// What the database said.
pub async fn freshness(
    connection: &mut PgConnection,
    name: &str,
) -> Result<Option<Freshness>, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        SELECT i.store_id, c.generation, c.position, oldest.recorded_at AS "oldest?",
               clock_timestamp() AS "now!"
        FROM store.checkpoints c
        CROSS JOIN (SELECT store_id FROM store.identity LIMIT 1) i
        LEFT JOIN LATERAL (
            SELECT e.recorded_at FROM store.events e
            WHERE e.position > c.position
            ORDER BY e.position
            LIMIT 1
        ) oldest ON true
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
    /// Events not yet passed, counted up to [`LAG_COUNTED_TO`].
    pub events: i64,
    /// The age in seconds of the oldest of them; 0 if none.
    pub seconds: f64,
}

/// Beyond this many events the lag is not counted further.
pub const LAG_COUNTED_TO: i64 = 100_000;

/// Counts the events that a reader at `position` has before it.
///
/// # Errors
/// What the database said.
pub async fn lag(connection: &mut PgConnection, position: Position) -> Result<Lag, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        SELECT count(*) AS "events!", min(e.recorded_at) AS oldest, clock_timestamp() AS "now!"
        FROM (
            SELECT recorded_at FROM store.events WHERE position > $1 ORDER BY position LIMIT $2
        ) e
        "#,
        position.get(),
        LAG_COUNTED_TO,
    )
    .fetch_one(connection)
    .await?;
    Ok(Lag {
        events: row.events,
        seconds: row
            .oldest
            .map_or(0.0, |oldest| age_seconds(oldest, row.now)),
    })
}
