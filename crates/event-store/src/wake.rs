//! Wake-ups: whoever appends or commits rows says so on a channel of the database, outside of any
//! append's transaction. They only cut the pause between two looks short: one that is missed costs
//! no more than that pause.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// The channel on which the executor says that events were appended.
pub const EVENTS: &str = "atlas_events";
/// The channel on which a reader says that its checkpoint has moved; the payload is its name.
pub const CHECKPOINTS: &str = "atlas_checkpoints";

/// How long to wait before listening again after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Hears one channel for the whole process.
#[derive(Debug, Clone)]
pub struct Wakeups {
    heard: watch::Sender<()>,
}

/// Hears of what happened since it last waited.
pub type Wakeup = watch::Receiver<()>;

impl Wakeups {
    /// Hears nothing until [`Wakeups::listen`] runs.
    #[must_use]
    pub fn new() -> Self {
        Self {
            heard: watch::Sender::new(()),
        }
    }

    /// One who is woken.
    #[must_use]
    pub fn subscribe(&self) -> Wakeup {
        self.heard.subscribe()
    }

    /// Listens to `channel` on a connection of its own until `stop`.
    pub async fn listen(self, pool: PgPool, channel: &'static str, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let failure = tokio::select! {
                () = stop.cancelled() => return,
                failure = self.hear(&pool, channel) => failure,
            };
            debug!(error = %failure, channel, "wake.not_listening");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    async fn hear(&self, pool: &PgPool, channel: &str) -> sqlx::Error {
        let mut listener = match PgListener::connect_with(pool).await {
            Ok(listener) => listener,
            Err(error) => return error,
        };
        if let Err(error) = listener.listen(channel).await {
            return error;
        }
        loop {
            match listener.recv().await {
                Ok(_) => drop(self.heard.send(())),
                Err(error) => return error,
            }
        }
    }
}

impl Default for Wakeups {
    fn default() -> Self {
        Self::new()
    }
}
