//! The reader loop: one for whatever follows the feed.
//!
//! Under a lease it brings the events to a [`Sink`], batch by batch, and moves the checkpoint with
//! what the sink writes. A standby waits for the lease. A stream of which the sink cannot take an
//! event is parked, and looked at again at every start and once a minute; everything else flows.
//! Whatever fails is tried again at the checkpoint; what cannot go on halts, and its row says so.

mod gather;
mod leader;
mod lease;
mod options;
mod pace;
mod state;
mod take;

use std::error::Error;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::failure::chain;
use crate::instruments::{
    FEED_FAILURES, FEED_HALTED, FEED_LAG_EVENTS, FEED_LAG_SECONDS, FEED_PARKED,
};
use crate::{Sink, SinkError, Wakeup};
pub(crate) use leader::VERIFICATION;
use leader::{Leader, Verdict};
pub use lease::begin_anew;
pub use options::ReaderOptions;
use pace::Pace;
pub use state::{Condition, PARKED_COUNTED_TO, ReaderStatus, reader_page, reader_statuses};

/// The reader that sends stored events again. It begins anew each time, and may be of one stream.
pub(crate) const REPLAY: &str = "replay";
/// How often the row and the gauges are written.
const BEAT: Duration = Duration::from_secs(1);
/// How often what cannot go on is tried again.
const HALT_PAUSE: Duration = Duration::from_secs(10);
/// How long the loop may take to end once it was told to stop.
const LONGEST_END: Duration = Duration::from_millis(900);
/// How long a reader that was woken lets more events gather.
const LINGER: Duration = Duration::from_millis(4);

/// What a reader of this process is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has not reached the store yet.
    Starting,
    /// Another owner leads; this one waits for the lease.
    Standby {
        /// Who leads.
        owner: String,
    },
    /// It leads, and this is how it is.
    Leading(Condition),
}

/// How a reader ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// It has come to the end of what it was to read.
    Reached,
}

/// Why a reader had to begin again at its checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// Somebody else has taken over.
    #[error("the lease was lost to another owner")]
    LeaseLost,
    /// The store is another one than the checkpoint was made in.
    #[error(
        "checkpoint {name} of generation {from} does not hold in generation {to}: \
         run `projector store adopt`"
    )]
    ForeignCheckpoint {
        /// The checkpoint.
        name: String,
        /// The generation that it was moved in.
        from: i64,
        /// The generation that the server is in.
        to: i64,
    },
    /// The database did not answer for as long as a lease lasts.
    #[error("the database does not answer")]
    Silent,
    /// The database failed.
    #[error("the feed could not be read")]
    Database(#[from] sqlx::Error),
    /// The sink did not take the batch.
    #[error("the batch was not taken")]
    Sink(#[from] SinkError),
}

/// Brings the events of the store to a sink.
#[derive(Debug)]
pub struct Reader {
    connect: PgConnectOptions,
    options: ReaderOptions,
    standing: watch::Sender<Standing>,
}

impl Reader {
    /// A reader that has not started. `connect` opens the connection that it owns: its search path
    /// says which version of a read model is meant.
    #[must_use]
    pub fn new(connect: PgConnectOptions, options: ReaderOptions) -> Self {
        Self {
            connect,
            options,
            standing: watch::Sender::new(Standing::Starting),
        }
    }

    /// What it is at, for health and tests.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Reads until `stop`, or to the end; whatever fails is tried again at the checkpoint, with
    /// growing pauses.
    ///
    /// Ends within a second of `stop`, whether the database and the sink answer or not, and gives
    /// the lease back if it can.
    pub async fn drive(&self, sink: &mut dyn Sink, stop: &CancellationToken) -> Ended {
        // The first failure is an increase.
        FEED_FAILURES.of([&self.options.name]).increment(0);
        let mut pace = Pace::new(self.options.batch, self.options.max_rate);
        let mut verdict = None;
        loop {
            let outcome = tokio::select! {
                outcome = self.lead(sink, stop, &mut pace, &mut verdict) => outcome,
                // The database does not answer: the lease runs out by itself.
                () = told_for(stop, LONGEST_END) => Ok(Some(Ended::Stopped)),
            };
            sink.abandon();
            let failure = match outcome {
                Ok(Some(ended)) => return ended,
                Ok(None) => continue,
                Err(failure) => failure,
            };
            let pause = self.failed(&failure, &mut pace);
            tokio::select! {
                () = stop.cancelled() => return Ended::Stopped,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Takes everything that is there now, once; for tools and tests that drive by hand.
    ///
    /// # Errors
    /// See [`ReaderError`]. A lease that another holds is [`ReaderError::LeaseLost`].
    pub async fn catch_up(&self, sink: &mut dyn Sink) -> Result<(), ReaderError> {
        let standby = CancellationToken::new();
        let held = |_| standby.cancel();
        let elected =
            Leader::elect(&self.connect, &self.options, &mut None, &standby, held).await?;
        let Some(mut leader) = elected else {
            return Err(ReaderError::LeaseLost);
        };
        let stop = CancellationToken::new();
        let mut pace = Pace::new(self.options.batch, self.options.max_rate);
        sink.begin().await?;
        let mut parks = self.look_again(&mut leader, sink, &stop).await?;
        loop {
            match self
                .step(&mut leader, sink, &mut pace, &mut parks, &stop)
                .await
            {
                Ok(Step::Took(events)) => drop(pace.took(events)),
                Ok(Step::Nothing { .. }) => return leader.resign(&Condition::Idle).await,
                Ok(Step::Refused(tried)) => pace.halve(tried),
                Err(failure) => {
                    sink.abandon();
                    return Err(failure);
                }
            }
        }
    }

    /// Waits for the lease, and reads for as long as it holds; none once it is handed over.
    async fn lead(
        &self,
        sink: &mut dyn Sink,
        stop: &CancellationToken,
        pace: &mut Pace,
        verdict: &mut Option<Verdict>,
    ) -> Result<Option<Ended>, ReaderError> {
        let standby = |owner| {
            self.enter(Standing::Standby { owner });
            self.options.wait();
        };
        let elected = Leader::elect(&self.connect, &self.options, verdict, stop, standby);
        let Some(mut leader) = elected.await? else {
            return Ok(Some(Ended::Stopped));
        };
        info!(
            reader = %self.options.name,
            position = leader.checkpoint().position.get(),
            "reader.started"
        );
        let outcome = self.follow(&mut leader, sink, stop, pace).await;
        sink.abandon();
        match outcome {
            // The connection is of no use any more; the lease runs out, or is ours again at once.
            Err(
                failure @ (ReaderError::LeaseLost
                | ReaderError::Silent
                | ReaderError::Database(_)
                | ReaderError::ForeignCheckpoint { .. }),
            ) => Err(failure),
            Ok(Left::Ended(ended)) => {
                leader.resign(&Condition::Idle).await?;
                Ok(Some(ended))
            }
            Ok(Left::For(next)) => {
                leader.hand_over(&next).await?;
                Ok(None)
            }
            Err(failure @ ReaderError::Sink(_)) => {
                leader.resign(&condition_of(&failure)).await?;
                Err(failure)
            }
        }
    }

    async fn follow(
        &self,
        leader: &mut Leader,
        sink: &mut dyn Sink,
        stop: &CancellationToken,
        pace: &mut Pace,
    ) -> Result<Left, ReaderError> {
        self.begin(leader, sink).await?;
        self.enter(Standing::Leading(Condition::Running));
        let mut parks = self.look_again(leader, sink, stop).await?;
        let mut looked_again = Instant::now();
        self.runs(leader);
        self.beat(leader, pace).await?;
        let mut beaten = Instant::now();
        let mut wakeup = self.options.wakeup.clone();
        while !stop.is_cancelled() {
            let wait = match self.step(leader, sink, pace, &mut parks, stop).await? {
                Step::Took(events) => {
                    self.runs(leader);
                    pace.took(events)
                }
                Step::Refused(tried) => {
                    pace.halve(tried);
                    Duration::ZERO
                }
                Step::Nothing { reached: true } => return Ok(Left::Ended(Ended::Reached)),
                Step::Nothing { reached: false } => {
                    let pause = pace.found_nothing();
                    if woken(wakeup.as_mut(), pause, stop).await {
                        pace.woken();
                    }
                    Duration::ZERO
                }
            };
            if !wait.is_zero() {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
            if parks && looked_again.elapsed() >= self.options.look_again_every {
                parks = self.look_again(leader, sink, stop).await?;
                looked_again = Instant::now();
                self.runs(leader);
            }
            if beaten.elapsed() >= BEAT {
                self.beat(leader, pace).await?;
                beaten = Instant::now();
            }
            if let Some(next) = self.options.successor() {
                return Ok(Left::For(next));
            }
        }
        Ok(Left::Ended(Ended::Stopped))
    }

    /// Writes the row and the gauges. Only the leader does, and the gauges end with it: a series
    /// that nobody sets is soon forgotten.
    async fn beat(&self, leader: &mut Leader, pace: &mut Pace) -> Result<(), ReaderError> {
        leader.renew_at(pace.measure()).await?;
        let lag = leader.lag().await?;
        let reader = [self.options.name.as_str()];
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        FEED_LAG_EVENTS.of(reader).set(lag.events as f64);
        FEED_LAG_SECONDS.of(reader).set(lag.seconds);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        FEED_PARKED.of(reader).set(lag.parked as f64);
        FEED_HALTED.of(reader).set(0.0);
        Ok(())
    }

    /// Notes a failure, and says how long to wait after it.
    fn failed(&self, failure: &ReaderError, pace: &mut Pace) -> Duration {
        let reader = &self.options.name;
        let told = chain(failure);
        if let ReaderError::LeaseLost = failure {
            info!(reader, "reader.lease_lost");
            return pace.failed();
        }
        FEED_FAILURES.of([reader]).increment(1);
        let condition = condition_of(failure);
        let halts = matches!(condition, Condition::Halted { .. });
        if halts {
            FEED_HALTED.of([reader]).set(1.0);
            error!(reader, error = told, "reader.halted");
        } else {
            warn!(reader, error = told, "reader.failed");
        }
        self.enter(Standing::Leading(condition));
        if halts { HALT_PAUSE } else { pace.failed() }
    }

    /// The sink has answered: whatever it was waited for is over.
    fn runs(&self, leader: &mut Leader) {
        self.enter(Standing::Leading(Condition::Running));
        leader.note(Condition::Running);
    }

    fn enter(&self, standing: Standing) {
        self.standing.send_if_modified(|now| {
            let changed = *now != standing;
            *now = standing;
            changed
        });
    }
}

/// What one look at the feed came to.
enum Step {
    /// So many events were passed.
    Took(usize),
    /// There was nothing new; `reached` says whether nothing more is to come.
    Nothing { reached: bool },
    /// One of so many events is refused.
    Refused(usize),
}

/// Why a leader leads no more.
enum Left {
    /// It has ended.
    Ended(Ended),
    /// The lease is for this owner, who waits for it.
    For(String),
}

/// How a reader is after a failure.
fn condition_of(failure: &ReaderError) -> Condition {
    let reason = chain(failure);
    match failure {
        ReaderError::ForeignCheckpoint { .. } | ReaderError::Sink(SinkError::Halted(_)) => {
            Condition::Halted {
                reason,
                event_id: None,
            }
        }
        ReaderError::LeaseLost
        | ReaderError::Silent
        | ReaderError::Database(_)
        | ReaderError::Sink(_) => Condition::Failing { reason },
    }
}

/// Waits for so long, or until there is something new; whether it was that.
async fn woken(wakeup: Option<&mut Wakeup>, pause: Duration, stop: &CancellationToken) -> bool {
    let heard = async {
        let heard = match wakeup {
            Some(wakeup) => wakeup.changed().await.is_ok(),
            None => false,
        };
        if !heard {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(LINGER).await;
    };
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(pause) => false,
        () = heard => true,
    }
}

/// Comes when `stop` was given so long ago.
async fn told_for(stop: &CancellationToken, time: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(time).await;
}

/// Why an event was not taken, for its row.
fn reason(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), chain)
}
