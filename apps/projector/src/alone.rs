//! A role that one process has at a time, turn after turn, under a lease.

use std::time::Duration;

use event_store::{Lease, Shares};
use service_runtime::chain;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How often the lease is asked for while another has it.
const STANDBY_PAUSE: Duration = Duration::from_millis(250);
/// After a failure: what waited is done soon after it is over.
const FAILURE_PAUSE: Duration = Duration::from_millis(500);

/// The work of a role.
pub(crate) trait Work: Send {
    /// Why a turn failed.
    type Error: std::error::Error + Send;

    /// Takes a turn; how long to wait before the next one.
    fn turn(&mut self) -> impl Future<Output = Result<Duration, Self::Error>> + Send;
}

/// A role that one process has at a time.
pub(crate) struct Alone<W> {
    pub(crate) pool: PgPool,
    pub(crate) lease: Lease,
    pub(crate) shares: Shares,
    pub(crate) work: W,
}

impl<W: Work> Alone<W> {
    /// Takes turns until `stop`, whenever it is ours to do.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let pause = match self.hold().await {
                Ok(false) => STANDBY_PAUSE,
                Ok(true) => self.work.turn().await.unwrap_or_else(|error| {
                    warn!(
                        role = self.lease.name(),
                        error = chain(&error),
                        "role.failed"
                    );
                    FAILURE_PAUSE
                }),
                Err(error) => {
                    warn!(
                        role = self.lease.name(),
                        error = chain(&error),
                        "role.not_held"
                    );
                    FAILURE_PAUSE
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        let released = async {
            let mut connection = self.pool.acquire().await?;
            self.lease.release(&mut connection).await
        };
        // Else it runs out by itself.
        released.await.ok();
    }

    /// Whether it is ours, and stays so.
    async fn hold(&self) -> Result<bool, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        if !self.lease.hold(&mut connection).await? {
            self.shares.waits_for(self.lease.name());
            return Ok(false);
        }
        if let Some(next) = self.shares.successor(self.lease.name()) {
            self.lease.hand_over(&mut connection, &next).await?;
            return Ok(false);
        }
        Ok(true)
    }
}
