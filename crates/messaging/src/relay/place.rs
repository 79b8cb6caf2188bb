//! A place at the feed, whose lease is renewed in time.

use std::time::{Duration, Instant};

use event_store::{FeedReader, StoredEvent};

use super::state::RelayFailure;

/// How often the gauges are set.
const GAUGE_INTERVAL: Duration = Duration::from_secs(1);

/// A place at the feed.
pub(super) struct Place {
    reader: FeedReader,
    lease: Duration,
    renewed_at: Instant,
    gauged_at: Option<Instant>,
}

impl Place {
    /// The place that was asked for at `asked_at`.
    pub(super) const fn new(reader: FeedReader, lease: Duration, asked_at: Instant) -> Self {
        Self {
            reader,
            lease,
            renewed_at: asked_at,
            gauged_at: None,
        }
    }

    /// How long the lease lasts after each renewal.
    pub(super) const fn lease(&self) -> Duration {
        self.lease
    }

    /// The next events. Half of the lease is left at least when they are returned.
    pub(super) async fn next_batch(
        &mut self,
        limit: i64,
    ) -> Result<Vec<StoredEvent>, RelayFailure> {
        let batch = self.reader.next_batch(limit).await?;
        if self.renewed_at.elapsed() * 2 > self.lease {
            self.renew().await?;
        }
        Ok(batch.events)
    }

    /// Makes the lease good for its whole length again.
    pub(super) async fn renew(&mut self) -> Result<(), RelayFailure> {
        let now = Instant::now();
        self.reader.renew().await?;
        self.renewed_at = now;
        Ok(())
    }

    /// Moves the checkpoint over events that are acknowledged.
    pub(super) async fn pass(&mut self, events: &[StoredEvent]) -> Result<(), RelayFailure> {
        if events.is_empty() {
            return Ok(());
        }
        let now = Instant::now();
        self.reader.pass(events).await?;
        self.renewed_at = now;
        Ok(())
    }

    /// Tells how much lies before the checkpoint, once a second.
    pub(super) async fn set_gauges(&mut self) -> Result<(), RelayFailure> {
        if self
            .gauged_at
            .is_some_and(|at| at.elapsed() < GAUGE_INTERVAL)
        {
            return Ok(());
        }
        let lag = self.reader.lag().await?;
        self.gauged_at = Some(Instant::now());
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!("atlas_relay_backlog_events").set(lag.events as f64);
        metrics::gauge!("atlas_relay_backlog_seconds").set(lag.seconds);
        Ok(())
    }

    /// Gives the place back at once.
    pub(super) async fn close(self) -> Result<(), RelayFailure> {
        Ok(self.reader.close().await?)
    }
}
