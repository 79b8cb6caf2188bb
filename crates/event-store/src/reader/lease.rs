//! Leases: who reads the feed for a checkpoint now. Set and judged by the server's clock alone.
//!
//! The epoch fences: a commit checks it, so that an owner which was stalled and wakes up after
//! somebody took over moves neither rows nor checkpoint.

use std::time::Duration;

use sqlx::PgConnection;

use super::ReaderOptions;
use super::state::Condition;
use crate::shares::KEPT_SECONDS;
use crate::wake::CHECKPOINTS;
use crate::{Checkpoint, Position};

/// The right to move one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    name: String,
    epoch: i64,
    length: Duration,
}

/// What asking for a lease came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It is ours, and here is where to begin.
    Granted(Lease, LeasedCheckpoint),
    /// Another owner holds it for so much longer.
    Held {
        /// Who.
        owner: String,
        /// Until it would run out.
        remaining: Duration,
    },
}

/// A checkpoint, where its counting began, and the generation that it was last moved in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeasedCheckpoint {
    pub generation: i64,
    pub since: Position,
    pub checkpoint: Checkpoint,
}

/// Why a lease could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LeaseError {
    /// Somebody else has taken over; nothing was moved.
    #[error("the lease was lost to another owner")]
    Lost,
    /// The database failed.
    #[error("the lease could not be read or written")]
    Database(#[from] sqlx::Error),
}

impl Lease {
    /// Asks for the lease on the reader's checkpoint, making it if there is none. An owner that
    /// lost its connection is given its own lease again at once.
    ///
    /// # Errors
    /// What the database said.
    pub(crate) async fn ask(
        connection: &mut PgConnection,
        reader: &ReaderOptions,
    ) -> Result<Asked, sqlx::Error> {
        sqlx::query!(
            r#"
            INSERT INTO store.checkpoints (name, generation, since, position)
            SELECT $1, number, $2, $2 FROM store.generation ORDER BY number DESC LIMIT 1
            ON CONFLICT DO NOTHING
            "#,
            reader.name,
            reader.after.get(),
        )
        .execute(&mut *connection)
        .await?;
        let granted = sqlx::query!(
            r#"
            UPDATE store.checkpoints
            SET owner = $2, epoch = epoch + 1, seen_at = clock_timestamp(),
                expires_at = clock_timestamp() + make_interval(secs => $3)
            WHERE name = $1
              AND (owner IS NULL OR owner = $2 OR expires_at <= clock_timestamp())
            RETURNING epoch, generation, since, position, delivered, digest
            "#,
            reader.name,
            reader.owner,
            reader.lease.as_secs_f64(),
        )
        .fetch_optional(&mut *connection)
        .await?;
        if let Some(row) = granted {
            return Ok(Asked::Granted(
                Self {
                    name: reader.name.clone(),
                    epoch: row.epoch,
                    length: reader.lease,
                },
                LeasedCheckpoint {
                    generation: row.generation,
                    since: Position::new(row.since),
                    checkpoint: Checkpoint {
                        position: Position::new(row.position),
                        delivered: row.delivered,
                        digest: row.digest,
                    },
                },
            ));
        }
        let held = sqlx::query!(
            r#"
            SELECT coalesce(owner, '') AS "owner!",
                   greatest(0, extract(epoch FROM coalesce(expires_at, clock_timestamp())
                                                  - clock_timestamp()))::double precision
                       AS "remaining!"
            FROM store.checkpoints WHERE name = $1
            "#,
            reader.name,
        )
        .fetch_one(connection)
        .await?;
        Ok(Asked::Held {
            owner: held.owner,
            remaining: Duration::try_from_secs_f64(held.remaining).unwrap_or_default(),
        })
    }

    /// The checkpoint's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How long it is good for after each renewal.
    pub(crate) const fn length(&self) -> Duration {
        self.length
    }

    /// Makes it good for its whole length again, and says how the reader is.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] once somebody else has it.
    pub(crate) async fn renew(
        &self,
        connection: &mut PgConnection,
        condition: &Condition,
        rate: f64,
    ) -> Result<(), LeaseError> {
        let done = sqlx::query!(
            r#"
            UPDATE store.checkpoints
            SET expires_at = clock_timestamp() + make_interval(secs => $3),
                state = $4, reason = $5, event_id = $6, rate = $7, seen_at = clock_timestamp()
            WHERE name = $1 AND epoch = $2
            "#,
            self.name,
            self.epoch,
            self.length.as_secs_f64(),
            condition.state(),
            condition.reason(),
            condition.event_id().map(kernel::EventId::as_uuid),
            rate,
        )
        .execute(connection)
        .await?;
        only_row(done.rows_affected())
    }

    /// Moves the checkpoint, renewing the lease, in the caller's transaction: the last statement
    /// before its commit. Who waits for it is woken.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] once somebody else has it: roll back.
    pub(crate) async fn advance(
        &self,
        connection: &mut PgConnection,
        to: Checkpoint,
    ) -> Result<(), LeaseError> {
        let moved = sqlx::query!(
            r#"
            UPDATE store.checkpoints
            SET position = $3, delivered = $4, digest = $5,
                expires_at = clock_timestamp() + make_interval(secs => $6)
            WHERE name = $1 AND epoch = $2
            RETURNING pg_notify($7, name)::text AS told
            "#,
            self.name,
            self.epoch,
            to.position.get(),
            to.delivered,
            to.digest,
            self.length.as_secs_f64(),
            CHECKPOINTS,
        )
        .fetch_optional(connection)
        .await?;
        moved.map(drop).ok_or(LeaseError::Lost)
    }

    /// Carries the checkpoint over into `generation`, after it was found to hold there.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] once somebody else has it.
    pub(crate) async fn enter(
        &self,
        connection: &mut PgConnection,
        generation: i64,
    ) -> Result<(), LeaseError> {
        let done = sqlx::query!(
            "UPDATE store.checkpoints SET generation = $3 WHERE name = $1 AND epoch = $2",
            self.name,
            self.epoch,
            generation,
        )
        .execute(connection)
        .await?;
        only_row(done.rows_affected())
    }

    /// Gives it back, so that another owner need not wait for it to run out, and says how the
    /// reader is from then on.
    ///
    /// # Errors
    /// What the database said; a lease lost before is no error.
    pub(crate) async fn release(
        self,
        connection: &mut PgConnection,
        condition: &Condition,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            r#"
            UPDATE store.checkpoints
            SET owner = NULL, expires_at = NULL, state = $3, reason = $4, event_id = $5, rate = 0,
                seen_at = clock_timestamp()
            WHERE name = $1 AND epoch = $2
            "#,
            self.name,
            self.epoch,
            condition.state(),
            condition.reason(),
            condition.event_id().map(kernel::EventId::as_uuid),
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Hands it over: it is kept for `to` for a moment, and anybody's after that.
    ///
    /// # Errors
    /// What the database said; a lease lost before is no error.
    pub(crate) async fn hand_over(
        self,
        connection: &mut PgConnection,
        to: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            r#"
            UPDATE store.checkpoints
            SET owner = $3, expires_at = clock_timestamp() + make_interval(secs => $4), rate = 0,
                seen_at = clock_timestamp()
            WHERE name = $1 AND epoch = $2
            "#,
            self.name,
            self.epoch,
            to,
            KEPT_SECONDS,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// Puts a reader at its begin, whatever it did before; whether nobody had its lease. What it had
/// parked is forgotten.
///
/// # Errors
/// What the database said.
pub async fn begin_anew(
    connection: &mut PgConnection,
    reader: &ReaderOptions,
) -> Result<bool, sqlx::Error> {
    let begun = sqlx::query!(
        r#"
        INSERT INTO store.checkpoints AS c (name, generation, since, position)
        SELECT $1, number, $2, $2 FROM store.generation ORDER BY number DESC LIMIT 1
        ON CONFLICT (name) DO UPDATE SET
            generation = excluded.generation, since = excluded.since,
            position = excluded.position, delivered = 0, digest = 0, epoch = c.epoch + 1,
            owner = NULL, expires_at = NULL, state = 'idle', reason = NULL, event_id = NULL
        WHERE c.owner IS NULL OR c.expires_at <= clock_timestamp()
        "#,
        reader.name,
        reader.after.get(),
    )
    .execute(&mut *connection)
    .await?;
    if begun.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!("DELETE FROM store.parked WHERE reader = $1", reader.name)
        .execute(connection)
        .await?;
    Ok(true)
}

const fn only_row(affected: u64) -> Result<(), LeaseError> {
    if affected == 1 {
        Ok(())
    } else {
        Err(LeaseError::Lost)
    }
}
