//! One batch: to the sink, what it cannot take is parked, and the checkpoint moves over the rest.

use std::pin::pin;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use kernel::{Clock as _, SystemClock};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::leader::{CommitError, Leader};
use super::pace::Pace;
use super::{Condition, Reader, ReaderError, Standing, Step, reason, told_for};
use crate::feed::BatchBound;
use crate::instruments::{FEED_BATCH_SECONDS, FEED_LATENCY_SECONDS};
use crate::parked::{self, Parked};
use crate::{Checkpoint, Sent, Sink, SinkError, StoredEvent, StreamId};

/// How long a batch may still take once the reader was told to stop.
const LAST_WAIT: Duration = Duration::from_millis(300);
/// After how long a sink that has not answered counts as waiting.
const LONGEST_SILENCE: Duration = Duration::from_secs(2);
/// How many parked streams are listed at once.
const PARKED_PAGE: i64 = 100;

/// What became of a batch.
struct Taken {
    /// The streams that were parked for it.
    parked: Vec<Parked>,
    /// Why the rest was not taken.
    error: Option<SinkError>,
    /// The number of events that were tried last.
    tried: usize,
}

impl Reader {
    /// Lets the sink make itself ready, renewing the lease beside it.
    pub(super) async fn begin(
        &self,
        leader: &mut Leader,
        sink: &mut dyn Sink,
    ) -> Result<(), ReaderError> {
        let mut ready = pin!(sink.begin());
        loop {
            tokio::select! {
                outcome = &mut ready => return Ok(outcome?),
                () = tokio::time::sleep(self.options.lease / 4) => leader.renew().await?,
            }
        }
    }

    /// Takes one batch of the feed.
    pub(super) async fn step(
        &self,
        leader: &mut Leader,
        sink: &mut dyn Sink,
        pace: &mut Pace,
        parks: &mut bool,
        stop: &CancellationToken,
    ) -> Result<Step, ReaderError> {
        if pace.gathers(sink.gathers()) && !*parks {
            return self.gather(leader, sink, pace, stop).await;
        }
        leader.write_alone().await?;
        let batch = leader.next_batch(&self.selection(), pace.bound()).await?;
        if batch.events.is_empty() {
            let reached = self.options.to.is_some_and(|to| batch.watermark >= to);
            return Ok(Step::Nothing { reached });
        }
        let started = Instant::now();
        let passes = batch.events.len();
        pace.saw(&batch.events);
        let marks = Marks::of(&batch.events, leader.checkpoint());
        let commits: Vec<_> = batch.events.iter().map(|event| event.recorded_at).collect();
        let flowing = if *parks {
            leader.flowing(batch.events).await?
        } else {
            batch.events
        };
        let taken = self.take(leader, sink, flowing, &marks, stop).await?;
        *parks |= !taken.parked.is_empty();
        FEED_BATCH_SECONDS
            .of([&self.options.name])
            .record(started.elapsed());
        match taken.error {
            None => {
                self.measure_latency(&commits);
                Ok(Step::Took(passes))
            }
            Some(error) if error.is_refusal() => {
                info!(reader = %self.options.name, reason = reason(&error), "reader.halves_batch");
                Ok(Step::Refused(taken.tried))
            }
            Some(error) => Err(error.into()),
        }
    }

    /// Notes how long ago events were committed that are taken now.
    fn measure_latency(&self, commits: &[DateTime<Utc>]) {
        let latency = FEED_LATENCY_SECONDS.of([&self.options.name]);
        let now = SystemClock.now();
        for commit in commits {
            // The two clocks may differ: their offset is a gauge of its own.
            latency.record((now - commit).to_std().unwrap_or_default());
        }
    }

    /// Brings events to the sink until it has taken them, parking what it cannot take.
    async fn take(
        &self,
        leader: &mut Leader,
        sink: &mut dyn Sink,
        mut events: Vec<StoredEvent>,
        marks: &Marks,
        stop: &CancellationToken,
    ) -> Result<Taken, ReaderError> {
        let mut parked: Vec<Parked> = Vec::new();
        loop {
            let tried = events.len();
            let sent = self.send(leader, sink, &events, stop).await?;
            let mut error = sent.error;
            if let Some(waits) = error.as_ref().and_then(|error| parks(error, &events)) {
                self.park(waits, &mut events, &mut parked);
                continue;
            }
            let to = match events.get(sent.done) {
                Some(undone) => marks.before(undone),
                None => marks.end(),
            };
            events.truncate(sent.done);
            let committed = leader
                .commit(async |transaction, name| {
                    if !events.is_empty() {
                        sink.apply(transaction, &events).await?;
                        sink.flush(transaction).await?;
                    }
                    parked::park(transaction, name, &passed(&parked, to)).await?;
                    Ok(to)
                })
                .await;
            match committed {
                Ok(()) => {}
                Err(CommitError::Reader(error)) => return Err(error),
                Err(CommitError::Refused(refusal)) => {
                    sink.abandon();
                    if let Some(waits) = parks(&refusal, &events) {
                        self.park(waits, &mut events, &mut parked);
                        continue;
                    }
                    error = Some(refusal);
                }
            }
            return Ok(Taken {
                parked,
                error,
                tried,
            });
        }
    }

    fn park(&self, waits: Parked, events: &mut Vec<StoredEvent>, parked: &mut Vec<Parked>) {
        error!(
            reader = %self.options.name,
            stream = %waits.stream,
            event.id = %waits.event_id,
            event.type = waits.event,
            position = waits.position.get(),
            reason = waits.reason,
            "reader.parked: the stream waits from this event on"
        );
        events.retain(|e| e.stream != waits.stream || e.version < waits.version);
        parked.push(waits);
    }

    /// Lets the sink send, renewing the lease beside the wait.
    async fn send(
        &self,
        leader: &mut Leader,
        sink: &mut dyn Sink,
        events: &[StoredEvent],
        stop: &CancellationToken,
    ) -> Result<Sent, ReaderError> {
        if events.is_empty() {
            return Ok(Sent::all(events));
        }
        let reason = format!("{} does not answer", sink.waits_for());
        let hurry = CancellationToken::new();
        let mut sending = pin!(sink.send(events, &hurry));
        let mut told = pin!(told_for(stop, LAST_WAIT));
        let silence = (self.options.lease / 4).min(LONGEST_SILENCE);
        loop {
            tokio::select! {
                sent = &mut sending => return Ok(sent),
                () = &mut told, if !hurry.is_cancelled() => hurry.cancel(),
                () = tokio::time::sleep(silence) => {
                    let waiting = Condition::Waiting { reason: reason.clone() };
                    self.enter(Standing::Leading(waiting.clone()));
                    leader.note(waiting);
                    leader.renew().await?;
                }
            }
        }
    }

    /// Tries every parked stream once more, as far as the feed has delivered it; whether any still
    /// is.
    pub(super) async fn look_again(
        &self,
        leader: &mut Leader,
        sink: &mut dyn Sink,
        stop: &CancellationToken,
    ) -> Result<bool, ReaderError> {
        let mut parks = false;
        let mut last: Option<StreamId> = None;
        loop {
            let page = leader.parked(last.as_ref(), PARKED_PAGE).await?;
            let Some(end) = page.last() else {
                return Ok(parks);
            };
            last = Some(end.stream.clone());
            for parked in page {
                if stop.is_cancelled() {
                    return Ok(true);
                }
                parks |= !self.try_again(leader, sink, parked, stop).await?;
                leader.renew().await?;
            }
        }
    }

    /// Brings the sink what a stream waits with, page by page; whether it flows again.
    async fn try_again(
        &self,
        leader: &mut Leader,
        sink: &mut dyn Sink,
        mut parked: Parked,
        stop: &CancellationToken,
    ) -> Result<bool, ReaderError> {
        let mut bound = self.options.batch;
        loop {
            let events = leader.waiting(&parked, bound).await?;
            if events.is_empty() {
                let stream = parked.stream.clone();
                let to = leader.checkpoint();
                let released = leader
                    .commit(async |transaction, name| {
                        parked::release(transaction, name, &stream).await?;
                        Ok::<_, sqlx::Error>(to)
                    })
                    .await;
                return match released {
                    Ok(()) => {
                        info!(reader = %self.options.name, stream = %stream, "reader.released");
                        Ok(true)
                    }
                    Err(CommitError::Reader(error)) => Err(error),
                    Err(CommitError::Refused(error)) => Err(error.into()),
                };
            }
            match self
                .take_waiting(leader, sink, &parked, events, stop)
                .await?
            {
                Waited::Moved(next) => parked = next,
                Waited::Refused(tried) if tried > 1 => {
                    bound = BatchBound {
                        events: i64::try_from(tried / 2).unwrap_or(1),
                        ..bound
                    };
                }
                Waited::Refused(_) | Waited::Still => return Ok(false),
            }
        }
    }

    /// Brings the sink a page of what a stream waits with.
    async fn take_waiting(
        &self,
        leader: &mut Leader,
        sink: &mut dyn Sink,
        parked: &Parked,
        mut events: Vec<StoredEvent>,
        stop: &CancellationToken,
    ) -> Result<Waited, ReaderError> {
        let tried = events.len();
        let mut waits: Option<Parked> = None;
        loop {
            let sent = self.send(leader, sink, &events, stop).await?;
            if let Some(error) = sent.error {
                match parks(&error, &events) {
                    Some(found) => {
                        events.retain(|event| event.version < found.version);
                        waits = Some(found);
                        if events.is_empty() {
                            return Ok(Waited::Still);
                        }
                        continue;
                    }
                    None if error.is_refusal() => return Ok(Waited::Refused(tried)),
                    None => return Err(error.into()),
                }
            }
            // Told to hurry, it may have sent a part: what waits begins after that, not later.
            let cut_short = sent.done < events.len();
            events.truncate(sent.done);
            let Some(last) = events.last() else {
                return Ok(Waited::Still);
            };
            let next = match &waits {
                Some(waits) if !cut_short => waits.clone(),
                Some(_) | None => Parked {
                    version: last.version.next(),
                    ..parked.clone()
                },
            };
            let to = leader.checkpoint();
            let committed = leader
                .commit(async |transaction, name| {
                    sink.apply(transaction, &events).await?;
                    sink.flush(transaction).await?;
                    parked::park(transaction, name, std::slice::from_ref(&next)).await?;
                    Ok(to)
                })
                .await;
            match committed {
                Ok(()) if cut_short || waits.is_some() => return Ok(Waited::Still),
                Ok(()) => return Ok(Waited::Moved(next)),
                Err(CommitError::Reader(error)) => return Err(error),
                Err(CommitError::Refused(refusal)) => {
                    sink.abandon();
                    match parks(&refusal, &events) {
                        Some(found) => {
                            events.retain(|event| event.version < found.version);
                            waits = Some(found);
                            if events.is_empty() {
                                return Ok(Waited::Still);
                            }
                        }
                        None if refusal.is_refusal() => return Ok(Waited::Refused(events.len())),
                        None => return Err(refusal.into()),
                    }
                }
            }
        }
    }
}

/// What became of a page that a stream waits with.
enum Waited {
    /// It was taken; the stream goes on here.
    Moved(Parked),
    /// One of so many events is refused.
    Refused(usize),
    /// Its next event still cannot be taken.
    Still,
}

/// Which stream has to be parked after `error`; none where parking does not help.
fn parks(error: &SinkError, events: &[StoredEvent]) -> Option<Parked> {
    if let SinkError::Unreadable { event_id, .. } = error {
        let event = events.iter().find(|event| event.event_id == *event_id)?;
        return Some(Parked::at(event, reason(error)));
    }
    match events {
        [alone] if error.is_refusal() => Some(Parked::at(alone, reason(error))),
        _ => None,
    }
}

/// The streams whose event lies before the checkpoint.
fn passed(parked: &[Parked], to: Checkpoint) -> Vec<Parked> {
    let passed = parked
        .iter()
        .filter(|parked| parked.position <= to.position);
    passed.cloned().collect()
}

/// The checkpoint after each event of a batch.
struct Marks {
    start: Checkpoint,
    after: Vec<Checkpoint>,
}

impl Marks {
    fn of(events: &[StoredEvent], start: Checkpoint) -> Self {
        let after = events.iter().scan(start, |checkpoint, event| {
            *checkpoint = checkpoint.after(std::slice::from_ref(event));
            Some(*checkpoint)
        });
        Self {
            start,
            after: after.collect(),
        }
    }

    /// After everything that lies before `event`.
    fn before(&self, event: &StoredEvent) -> Checkpoint {
        let index = self.after.partition_point(|c| c.position < event.position);
        let before = index.checked_sub(1).and_then(|last| self.after.get(last));
        before.copied().unwrap_or(self.start)
    }

    fn end(&self) -> Checkpoint {
        self.after.last().copied().unwrap_or(self.start)
    }
}
