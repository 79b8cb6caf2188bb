//! The wake-up of the feed's readers: a notification after appends, outside of their transactions.
//!
//! `NOTIFY` in the append would make all commits queue for one lock. Here one task sends it for
//! all that was appended meanwhile, and no command waits for it; one that is missed only costs the
//! readers their poll.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::failure::chain;
use crate::wake::EVENTS;

/// How far apart two notifications are at least.
const APART: Duration = Duration::from_millis(5);
/// How long the connection is kept when nothing is appended: giving it back costs a round trip.
const IDLE_CONNECTION: Duration = Duration::from_millis(100);
/// How long a notification may take; then its connection is given up.
const BOUND: Duration = Duration::from_secs(5);

/// Wakes the readers up. Its task ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct WakeUp(Sender<()>);

impl WakeUp {
    pub(crate) fn new(pool: PgPool) -> Self {
        let (appended, waiting) = mpsc::channel(1);
        tokio::spawn(notify_again_and_again(pool, waiting));
        Self(appended)
    }

    /// Events were appended, and committed.
    pub(crate) fn appended(&self) {
        // One that waits already will do.
        self.0.try_send(()).ok();
    }
}

async fn notify_again_and_again(pool: PgPool, mut appended: Receiver<()>) {
    while appended.recv().await.is_some() {
        if let Err(error) = notify_while_busy(&pool, &mut appended).await {
            tracing::debug!(error = chain(&error), "store.wake_up_missed");
        }
    }
}

async fn notify_while_busy(pool: &PgPool, appended: &mut Receiver<()>) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    loop {
        let notified = tokio::time::timeout(BOUND, notify(&mut connection))
            .await
            .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())));
        if let Err(error) = notified {
            drop(connection.detach());
            return Err(error);
        }
        tokio::time::sleep(APART).await;
        let more = tokio::time::timeout(IDLE_CONNECTION, appended.recv()).await;
        if !matches!(more, Ok(Some(()))) {
            return Ok(());
        }
    }
}

/// Nothing is stored, so nothing is waited for: `synchronous_commit` is off for this transaction
/// alone.
async fn notify(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, '')",
        EVENTS,
    )
    .fetch_one(connection)
    .await
    .map(drop)
}
