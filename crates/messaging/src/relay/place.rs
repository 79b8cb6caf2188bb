//! A place at the feed, whose lease is renewed in time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use event_store::{FeedReader, HeldBack, StoredEvent, StreamId};

use super::state::RelayFailure;

/// How often the gauges are set.
const GAUGE_INTERVAL: Duration = Duration::from_secs(1);

/// How many streams that are held back are listed at once.
const HELD_BACK_PAGE: i64 = 100;

/// A place at the feed.
pub(super) struct Place {
    reader: FeedReader,
    lease: Duration,
    renewed_at: Instant,
    gauged_at: Option<Instant>,
    /// Whether any stream is held back, as far as is known.
    holds_back: bool,
}

impl Place {
    /// The place that was asked for at `asked_at`.
    pub(super) const fn new(reader: FeedReader, lease: Duration, asked_at: Instant) -> Self {
        Self {
            reader,
            lease,
            renewed_at: asked_at,
            gauged_at: None,
            // It is not known yet, so that it has to be looked at.
            holds_back: true,
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

    /// Moves the checkpoint over events that are acknowledged, or wait: then their streams are held
    /// back.
    pub(super) async fn pass(
        &mut self,
        events: &[StoredEvent],
        waiting: &[HeldBack],
    ) -> Result<(), RelayFailure> {
        if events.is_empty() && waiting.is_empty() {
            return Ok(());
        }
        let now = Instant::now();
        self.reader.pass_holding(events, waiting).await?;
        self.holds_back |= !waiting.is_empty();
        self.renewed_at = now;
        Ok(())
    }

    /// Those of the streams of `events` that are held back.
    pub(super) async fn held_among(
        &mut self,
        events: &[StoredEvent],
    ) -> Result<BTreeSet<StreamId>, RelayFailure> {
        if !self.holds_back {
            return Ok(BTreeSet::new());
        }
        Ok(self.reader.held_among(events).await?)
    }

    /// Whether any stream may be held back.
    pub(super) const fn holds_back(&self) -> bool {
        self.holds_back
    }

    /// A page of the streams that are held back; an empty first one says that none is.
    pub(super) async fn held_back(
        &mut self,
        after: Option<&StreamId>,
    ) -> Result<Vec<HeldBack>, RelayFailure> {
        let page = self.reader.held_back(after, HELD_BACK_PAGE).await?;
        self.holds_back = after.is_some() || !page.is_empty();
        Ok(page)
    }

    /// What a stream that is held back waits with.
    pub(super) async fn waiting(
        &mut self,
        held: &HeldBack,
    ) -> Result<Vec<StoredEvent>, RelayFailure> {
        Ok(self.reader.waiting(held).await?)
    }

    /// Lets a stream flow again.
    pub(super) async fn release(&mut self, stream: &StreamId) -> Result<(), RelayFailure> {
        let now = Instant::now();
        self.reader.release(stream).await?;
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
