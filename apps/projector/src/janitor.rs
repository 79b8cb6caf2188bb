//! Cleans up: stored answers of idempotency keys that are older than promised, the bytes of dead
//! letters that were closed long ago, dead letters whose event was handled without a message, and
//! analysts' transactions that have outlived their limits.

use std::convert::Infallible;
use std::time::Duration;

use bonus_store::kept;
use event_store::idempotency;
use kernel::EventId;
use projections::analysts;
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::bonus;

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(60);
/// How many rows one statement deletes or closes.
const PAGE: i64 = 1000;
/// Of how many dead letters one statement erases the bytes: they may be large.
const LETTERS: i64 = 100;
/// How long a transaction of an analyst's may be open: twice what its role is allowed for a statement
/// or for idling (`deploy/roles.sql`).
const ANALYSIS: Duration = Duration::from_secs(120);
/// How many of them are ended at once: as many sessions as the role may have.
const ANALYSTS: i64 = 20;

/// Cleans up until `finish`.
pub(crate) async fn run(pool: PgPool, finish: CancellationToken) -> Result<(), Infallible> {
    let mut ticks = tokio::time::interval(INTERVAL);
    while finish.run_until_cancelled(ticks.tick()).await.is_some() {
        if let Err(error) = clean(&pool, &finish).await {
            warn!(error = service_runtime::chain(&error), "janitor.failed");
        }
    }
    Ok(())
}

async fn clean(pool: &PgPool, finish: &CancellationToken) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    for ended in analysts::end_overrunning(&mut connection, ANALYSIS, ANALYSTS).await? {
        let (pid, seconds) = (ended.pid, ended.seconds);
        warn!(pid, seconds, "janitor.analyst_ended");
    }
    let keys = delete_keys(&mut connection, finish).await?;
    let letters = forget_letters(&mut connection, finish).await?;
    let handled = close_handled(&mut connection, finish).await?;
    if keys + letters + handled > 0 {
        info!(keys, letters, handled, "janitor.cleaned");
    }
    Ok(())
}

async fn delete_keys(
    connection: &mut PgConnection,
    finish: &CancellationToken,
) -> Result<u64, sqlx::Error> {
    let mut deleted = 0;
    loop {
        let page = idempotency::delete_expired(connection, PAGE).await?;
        deleted += page;
        if page < PAGE.unsigned_abs() || finish.is_cancelled() {
            return Ok(deleted);
        }
    }
}

async fn forget_letters(
    connection: &mut PgConnection,
    finish: &CancellationToken,
) -> Result<u64, sqlx::Error> {
    let mut forgotten = 0;
    loop {
        let page = dead_letters::forget(connection, LETTERS).await?;
        forgotten += page;
        if page < LETTERS.unsigned_abs() || finish.is_cancelled() {
            return Ok(forgotten);
        }
    }
}

/// Closes dead letters whose event the ledger holds: whoever handles a message closes them by
/// itself, and whoever reads facts from the events does not.
async fn close_handled(
    connection: &mut PgConnection,
    finish: &CancellationToken,
) -> Result<u64, sqlx::Error> {
    let mut closed = 0;
    let mut after = Uuid::nil();
    loop {
        let page = dead_letters::open_events(connection, bonus::GROUP, after, PAGE).await?;
        let Some(last) = page.last().filter(|_| !finish.is_cancelled()) else {
            return Ok(closed);
        };
        after = last.id;
        let events: Vec<EventId> = page.iter().map(|open| open.event).collect();
        let handled = kept(connection, &events).await?;
        if !handled.is_empty() {
            closed += dead_letters::close_events(connection, bonus::GROUP, &handled).await?;
        }
    }
}
