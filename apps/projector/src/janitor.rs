//! Deletes what may go: stored answers of idempotency keys that are older than promised.

use std::convert::Infallible;
use std::time::Duration;

use event_store::idempotency;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(60);
/// How many rows one statement deletes.
const PAGE: i64 = 1000;

/// Cleans up until `finish`.
pub(crate) async fn run(pool: PgPool, finish: CancellationToken) -> Result<(), Infallible> {
    let mut ticks = tokio::time::interval(INTERVAL);
    while finish.run_until_cancelled(ticks.tick()).await.is_some() {
        match clean(&pool, &finish).await {
            Ok(0) => {}
            Ok(deleted) => info!(deleted, "janitor.keys_deleted"),
            Err(error) => {
                warn!(error = service_runtime::chain(&error), "janitor.failed");
            }
        }
    }
    Ok(())
}

async fn clean(pool: &PgPool, finish: &CancellationToken) -> Result<u64, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let mut deleted = 0;
    loop {
        let page = idempotency::delete_expired(&mut connection, PAGE).await?;
        deleted += page;
        if page < PAGE.unsigned_abs() || finish.is_cancelled() {
            return Ok(deleted);
        }
    }
}
