//! Checkpoints that do not match the store's history any more, after a restore: how far they still
//! can be relied on, and putting a reader where it is right again.

use sqlx::PgConnection;

use super::{Checkpoint, Reached, recompute};
use crate::Position;

/// Events that one statement looks at, from the last one back.
const LOOK: i64 = 10_000;

/// Up to where it is certain that what the store holds was delivered under a checkpoint that does
/// not match it, as the checkpoint that matches there.
///
/// Certain are the events that were recorded before the generation after the checkpoint's began:
/// the store held them while the reader followed it. Where the event at the checkpoint's position
/// is one of them, or the store holds more of them than were delivered, the two histories part
/// nobody knows where, and nothing is certain.
///
/// # Errors
/// What the database said.
pub async fn certain(
    connection: &mut PgConnection,
    reached: &Reached,
) -> Result<Checkpoint, sqlx::Error> {
    let claimed = reached.checkpoint;
    let shared = shared(connection, reached.generation, claimed.position).await?;
    let found = recompute(connection, Position::START, shared).await?;
    if found.position == claimed.position || found.delivered >= claimed.delivered {
        return Ok(Checkpoint::default());
    }
    Ok(found)
}

/// The greatest position up to `position` before which no event lies that was recorded after the
/// generation ended.
async fn shared(
    connection: &mut PgConnection,
    generation: i64,
    position: Position,
) -> Result<Position, sqlx::Error> {
    let mut shared = position;
    loop {
        let later = sqlx::query_scalar!(
            "
            SELECT min(e.position) FILTER (WHERE e.recorded_at >= g.since) AS later
            FROM (
                SELECT position, recorded_at FROM store.events
                WHERE position <= $1
                ORDER BY position DESC
                LIMIT $3
            ) e
            CROSS JOIN (
                SELECT since FROM store.generation WHERE number > $2 ORDER BY number LIMIT 1
            ) g
            ",
            shared.get(),
            generation,
            LOOK,
        )
        .fetch_one(&mut *connection)
        .await?;
        match later {
            Some(later) => shared = Position::new(later - 1),
            None => return Ok(shared),
        }
    }
}

/// Puts the reader `name` at `to`, if it still is at `from`; whether it was. Whoever has its lease
/// loses it. A stream that it has parked flows again with the events after `to`, where it waits for
/// none before.
///
/// # Errors
/// What the database said.
pub async fn put_at(
    transaction: &mut PgConnection,
    name: &str,
    from: &Reached,
    to: &Reached,
) -> Result<bool, sqlx::Error> {
    let put = sqlx::query!(
        "
        UPDATE store.checkpoints
        SET generation = $7, since = $8, position = $9, delivered = $10, digest = $11,
            epoch = epoch + 1, owner = NULL, expires_at = NULL, state = 'idle', reason = NULL,
            event_id = NULL, rate = 0
        WHERE name = $1 AND generation = $2 AND since = $3 AND position = $4 AND delivered = $5
          AND digest = $6
        ",
        name,
        from.generation,
        from.since.get(),
        from.checkpoint.position.get(),
        from.checkpoint.delivered,
        from.checkpoint.digest,
        to.generation,
        to.since.get(),
        to.checkpoint.position.get(),
        to.checkpoint.delivered,
        to.checkpoint.digest,
    )
    .execute(&mut *transaction)
    .await?;
    if put.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "
        DELETE FROM store.parked p
        WHERE p.reader = $1 AND coalesce((
            SELECT e.position FROM store.events e
            WHERE e.aggregate_type = p.aggregate_type AND e.aggregate_id = p.aggregate_id
              AND e.sequence = p.sequence
            LIMIT 1
        ) > $2, true)
        ",
        name,
        to.checkpoint.position.get(),
    )
    .execute(transaction)
    .await?;
    Ok(true)
}

/// Whether a position was not drawn yet in this history of the store.
///
/// # Errors
/// What the database said.
pub async fn is_beyond(
    connection: &mut PgConnection,
    position: Position,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT $1 > store.last_drawn() AS "is!""#, position.get())
        .fetch_one(connection)
        .await
}
