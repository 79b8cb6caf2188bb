//! The relay: what the feed delivers goes to Kafka, in order per key, at least once.
//!
//! One loop. A batch is sent in the order of positions and waited for as a whole, the lease renewed
//! beside the wait; the checkpoint moves after the acknowledgements. After whatever fails, the
//! producer is purged and let go, and a new one begins at the checkpoint: what the old one may
//! still send is a run of repeats without holes, because it is idempotent, leaves no gaps and
//! never lets a message expire.

mod flight;
mod place;
mod sender;
mod state;

use std::error::Error;
use std::time::{Duration, Instant};

use contracts::Outbound;
use event_store::{FeedReader, Opened, ReaderOptions, StoredEvent};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::Kafka;
use crate::backoff::Backoff;
use crate::failure::chain;
use flight::{Flight, Landing};
use place::Place;
use sender::Sender;
use state::RelayFailure;
pub use state::{Halt, RelayState};

/// The name of its checkpoint.
const NAME: &str = "relay";
/// Events that one batch takes at most.
const BATCH: i64 = 500;
/// The shortest and longest pause between two looks at a feed that has nothing new.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// The pauses after a failure.
const SHORTEST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// How often a lease is asked for that another owner holds: a released one is taken within this.
const STANDBY_PAUSE: Duration = Duration::from_millis(250);
/// How often it is looked again whether an event that could not be sent can be now.
const HALT_PAUSE: Duration = Duration::from_secs(60);
/// After how long without an acknowledgement Kafka counts as silent.
const LONGEST_SILENCE: Duration = Duration::from_secs(2);
/// How long a batch may still take once the relay was told to stop, and everything altogether.
const LAST_WAIT: Duration = Duration::from_millis(300);
const LONGEST_END: Duration = Duration::from_millis(900);

/// Where a relay reads and writes.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// How to open the connection that the feed owns.
    pub connect: PgConnectOptions,
    /// Where the messages go.
    pub kafka: Kafka,
    /// Who relays: shown to operators while the lease is held.
    pub owner: String,
    /// How long the lease outlives a dead owner.
    pub lease: Duration,
}

/// Sends what the feed delivers to Kafka.
pub struct Relay<M> {
    options: RelayOptions,
    messages_of: M,
    state: watch::Sender<RelayState>,
}

/// A message, and the index of its event in the batch.
type Composed = (usize, Outbound);

/// What a batch becomes.
struct Composition {
    /// How many of its events, from the first on, the messages tell.
    events: usize,
    messages: Vec<Composed>,
    /// The next event, if it cannot be published.
    unpublishable: Option<Halt>,
}

/// How a run at the feed ended without a failure.
enum End {
    Told,
    Held { owner: String, remaining: Duration },
}

impl<M, E> Relay<M>
where
    M: Fn(&StoredEvent) -> Result<Vec<Outbound>, E> + Send + Sync,
    E: Error + Send + Sync + 'static,
{
    /// A relay that has not started. `messages_of` says what an event becomes on Kafka, the same
    /// at every call; several messages are sent in the order given.
    #[must_use]
    pub fn new(options: RelayOptions, messages_of: M) -> Self {
        Self {
            options,
            messages_of,
            state: watch::Sender::new(RelayState::Starting),
        }
    }

    /// What it is at, for health and tests.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<RelayState> {
        self.state.subscribe()
    }

    /// Relays until `stop`; whatever fails is tried again at the checkpoint, with growing pauses.
    ///
    /// Ends within a second of `stop`, whether Kafka and the database answer or not, and gives the
    /// lease back if it can.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::new(SHORTEST_BACKOFF, LONGEST_BACKOFF);
        let mut limit = BATCH;
        while !stop.is_cancelled() {
            let outcome = tokio::select! {
                outcome = self.relay(&stop, &mut limit, &mut backoff) => outcome,
                // The database does not answer: the lease runs out by itself.
                () = told_for(&stop, LONGEST_END) => return,
            };
            let pause = match outcome {
                Ok(End::Told) => return,
                Ok(End::Held { owner, remaining }) => {
                    self.enter(RelayState::Standby { owner });
                    remaining.clamp(SHORTEST_PAUSE, STANDBY_PAUSE)
                }
                Err(failure) => self.failed(failure, &mut limit, &mut backoff),
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Notes a failure, and says how long to wait after it.
    fn failed(&self, failure: RelayFailure, limit: &mut i64, backoff: &mut Backoff) -> Duration {
        metrics::counter!("atlas_relay_failures_total").increment(1);
        match failure {
            RelayFailure::Refused(halt) | RelayFailure::Unpublishable(halt) => {
                error!(
                    event.id = %halt.event_id,
                    event.type = halt.event,
                    position = halt.position.get(),
                    size.bytes = halt.size,
                    reason = halt.reason,
                    "relay.stopped: nothing later is sent before this event is"
                );
                metrics::gauge!("atlas_relay_stopped").set(1.0);
                self.enter(RelayState::Stopped(halt));
                HALT_PAUSE
            }
            RelayFailure::TooMuchAtOnce(source) => {
                // Which of them it was, the same one by one will show.
                info!(error = %source, "relay.refused_batch");
                *limit = 1;
                SHORTEST_PAUSE
            }
            failure @ (RelayFailure::Reader(_)
            | RelayFailure::Producer(_)
            | RelayFailure::Delivery(_)) => {
                warn!(error = chain(&failure), "relay.failed");
                self.enter(RelayState::Failing);
                backoff.pause()
            }
        }
    }

    /// Takes the place at the feed, if it is free, and gives it back at the end.
    async fn relay(
        &self,
        stop: &CancellationToken,
        limit: &mut i64,
        backoff: &mut Backoff,
    ) -> Result<End, RelayFailure> {
        let lease = self.options.lease;
        let options = ReaderOptions {
            name: NAME.to_owned(),
            owner: self.options.owner.clone(),
            lease,
        };
        let asked_at = Instant::now();
        let opened = FeedReader::open(&self.options.connect, &options).await?;
        let reader = match opened {
            Opened::Reader(reader) => *reader,
            Opened::Held { owner, remaining } => return Ok(End::Held { owner, remaining }),
        };
        info!(
            position = reader.checkpoint().position.get(),
            "relay.started"
        );
        let mut place = Place::new(reader, lease, asked_at);
        match self.follow(&mut place, stop, limit, backoff).await {
            // The connection is of no use any more; the lease runs out.
            Err(failure @ RelayFailure::Reader(_)) => Err(failure),
            outcome => {
                let closed = place.close().await;
                outcome?;
                closed?;
                Ok(End::Told)
            }
        }
    }

    /// Reads and sends until told to stop, or until something fails. The producer ends with it:
    /// nothing goes out after the lease is given back but what is on its way already.
    async fn follow(
        &self,
        place: &mut Place,
        stop: &CancellationToken,
        limit: &mut i64,
        backoff: &mut Backoff,
    ) -> Result<(), RelayFailure> {
        let sender = Sender::new(&self.options.kafka)?;
        if !matches!(*self.state.borrow(), RelayState::Stopped(_)) {
            self.enter(RelayState::Relaying);
        }
        let mut pause = SHORTEST_PAUSE;
        while !stop.is_cancelled() {
            if self.step(place, &sender, stop, limit).await? {
                pause = SHORTEST_PAUSE;
                backoff.reset();
            } else {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            place.set_gauges().await?;
        }
        Ok(())
    }

    /// One batch; returns whether there was one.
    async fn step(
        &self,
        place: &mut Place,
        sender: &Sender,
        stop: &CancellationToken,
        limit: &mut i64,
    ) -> Result<bool, RelayFailure> {
        let events = place.next_batch(*limit).await?;
        if events.is_empty() {
            return Ok(false);
        }
        let composition = self.compose(&events);

        let started = Instant::now();
        let flight = Flight::start(sender, composition.events, composition.messages);
        let landing = self.land(place, sender, flight, stop).await?;
        let acknowledged = events.get(..landing.acknowledged()).unwrap_or_default();
        place.pass(acknowledged).await?;
        state::measure(acknowledged, started);

        match landing {
            Landing::Whole { .. } => {}
            Landing::CutShort { .. } => return Ok(true),
            Landing::Broken { failure, .. } => {
                let event = events.get(failure.event);
                return Err(RelayFailure::of_delivery(failure, event, events.len() == 1));
            }
        }
        if let Some(halt) = composition.unpublishable {
            return Err(RelayFailure::Unpublishable(halt));
        }
        self.enter(RelayState::Relaying);
        metrics::gauge!("atlas_relay_stopped").set(0.0);
        *limit = (*limit * 2).min(BATCH);
        Ok(true)
    }

    /// What the events become, up to the first that this release cannot publish.
    fn compose(&self, events: &[StoredEvent]) -> Composition {
        let mut messages = Vec::with_capacity(events.len());
        for (index, event) in events.iter().enumerate() {
            match (self.messages_of)(event) {
                Ok(of_event) => messages.extend(of_event.into_iter().map(|m| (index, m))),
                Err(error) => {
                    let halt = Halt::of(event, None, chain(&error));
                    return Composition {
                        events: index,
                        messages,
                        unpublishable: Some(halt),
                    };
                }
            }
        }
        Composition {
            events: events.len(),
            messages,
            unpublishable: None,
        }
    }

    /// Waits for a batch's acknowledgements, renewing the lease beside the wait.
    async fn land(
        &self,
        place: &mut Place,
        sender: &Sender,
        mut flight: Flight,
        stop: &CancellationToken,
    ) -> Result<Landing, RelayFailure> {
        let started = Instant::now();
        let mut waiting = false;
        let mut look = tokio::time::interval((place.lease() / 4).min(LONGEST_SILENCE));
        look.tick().await;
        let cut_short = told_for(stop, LAST_WAIT);
        tokio::pin!(cut_short);
        let landing = loop {
            tokio::select! {
                landing = flight.land(sender) => break landing,
                () = &mut cut_short => break flight.cut_short(),
                _ = look.tick() => {
                    place.renew().await?;
                    place.set_gauges().await?;
                    if !waiting {
                        waiting = true;
                        warn!("relay.waiting: kafka does not acknowledge");
                        self.enter(RelayState::Waiting);
                    }
                }
            }
        };
        if waiting && matches!(landing, Landing::Whole { .. }) {
            let waited = started.elapsed();
            info!(waited.seconds = waited.as_secs_f64(), "relay.resumed");
        }
        Ok(landing)
    }

    fn enter(&self, state: RelayState) {
        self.state.send_if_modified(|now| {
            let changed = *now != state;
            *now = state;
            changed
        });
    }
}

/// Comes when `stop` was given so long ago.
async fn told_for(stop: &CancellationToken, time: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(time).await;
}
