//! Drives a read model: batch, rows and checkpoint in one transaction, for ever.
//!
//! A stream whose next event this release cannot read is held back: it waits, everything else
//! flows. The follower looks at such streams again when it starts, and once a minute.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::PgConnectOptions;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::held_back::{self, HeldBack};
use crate::reader::{FeedReader, Opened, ReaderError, ReaderOptions, bound};
use crate::{ApplyError, Checkpoint, ReadModel, StoredEvent, StreamId};

/// Events that one transaction applies at most; half as many after each failure, down to one, for
/// it may have been too much at once.
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
/// How often the streams that are held back are looked at again.
const LOOK_AGAIN_INTERVAL: Duration = Duration::from_secs(60);
/// How many of them are listed at once.
const HELD_BACK_PAGE: i64 = 100;

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
    look_again_every: Duration,
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
            look_again_every: LOOK_AGAIN_INTERVAL,
        }
    }

    /// The same, looking again at what is held back after so long, where a minute is too long.
    #[must_use]
    pub fn looking_again_every(self, look_again_every: Duration) -> Self {
        Self {
            look_again_every,
            ..self
        }
    }

    /// Follows until `stop`; whatever fails is tried again at the checkpoint, with growing pauses.
    pub async fn run(self, stop: CancellationToken) {
        let mut pace = Pace::default();
        while !stop.is_cancelled() {
            match self.follow(&stop, &mut pace).await {
                Ok(wait) => pace.pause = wait.min(LONGEST_BACKOFF),
                Err(failure) => {
                    metrics::counter!(
                        "atlas_feed_failures_total", "reader" => self.options.name.clone()
                    )
                    .increment(1);
                    report(&self.options.name, &failure);
                    pace.slower();
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pace.pause) => {}
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
            Opened::Reader(reader) => {
                let mut place = Place::new(*reader);
                self.look_again(&mut place).await?;
                while self.step(&mut place, BATCH).await? > 0 {}
                Ok(place.reader.close().await?)
            }
        }
    }

    /// Reads for as long as the lease holds; returns how long to wait before asking for it again.
    async fn follow(
        &self,
        stop: &CancellationToken,
        pace: &mut Pace,
    ) -> Result<Duration, FollowError> {
        let mut place = match FeedReader::open(&self.connect, &self.options).await? {
            Opened::Reader(reader) => Place::new(*reader),
            Opened::Held { remaining, .. } => {
                return Ok(remaining.clamp(SHORTEST_PAUSE, STANDBY_PAUSE));
            }
        };
        info!(
            reader = %self.options.name,
            position = place.reader.checkpoint().position.get(),
            "feed.started"
        );
        self.look_again(&mut place).await?;
        let mut looked_again = Instant::now();
        let mut pause = SHORTEST_PAUSE;
        let mut gauged: Option<Instant> = None;
        while !stop.is_cancelled() {
            if self.step(&mut place, pace.batch).await? > 0 {
                pause = SHORTEST_PAUSE;
                pace.faster();
            } else {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            if place.holds_back && looked_again.elapsed() >= self.look_again_every {
                self.look_again(&mut place).await?;
                looked_again = Instant::now();
            }
            if gauged.is_none_or(|at| at.elapsed() >= GAUGE_INTERVAL) {
                set_gauges(&self.options.name, &mut place.reader).await?;
                gauged = Some(Instant::now());
            }
        }
        place.reader.close().await?;
        Ok(SHORTEST_PAUSE)
    }

    /// Takes one batch of the feed; returns its number of events.
    async fn step(&self, place: &mut Place, limit: i64) -> Result<usize, FollowError> {
        let batch = place.reader.next_batch(limit).await?;
        if batch.events.is_empty() {
            return Ok(0);
        }
        let started = Instant::now();
        let to = place.reader.checkpoint().after(&batch.events);
        let delivered = batch.events.len();
        let mut flowing = batch.events;
        if place.holds_back {
            let connection = place.reader.feed().connection();
            let held = held_back::among(connection, &self.options.name, &flowing).await?;
            flowing.retain(|event| !held.contains(&event.stream));
        }
        let commit = self.commit(&mut place.reader, flowing, to, None);
        let held = self.bounded(commit).await?;
        if !held.is_empty() {
            // Counted anew whenever it is looked at.
            metrics::gauge!("atlas_feed_held_back", "reader" => self.options.name.clone())
                .increment(u32::try_from(held.len()).unwrap_or(u32::MAX));
            place.holds_back = true;
        }
        metrics::histogram!(
            "atlas_feed_batch_seconds", "reader" => self.options.name.clone()
        )
        .record(started.elapsed());
        Ok(delivered)
    }

    /// Tries every stream that is held back once more, as far as the feed has delivered it.
    async fn look_again(&self, place: &mut Place) -> Result<(), FollowError> {
        let name = &self.options.name;
        let mut waiting = 0_u32;
        let mut last: Option<StreamId> = None;
        loop {
            let connection = place.reader.feed().connection();
            let page = held_back::page(connection, name, last.as_ref(), HELD_BACK_PAGE).await?;
            let Some(end) = page.last() else {
                break;
            };
            last = Some(end.stream.clone());
            for held in &page {
                let to = place.reader.checkpoint();
                let connection = place.reader.feed().connection();
                let events = held_back::delivered(connection, &held.stream, to.position).await?;
                let commit = self.commit(&mut place.reader, events, to, Some(&held.stream));
                let still = self.bounded(commit).await?;
                waiting += u32::from(!still.is_empty());
            }
        }
        place.holds_back = waiting > 0;
        metrics::gauge!("atlas_feed_held_back", "reader" => name.clone()).set(waiting);
        Ok(())
    }

    /// Bounds a transaction as the reader bounds its calls.
    async fn bounded<T>(
        &self,
        transaction: impl Future<Output = Result<T, FollowError>>,
    ) -> Result<T, FollowError> {
        tokio::time::timeout(bound(self.options.lease), transaction)
            .await
            .unwrap_or(Err(ReaderError::Silent.into()))
    }

    /// Applies events and moves the checkpoint in one transaction; returns the streams that had to
    /// be held back for it. `freed` is one that was, and flows again if nothing speaks against it.
    async fn commit(
        &self,
        reader: &mut FeedReader,
        mut events: Vec<StoredEvent>,
        to: Checkpoint,
        freed: Option<&StreamId>,
    ) -> Result<Vec<HeldBack>, FollowError> {
        let name = &self.options.name;
        let mut held: Vec<HeldBack> = Vec::new();
        loop {
            let started = Instant::now();
            let lease = reader.lease();
            let mut transaction = reader.feed().connection().begin().await?;
            if let Err(error) = self.model.apply(&mut transaction, &events).await {
                transaction.rollback().await?;
                let Some(waits) = waits_for(&error, &events) else {
                    return Err(error.into());
                };
                // What is looked at again was reported when it was held back.
                if freed.is_none() {
                    let error = crate::failure::chain(&error);
                    error!(reader = %name, stream = %waits.stream, error, "feed.held_back");
                }
                events.retain(|e| e.stream != waits.stream || e.version < waits.version);
                held.push(waits);
                continue;
            }
            let freed = freed.filter(|_| held.is_empty());
            if let Some(stream) = freed {
                held_back::release(&mut transaction, name, stream).await?;
            }
            held_back::hold(&mut transaction, name, &held).await?;
            lease
                .advance(&mut transaction, to)
                .await
                .map_err(ReaderError::from)?;
            transaction.commit().await?;
            reader.moved(to, started);
            if let Some(stream) = freed {
                info!(reader = %name, stream = %stream, "feed.released");
            }
            return Ok(held);
        }
    }
}

/// What a batch has to leave out after `error`; none where leaving out does not help.
fn waits_for(error: &ApplyError, events: &[StoredEvent]) -> Option<HeldBack> {
    match error {
        ApplyError::Unreadable { event_id, .. } => events
            .iter()
            .find(|event| event.event_id == *event_id)
            .map(HeldBack::at),
        ApplyError::Database(_) => None,
    }
}

/// How fast to go on: slower after each failure, faster after each success.
struct Pace {
    /// Before the next attempt.
    pause: Duration,
    /// Events that the next transaction applies at most.
    batch: i64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            pause: SHORTEST_PAUSE,
            batch: BATCH,
        }
    }
}

impl Pace {
    fn slower(&mut self) {
        self.pause = (self.pause * 2).min(LONGEST_BACKOFF);
        self.batch = (self.batch / 2).max(1);
    }

    fn faster(&mut self) {
        self.pause = SHORTEST_PAUSE;
        self.batch = (self.batch * 2).min(BATCH);
    }
}

/// A place at the feed, and whether any stream is held back there.
struct Place {
    reader: FeedReader,
    holds_back: bool,
}

impl Place {
    /// It is not known yet what is held back, so that it has to be looked at.
    const fn new(reader: FeedReader) -> Self {
        Self {
            reader,
            holds_back: true,
        }
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
    match failure {
        FollowError::Reader(ReaderError::LeaseLost) => info!(reader = name, "feed.lease_lost"),
        FollowError::Reader(_) | FollowError::Apply(_) | FollowError::Database(_) => {
            let error = crate::failure::chain(failure);
            warn!(reader = name, error, "feed.failed");
        }
    }
}
