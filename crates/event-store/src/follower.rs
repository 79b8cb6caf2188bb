//! Drives a read model: batch, rows and checkpoint in one transaction, for ever.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::PgConnectOptions;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::reader::{FeedReader, Opened, ReaderError, ReaderOptions};
use crate::{ApplyError, ReadModel};

/// Events that one transaction applies at most.
const BATCH: i64 = 500;
/// The shortest and longest pause between two looks at a feed that has nothing new.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause between two requests for a lease that another holds: it may be given back.
const STANDBY_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause after a failure.
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);
/// How often the gauges of the lag are set.
const GAUGE_INTERVAL: Duration = Duration::from_secs(1);

/// Why a follower had to begin again at its checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The feed or the lease failed.
    #[error("the feed failed")]
    Reader(#[from] ReaderError),
    /// The read model did not take the batch.
    #[error("the read model did not take the batch")]
    Apply(#[from] ApplyError),
    /// The database failed.
    #[error("the batch was not committed")]
    Database(#[from] sqlx::Error),
}

/// Keeps one read model up to date.
#[derive(Clone)]
pub struct Follower {
    model: Arc<dyn ReadModel>,
    connect: PgConnectOptions,
    options: ReaderOptions,
}

impl Follower {
    /// A follower that has not started. `connect` opens the connection that the feed owns.
    #[must_use]
    pub fn new(
        model: Arc<dyn ReadModel>,
        connect: PgConnectOptions,
        owner: String,
        lease: Duration,
    ) -> Self {
        let options = ReaderOptions {
            name: model.name().to_owned(),
            owner,
            lease,
        };
        Self {
            model,
            connect,
            options,
        }
    }

    /// Follows until `stop`; whatever fails is tried again at the checkpoint, with growing pauses.
    pub async fn run(self, stop: CancellationToken) {
        let mut pause = SHORTEST_PAUSE;
        while !stop.is_cancelled() {
            match self.follow(&stop, &mut pause).await {
                Ok(wait) => pause = wait.min(LONGEST_BACKOFF),
                Err(failure) => {
                    metrics::counter!(
                        "atlas_feed_failures_total", "reader" => self.options.name.clone()
                    )
                    .increment(1);
                    report(&self.options.name, &failure);
                    pause = (pause * 2).min(LONGEST_BACKOFF);
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Applies everything that is there now, once; for tools and tests that drive by hand.
    ///
    /// # Errors
    /// See [`FollowError`]. A lease that another holds is [`ReaderError::LeaseLost`].
    pub async fn catch_up(&self) -> Result<(), FollowError> {
        match FeedReader::open(&self.connect, &self.options).await? {
            Opened::Held { .. } => Err(ReaderError::LeaseLost.into()),
            Opened::Reader(mut reader) => {
                while self.step(&mut reader).await? > 0 {}
                Ok(reader.close().await?)
            }
        }
    }

    /// Reads for as long as the lease holds; returns how long to wait before asking for it again.
    async fn follow(
        &self,
        stop: &CancellationToken,
        failures: &mut Duration,
    ) -> Result<Duration, FollowError> {
        let mut reader = match FeedReader::open(&self.connect, &self.options).await? {
            Opened::Reader(reader) => *reader,
            Opened::Held { remaining, .. } => {
                return Ok(remaining.clamp(SHORTEST_PAUSE, STANDBY_PAUSE));
            }
        };
        info!(
            reader = %self.options.name,
            position = reader.checkpoint().position.get(),
            "feed.started"
        );
        let mut pause = SHORTEST_PAUSE;
        let mut gauged: Option<Instant> = None;
        while !stop.is_cancelled() {
            if self.step(&mut reader).await? > 0 {
                pause = SHORTEST_PAUSE;
                *failures = SHORTEST_PAUSE;
            } else {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            if gauged.is_none_or(|at| at.elapsed() >= GAUGE_INTERVAL) {
                set_gauges(&self.options.name, &mut reader).await?;
                gauged = Some(Instant::now());
            }
        }
        reader.close().await?;
        Ok(SHORTEST_PAUSE)
    }

    /// One batch in one transaction; returns its number of events.
    async fn step(&self, reader: &mut FeedReader) -> Result<usize, FollowError> {
        let batch = reader.next_batch(BATCH).await?;
        if batch.events.is_empty() {
            return Ok(0);
        }
        let started = Instant::now();
        let to = reader.checkpoint().after(&batch.events);
        let lease = reader.lease();
        let mut transaction = reader.feed().connection().begin().await?;
        self.model.apply(&mut transaction, &batch.events).await?;
        lease
            .advance(&mut transaction, to)
            .await
            .map_err(ReaderError::from)?;
        transaction.commit().await?;
        reader.moved(to, started);
        metrics::histogram!(
            "atlas_feed_batch_seconds", "reader" => self.options.name.clone()
        )
        .record(started.elapsed());
        Ok(batch.events.len())
    }
}

async fn set_gauges(name: &str, reader: &mut FeedReader) -> Result<(), ReaderError> {
    let lag = reader.lag().await?;
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("atlas_feed_lag_events", "reader" => name.to_owned()).set(lag.events as f64);
    metrics::gauge!("atlas_feed_lag_seconds", "reader" => name.to_owned()).set(lag.seconds);
    Ok(())
}

fn report(name: &str, failure: &FollowError) {
    let chain = crate::failure::chain(failure);
    match failure {
        FollowError::Reader(ReaderError::LeaseLost) => info!(reader = name, "feed.lease_lost"),
        FollowError::Apply(ApplyError::Unreadable { event_id, .. }) => {
            error!(reader = name, event.id = %event_id, error = chain, "feed.unreadable_event");
        }
        FollowError::Reader(_) | FollowError::Apply(_) | FollowError::Database(_) => {
            warn!(reader = name, error = chain, "feed.failed");
        }
    }
}
