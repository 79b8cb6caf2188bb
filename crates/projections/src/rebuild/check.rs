//! The check: everything that the two versions hold is compared on a snapshot, and then only what
//! has moved since.

use event_store::{Checkpoint, Position, checkpoint};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, Postgres, Transaction};

use super::compare::{self, Comparison};
use super::{Hears, Rebuild, RebuildError, Told};
use crate::Version;

/// A snapshot that is compared on lives this long between two statements at most.
const PATIENT: [(&str, &str); 2] = [
    ("idle_in_transaction_session_timeout", "60s"),
    ("statement_timeout", "60s"),
];
/// Positions that are counted in one statement.
const COUNTED: i64 = 100_000;
/// Events since the snapshot that are looked through at most.
const MOST_SINCE: i64 = 200_000;
/// So few events since the snapshot are left to the swap.
const FEW: i64 = 500;
/// Further snapshots that are taken to come that far.
const ROUNDS: usize = 8;

/// What was compared so far, and the snapshot that it was compared on.
#[derive(Debug)]
pub struct Check {
    pub(super) base: Base,
    /// What the events up to the snapshot come to.
    pub(super) events: Checkpoint,
    pub(super) found: Comparison,
}

/// A snapshot of both versions.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) transaction: Transaction<'static, Postgres>,
    /// Both have come as far: what one of them has of later events is compared again.
    pub(super) at: Position,
    /// One of them has come as far.
    furthest: Position,
}

impl Rebuild {
    /// Compares the two versions, and counts the events that they are made of, so far that little
    /// is left to the swap.
    ///
    /// # Errors
    /// See [`RebuildError`].
    pub async fn check(&mut self, hears: Hears<'_>) -> Result<Check, RebuildError> {
        let to = self.served_at().await?;
        self.bring_up(to, None, hears).await?;
        let base = self.snapshot().await?;
        let mut check = Check {
            base,
            events: Checkpoint::default(),
            found: Comparison::default(),
        };
        self.count(&mut check, hears).await?;
        self.compare_all(&mut check, hears).await?;
        for _ in 0..ROUNDS {
            if self.follow_up(&mut check).await? {
                break;
            }
        }
        Ok(check)
    }

    /// Counts the events up to the snapshot.
    async fn count(&self, check: &mut Check, hears: Hears<'_>) -> Result<(), RebuildError> {
        let total = check.base.at;
        let mut at = Position::START;
        while at < total {
            self.goes_on()?;
            let to = total.min(Position::new(at.get().saturating_add(COUNTED)));
            let more = checkpoint::recompute(&mut check.base.transaction, at, to).await?;
            check.events = add(check.events, more);
            at = to;
            hears(Told::Counted {
                done: at.get().cast_unsigned(),
                total: total.get().cast_unsigned(),
            });
        }
        Ok(())
    }

    async fn compare_all(&self, check: &mut Check, hears: Hears<'_>) -> Result<(), RebuildError> {
        let versions = (self.from, self.to);
        let total = about(&mut check.base.transaction, self.to).await?;
        let mut after = None;
        loop {
            self.goes_on()?;
            let connection = &mut check.base.transaction;
            after = compare::page(connection, versions, after.as_ref(), &mut check.found).await?;
            let done = check.found.rows();
            hears(Told::Compared {
                done: done.cast_unsigned(),
                total: total.max(done).cast_unsigned(),
            });
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Takes a later snapshot, and compares what has moved on it; whether only few events have
    /// come since.
    pub(super) async fn follow_up(&mut self, check: &mut Check) -> Result<bool, RebuildError> {
        self.goes_on()?;
        let to = self.served_at().await?;
        self.bring_up(to, None, &mut |_| {}).await?;
        let mut base = self.snapshot().await?;
        let kind = self.from.model.stream_kind();
        let (was, is) = (check.base.at, base.at);
        // What one version has of events beyond `is` is looked at again, by the next one.
        let moved =
            checkpoint::moved_streams(&mut base.transaction, kind, was, base.furthest, MOST_SINCE);
        let Some(moved) = moved.await? else {
            return Err(RebuildError::Outrun { most: MOST_SINCE });
        };
        let versions = (self.from, self.to);
        let before = compare::streams(&mut check.base.transaction, versions, &moved).await?;
        let now = compare::streams(&mut base.transaction, versions, &moved).await?;
        check.found.replace(&moved, before, now);
        let more = checkpoint::recompute(&mut base.transaction, was, is).await?;
        check.events = add(check.events, more);
        let old = std::mem::replace(&mut check.base, base);
        old.transaction.rollback().await?;
        Ok(more.delivered <= FEW)
    }

    /// A snapshot of both versions.
    async fn snapshot(&self) -> Result<Base, sqlx::Error> {
        let pool = PgPoolOptions::new().max_connections(1);
        let pool = pool.connect_lazy_with(self.by.connect.clone().options(PATIENT));
        let mut transaction = pool
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .await?;
        let mut positions = [Position::START; 2];
        for (version, position) in [self.from, self.to].into_iter().zip(&mut positions) {
            let reached = checkpoint::reached(&mut transaction, &version.to_string()).await?;
            *position = reached.unwrap_or_default().checkpoint.position;
        }
        let [served, new] = positions;
        Ok(Base {
            transaction,
            at: served.min(new),
            furthest: served.max(new),
        })
    }
}

/// What two stretches of the events come to together.
pub(super) fn add(first: Checkpoint, then: Checkpoint) -> Checkpoint {
    Checkpoint {
        position: then.position,
        delivered: first.delivered + then.delivered,
        digest: first.digest.wrapping_add(then.digest),
    }
}

/// About how many rows a version has, as the statistics have it.
async fn about(connection: &mut PgConnection, version: Version) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint AS "rows!"
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relkind = 'r'
        "#,
        version.to_string(),
    )
    .fetch_one(connection)
    .await
}
