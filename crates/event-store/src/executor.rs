//! Runs one command: load, decide, append; again on a fresh load when a race was lost.
//!
//! The work runs in a tracked task that nobody can drop: a deadline that passes, or a client that
//! leaves, ends the waiting only. What had not yet been sent is not sent after that, so that an
//! answer "nothing was changed" stays true.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use rand::Rng as _;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::append::{Append, AppendError, Appended, ClaimedAnswer, StoredAnswer, append};
use crate::failure::{SqlFailure, classify};
use crate::load::{LoadedWithKey, StoredUnderKey, load_with_key};
use crate::queue::Queues;
use crate::{Accepted, Decision, DecisionError, Loaded, PositionToken, StreamAppend, Version};

/// How often a command that lost a race is decided again.
const FRESH_DECISIONS: u32 = 5;
/// How long one load and append may take: a little more than the server lets a statement run. Only
/// a server that is cut off takes longer.
const ROUND_BOUND: Duration = Duration::from_secs(10);
/// The longest pause before the first fresh decision, and twice as long before each further one:
/// who loses to another process's queue again and again lets it run dry. The pause is drawn below
/// it, and above half of it.
const JITTER: Duration = Duration::from_millis(20);

/// The claim of an `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose key it is: `role:sub`.
    pub scope: String,
    /// The key.
    pub key: String,
    /// SHA-256 over method, path and raw body.
    pub fingerprint: [u8; 32],
}

/// What the client asked for beside the command.
#[derive(Debug, Clone)]
pub struct Conditions {
    /// The client's key, if any.
    pub claim: Option<Claim>,
    /// `If-Match`: the version that the target must have.
    pub expected: Option<Version>,
    /// When the client's patience ends.
    pub deadline: Instant,
}

/// The answer to an accepted command, the same at every replay of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The id of the target: an order's or workshop's UUID.
    pub key: String,
    /// The target's version afterwards.
    pub version: Version,
    /// The name of the target's state afterwards.
    pub state: Option<String>,
    /// Where the target's last event lies.
    pub token: PositionToken,
    /// Whether this is a stored answer, given again.
    pub replayed: bool,
}

impl Answer {
    fn from_stored(stored: StoredAnswer, replayed: bool) -> Self {
        Self {
            status: stored.status,
            key: stored.stream.key().to_owned(),
            version: stored.version,
            state: stored.state,
            token: stored.token,
            replayed,
        }
    }
}

/// Whether a failed command may have left a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was changed, and nothing will be.
    None,
    /// An append had been sent, and its answer has not come.
    Unknown,
}

/// Why a command has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError<R> {
    /// The rules refuse it.
    #[error("the command was refused")]
    Rejected(R),
    /// `If-Match` names another version.
    #[error("the stream is at version {current}")]
    VersionMismatch {
        /// The version that it has.
        current: Version,
    },
    /// The key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The race was lost for good; nothing was changed.
    #[error("the stream changed under the command again and again")]
    Conflict,
    /// Too many commands wait for this stream; nothing was changed.
    #[error("too many commands wait for this stream")]
    Overloaded,
    /// The stream holds an event that this release cannot read; nothing was changed.
    #[error("the stream cannot be read by this release")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The deadline passed.
    #[error("the deadline passed")]
    TimedOut {
        /// Whether something may have been written.
        outcome: Outcome,
    },
    /// The store is out of reach.
    #[error("the store is out of reach")]
    Unavailable {
        /// Whether something may have been written.
        outcome: Outcome,
        /// What failed.
        #[source]
        source: sqlx::Error,
    },
    /// A failure that nobody foresaw; nothing was changed.
    #[error("the store failed in an unforeseen way")]
    Internal(#[source] sqlx::Error),
    /// The task that ran the command died: a bug.
    #[error("the command's task died")]
    Died {
        /// Whether something may have been written.
        outcome: Outcome,
    },
}

/// Runs commands against the store.
#[derive(Clone, Debug)]
pub struct Executor {
    pool: PgPool,
    queues: Queues,
    tasks: TaskTracker,
}

impl Executor {
    /// An executor over `pool`, whose connections have the limits of an appender. `tasks` lets a
    /// shutdown wait for the commands under way.
    #[must_use]
    pub fn new(pool: PgPool, tasks: TaskTracker) -> Self {
        Self {
            pool,
            queues: Queues::default(),
            tasks,
        }
    }

    /// Runs one command. Dropping the future ends the waiting, never an append.
    ///
    /// # Errors
    /// See [`ExecuteError`].
    pub async fn execute<D: Decision>(
        &self,
        decision: D,
        conditions: Conditions,
    ) -> Result<Answer, ExecuteError<D::Rejection>> {
        let deadline = conditions.deadline;
        let progress = Progress::default();
        let waiter = Waiter(progress.clone());
        let run = Run {
            pool: self.pool.clone(),
            decision,
            conditions,
            progress,
            charged: false,
        };
        let queues = self.queues.clone();
        let task = self.tasks.spawn(run.in_line(queues).in_current_span());
        let finished = tokio::time::timeout_at(deadline.into(), task).await;
        match finished {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(ExecuteError::Died {
                outcome: waiter.0.abandon(),
            }),
            Err(_) => Err(ExecuteError::TimedOut {
                outcome: waiter.0.abandon(),
            }),
        }
    }
}

/// How far a command has come, agreed between the one who waits and the task that works.
#[derive(Debug, Clone, Default)]
struct Progress(Arc<AtomicU8>);

const SENT: u8 = 1;
const ABANDONED: u8 = 2;

impl Progress {
    /// The task is about to send an append; refused when nobody waits any more.
    fn send(&self) -> bool {
        self.0
            .compare_exchange(0, SENT, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Whether nobody waits any more.
    fn is_abandoned(&self) -> bool {
        self.0.load(Ordering::Acquire) & ABANDONED != 0
    }

    /// Whether what was done so far may have left a trace.
    fn outcome(&self) -> Outcome {
        outcome_of(self.0.load(Ordering::Acquire))
    }

    /// The append was answered and did nothing.
    fn undone(&self) {
        self.0.fetch_and(!SENT, Ordering::AcqRel);
    }

    /// The waiting ends; from here on nothing more is sent.
    fn abandon(&self) -> Outcome {
        outcome_of(self.0.fetch_or(ABANDONED, Ordering::AcqRel))
    }
}

const fn outcome_of(progress: u8) -> Outcome {
    if progress & SENT == 0 {
        Outcome::None
    } else {
        Outcome::Unknown
    }
}

/// Abandons the command when the one who waits is dropped.
struct Waiter(Progress);

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// One command under way.
struct Run<D: Decision> {
    pool: PgPool,
    decision: D,
    conditions: Conditions,
    progress: Progress,
    charged: bool,
}

/// What one round of load, decide and append came to.
enum Round {
    Done(Answer),
    RaceLost,
}

type Failed<D> = ExecuteError<<D as Decision>::Rejection>;

impl<D: Decision> Run<D> {
    async fn in_line(mut self, queues: Queues) -> Result<Answer, Failed<D>> {
        let queued = Instant::now();
        let place = queues
            .join(self.decision.target())
            .map_err(|_| ExecuteError::Overloaded)?;
        let _turn = place.turn().await;
        metrics::histogram!("atlas_queue_wait_seconds").record(queued.elapsed());
        self.until_decided().await
    }

    async fn until_decided(&mut self) -> Result<Answer, Failed<D>> {
        let mut again = Again::default();
        loop {
            match self.round().await {
                Ok(Round::Done(answer)) => return Ok(answer),
                Ok(Round::RaceLost) => {
                    metrics::counter!("atlas_append_conflicts_total").increment(1);
                    again.after_lost_race().ok_or(ExecuteError::Conflict)?;
                }
                Err(error) => again.after(error)?,
            }
            metrics::counter!("atlas_command_retries_total").increment(1);
            let longest = again.longest_pause();
            let pause = rand::rng().random_range(longest / 2..longest);
            tokio::time::sleep(pause).await;
        }
    }

    /// One round on one connection: a pool pings each that comes back. What the server does not
    /// answer within the bound is cut off, so that the line behind it goes on.
    async fn round(&mut self) -> Result<Round, Failed<D>> {
        let mut connection = self.pool.acquire().await.map_err(before_append)?;
        if self.progress.is_abandoned() {
            // Those who still wait for an answer come first.
            return Err(ExecuteError::TimedOut {
                outcome: Outcome::None,
            });
        }
        match tokio::time::timeout(ROUND_BOUND, self.round_on(&mut connection)).await {
            Ok(Err(failure)) => {
                if is_stale_plan(&failure) {
                    connection
                        .clear_cached_statements()
                        .await
                        .map_err(before_append)?;
                }
                Err(failure)
            }
            Ok(round) => round,
            Err(_) => {
                drop(connection.detach());
                Err(ExecuteError::Unavailable {
                    outcome: self.progress.outcome(),
                    source: sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()),
                })
            }
        }
    }

    async fn round_on(&mut self, connection: &mut PgConnection) -> Result<Round, Failed<D>> {
        let mut streams = vec![self.decision.target()];
        streams.extend(self.decision.beside());
        let claim = self.conditions.claim.as_ref();
        let loaded = load_with_key(connection, &streams, claim)
            .await
            .map_err(before_append)?;
        if let Some(stored) = &loaded.stored {
            return self.replay(stored).map(Round::Done);
        }
        let generation = loaded.generation;
        let Some(loaded) = split(loaded) else {
            return Err(ExecuteError::Internal(sqlx::Error::RowNotFound));
        };
        match self.decide(&loaded).await {
            Ok(accepted) => self.append(connection, &loaded, accepted, generation).await,
            Err(refusal) => self.refuse(connection, refusal).await,
        }
    }

    async fn decide(&mut self, loaded: &Loaded) -> Result<Accepted, Failed<D>> {
        self.decision.admit(loaded).map_err(refused)?;
        if !self.charged {
            self.decision.charge().await.map_err(refused)?;
            self.charged = true;
        }
        let current = loaded.target.version();
        if self.conditions.expected.is_some_and(|v| v != current) {
            return Err(ExecuteError::VersionMismatch { current });
        }
        self.decision.decide(loaded).map_err(refused)
    }

    /// A command with a key may have been refused because of what its own twin has done meanwhile.
    async fn refuse(
        &self,
        connection: &mut PgConnection,
        refusal: Failed<D>,
    ) -> Result<Round, Failed<D>> {
        let Some(claim) = &self.conditions.claim else {
            return Err(refusal);
        };
        let loaded = load_with_key(connection, &[], Some(claim))
            .await
            .map_err(before_append)?;
        match &loaded.stored {
            Some(stored) => self.replay(stored).map(Round::Done),
            None => Err(refusal),
        }
    }

    fn replay(&self, stored: &StoredUnderKey) -> Result<Answer, Failed<D>> {
        let same = self
            .conditions
            .claim
            .as_ref()
            .is_some_and(|claim| claim.fingerprint.as_slice() == stored.fingerprint);
        if same {
            Ok(Answer::from_stored(stored.answer.clone(), true))
        } else {
            Err(ExecuteError::KeyReused)
        }
    }

    async fn append(
        &self,
        connection: &mut PgConnection,
        loaded: &Loaded,
        accepted: Accepted,
        generation: i64,
    ) -> Result<Round, Failed<D>> {
        let claim = self.conditions.claim.clone();
        if accepted.events.is_empty() && claim.is_none() {
            return Ok(Round::Done(unchanged(loaded, accepted, generation)));
        }
        let request = Append {
            claim: claim.map(|claim| ClaimedAnswer {
                claim,
                status: accepted.status,
                state: accepted.state.map(str::to_owned),
            }),
            streams: vec![StreamAppend {
                stream: loaded.target.id.clone(),
                expected: loaded.target.version(),
                events: accepted.events,
            }],
        };
        if !self.progress.send() {
            return Err(ExecuteError::TimedOut {
                outcome: Outcome::None,
            });
        }
        let started = Instant::now();
        let appended = append(connection, &request).await;
        metrics::histogram!("atlas_append_seconds").record(started.elapsed());
        match appended {
            Ok(Appended::Now(mut stored)) => {
                stored.status = accepted.status;
                stored.state = accepted.state.map(str::to_owned);
                Ok(Round::Done(Answer::from_stored(stored, false)))
            }
            Ok(Appended::Before(stored)) => Ok(Round::Done(Answer::from_stored(stored, true))),
            Ok(Appended::KeyReused) => Err(ExecuteError::KeyReused),
            Err(AppendError::Conflict) => {
                self.progress.undone();
                Ok(Round::RaceLost)
            }
            Err(AppendError::Database(source)) => {
                if classify(&source) == SqlFailure::Unreachable {
                    return Err(ExecuteError::Unavailable {
                        outcome: Outcome::Unknown,
                        source,
                    });
                }
                self.progress.undone();
                Err(before_append(source))
            }
        }
    }
}

/// How often the rounds of one command may still be repeated.
#[derive(Debug, Default)]
struct Again {
    lost_races: u32,
    deadlocks: u32,
    stale_plans: u32,
}

impl Again {
    /// Doubles with each lost race.
    fn longest_pause(&self) -> Duration {
        JITTER * (1 << (self.lost_races.clamp(1, FRESH_DECISIONS) - 1))
    }

    fn after_lost_race(&mut self) -> Option<()> {
        self.lost_races += 1;
        (self.lost_races <= FRESH_DECISIONS).then_some(())
    }

    /// Once after a serialization failure or deadlock, once after a stale plan.
    fn after<R>(&mut self, error: ExecuteError<R>) -> Result<(), ExecuteError<R>> {
        if let ExecuteError::Unavailable {
            outcome: Outcome::None,
            source,
        } = &error
        {
            let count = match classify(source) {
                SqlFailure::Retryable => &mut self.deadlocks,
                SqlFailure::StalePlan => &mut self.stale_plans,
                SqlFailure::VersionConflict
                | SqlFailure::Unreachable
                | SqlFailure::GaveUp
                | SqlFailure::Other => return Err(error),
            };
            *count += 1;
            if *count == 1 {
                return Ok(());
            }
        }
        Err(error)
    }
}

fn is_stale_plan<R>(failure: &ExecuteError<R>) -> bool {
    matches!(
        failure,
        ExecuteError::Unavailable { source, .. } if classify(source) == SqlFailure::StalePlan
    )
}

fn split(loaded: LoadedWithKey) -> Option<Loaded> {
    let mut streams = loaded.streams.into_iter();
    Some(Loaded {
        target: streams.next()?,
        beside: streams.collect(),
    })
}

/// The answer to a command that changes nothing and has no key: nothing is written.
fn unchanged(loaded: &Loaded, accepted: Accepted, generation: i64) -> Answer {
    Answer {
        status: accepted.status,
        key: loaded.target.id.key().to_owned(),
        version: loaded.target.version(),
        state: accepted.state.map(str::to_owned),
        token: PositionToken {
            generation,
            position: loaded
                .target
                .events
                .last()
                .map(|last| last.position)
                .unwrap_or_default(),
        },
        replayed: false,
    }
}

fn refused<R>(error: DecisionError<R>) -> ExecuteError<R> {
    match error {
        DecisionError::Rejected(rejection) => ExecuteError::Rejected(rejection),
        DecisionError::Unreadable(source) => ExecuteError::Unreadable(source),
    }
}

/// A failure of a statement that has certainly changed nothing.
fn before_append<R>(source: sqlx::Error) -> ExecuteError<R> {
    match classify(&source) {
        SqlFailure::Unreachable
        | SqlFailure::GaveUp
        | SqlFailure::Retryable
        | SqlFailure::StalePlan => ExecuteError::Unavailable {
            outcome: Outcome::None,
            source,
        },
        SqlFailure::VersionConflict | SqlFailure::Other => ExecuteError::Internal(source),
    }
}
