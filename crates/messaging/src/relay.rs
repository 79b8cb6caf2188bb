//! The relay: what the feed delivers goes to Kafka, in order per key, at least once.
//!
//! One loop. A batch is sent in the order of positions and waited for as a whole, the lease renewed
//! beside the wait; the checkpoint moves after the acknowledgements. After whatever fails, the
//! producer is purged and let go, and a new one begins at the checkpoint: what the old one may
//! still send is a run of repeats without holes, because it is idempotent, leaves no gaps and
//! never lets a message expire.
//!
//! A stream whose next event this release cannot publish is held back: it waits, everything else
//! flows. Such streams are looked at again at every start, and once a minute.

mod flight;
mod place;
mod sender;
mod state;

use std::collections::BTreeSet;
use std::error::Error;
use std::time::{Duration, Instant};

use contracts::Outbound;
use event_store::{FeedReader, HeldBack, Opened, ReaderOptions, StoredEvent, StreamId};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

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
/// How often a message that Kafka refused is offered again.
const HALT_PAUSE: Duration = Duration::from_secs(60);
/// How often the streams that are held back are looked at again.
const LOOK_AGAIN_INTERVAL: Duration = Duration::from_secs(60);
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
    look_again_every: Duration,
}

/// A message, and the index of its event in the batch.
type Composed = (usize, Outbound);

/// What a batch becomes.
struct Composition {
    messages: Vec<Composed>,
    /// The first event of each stream that waits from it on.
    waiting: Vec<HeldBack>,
}

/// Whether the checkpoint moves over what was sent: not where it has passed already.
#[derive(Clone, Copy)]
enum Passing {
    Checkpoint,
    Nothing,
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
            RelayFailure::Refused(halt) => {
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
        self.look_again(place, &sender, stop).await?;
        let mut looked_again = Instant::now();
        while !stop.is_cancelled() {
            if place.holds_back() && looked_again.elapsed() >= self.look_again_every {
                self.look_again(place, &sender, stop).await?;
                looked_again = Instant::now();
            }
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
        let held = place.held_among(&events).await?;
        let composition = self.compose(&events, held);
        if !self
            .send(
                place,
                sender,
                stop,
                &events,
                composition,
                Passing::Checkpoint,
            )
            .await?
        {
            return Ok(true);
        }
        self.enter(RelayState::Relaying);
        metrics::gauge!("atlas_relay_stopped").set(0.0);
        *limit = (*limit * 2).min(BATCH);
        Ok(true)
    }

    /// Sends what events became, and passes over what was acknowledged; returns whether that was
    /// all of it, and not cut short.
    async fn send(
        &self,
        place: &mut Place,
        sender: &Sender,
        stop: &CancellationToken,
        events: &[StoredEvent],
        composition: Composition,
        passing: Passing,
    ) -> Result<bool, RelayFailure> {
        let started = Instant::now();
        let flight = Flight::start(sender, events.len(), composition.messages);
        let landing = self.land(place, sender, flight, stop).await?;
        let acknowledged = events.get(..landing.acknowledged()).unwrap_or_default();
        let waiting: Vec<HeldBack> = composition
            .waiting
            .into_iter()
            .filter(|held| acknowledged.iter().any(|e| e.event_id == held.event_id))
            .collect();
        for held in &waiting {
            warn!(
                stream = %held.stream,
                event.id = %held.event_id,
                event.type = held.event,
                "relay.held_back: this release cannot publish the event"
            );
        }
        let passed = match passing {
            Passing::Checkpoint => acknowledged,
            Passing::Nothing => &[],
        };
        place.pass(passed, &waiting).await?;
        state::measure(acknowledged, started);
        match landing {
            Landing::Whole { .. } => Ok(true),
            Landing::CutShort { .. } => Ok(false),
            Landing::Broken { failure, .. } => {
                let event = events.get(failure.event);
                Err(RelayFailure::of_delivery(failure, event, events.len() == 1))
            }
        }
    }

    /// Tries every stream that is held back once more, as far as the feed has delivered it.
    async fn look_again(
        &self,
        place: &mut Place,
        sender: &Sender,
        stop: &CancellationToken,
    ) -> Result<(), RelayFailure> {
        let mut waiting = 0_u32;
        let mut last: Option<StreamId> = None;
        loop {
            let page = place.held_back(last.as_ref()).await?;
            let Some(end) = page.last() else {
                break;
            };
            last = Some(end.stream.clone());
            for held in &page {
                waiting += u32::from(!self.try_again(place, sender, stop, held).await?);
                if stop.is_cancelled() {
                    return Ok(());
                }
            }
        }
        metrics::gauge!("atlas_feed_held_back", "reader" => NAME).set(waiting);
        Ok(())
    }

    /// Sends what a stream waits with, as far as it can be published now; returns whether it flows
    /// again.
    async fn try_again(
        &self,
        place: &mut Place,
        sender: &Sender,
        stop: &CancellationToken,
        held: &HeldBack,
    ) -> Result<bool, RelayFailure> {
        let events = place.waiting(held).await?;
        let composition = self.compose(&events, BTreeSet::new());
        let waits = composition.waiting.first();
        if waits.is_some_and(|waits| waits.event_id == held.event_id) {
            return Ok(false);
        }
        let whole = waits.is_none();
        let sent = self
            .send(place, sender, stop, &events, composition, Passing::Nothing)
            .await?;
        if whole && sent {
            place.release(&held.stream).await?;
            info!(stream = %held.stream, "relay.released");
        }
        Ok(whole && sent)
    }

    /// What the events become. A stream waits from the first event on that this release cannot
    /// publish, and so do those that are `held` back already.
    fn compose(&self, events: &[StoredEvent], mut held: BTreeSet<StreamId>) -> Composition {
        let mut messages = Vec::with_capacity(events.len());
        let mut waiting = Vec::new();
        for (index, event) in events.iter().enumerate() {
            if held.contains(&event.stream) {
                continue;
            }
            match (self.messages_of)(event) {
                Ok(of_event) => messages.extend(of_event.into_iter().map(|m| (index, m))),
                Err(error) => {
                    debug!(event.id = %event.event_id, error = chain(&error), "relay.unpublishable");
                    held.insert(event.stream.clone());
                    waiting.push(HeldBack::at(event));
                }
            }
        }
        Composition { messages, waiting }
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
