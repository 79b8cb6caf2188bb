//! One command under way: its rounds of load, decide and append.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng as _;

use crate::answer::{Answer, Conditions, ExecuteError};
use crate::append::{Append, Appended, ClaimedAnswer};
use crate::append_many::Stale;
use crate::executor::Store;
use crate::failure::{SqlFailure, classify, did_nothing};
use crate::group_commit::Undone;
use crate::group_commit::jobs::{AppendJob, LoadJob};
use crate::instruments::{APPEND_CONFLICTS, COMMAND_RETRIES, QUEUE_WAIT_SECONDS};
use crate::load::{LoadRequest, LoadedWithKey, StoredUnderKey};
use crate::outcome::{Outcome, SharedOutcome};
use crate::queue::{Arrival, Full};
use crate::{
    Accepted, Decision, DecisionError, Generation, Loaded, PositionToken, StreamAppend, StreamId,
    Version,
};

/// How often a command that lost a race is decided again.
const FRESH_DECISIONS: u32 = 5;
/// The longest pause before the first fresh decision, and twice as long before each further one:
/// who loses to another process's queue again and again lets it run dry. The pause is drawn below
/// it, and above half of it.
const JITTER: Duration = Duration::from_millis(20);

/// One command under way.
pub(crate) struct Run<D: Decision> {
    pub(crate) store: Arc<Store>,
    pub(crate) decision: D,
    pub(crate) conditions: Conditions,
    pub(crate) outcome: SharedOutcome,
    pub(crate) charged: bool,
}

/// What load, decide and append came to, once.
enum Attempt {
    Done(Answer),
    RaceLost,
}

type Failed<D> = ExecuteError<<D as Decision>::Rejection>;

impl<D: Decision> Run<D> {
    pub(crate) async fn in_turn(mut self) -> Result<Answer, Failed<D>> {
        let came = Instant::now();
        let full = |Full| ExecuteError::Overloaded;
        let _turn = match self
            .store
            .queues
            .come(self.decision.target())
            .map_err(full)?
        {
            Arrival::Turn(turn) => turn,
            Arrival::Visitor(visitor) => {
                if let Some(answer) = self.visit().await? {
                    return Ok(answer);
                }
                visitor.join().map_err(full)?.turn().await
            }
        };
        QUEUE_WAIT_SECONDS.of([]).record(came.elapsed());
        self.until_decided().await
    }

    /// Only those may queue who have business there, and they are told what they came upon; a
    /// repeat is answered at once.
    async fn visit(&mut self) -> Result<Option<Answer>, Failed<D>> {
        let loaded = self.load(self.streams()).await?;
        if let Some(stored) = &loaded.stored {
            return self.replay(stored).map(Some);
        }
        if let Some(loaded) = split(loaded) {
            self.decision.admit(&loaded).map_err(refused)?;
            self.decision.look_ahead(&loaded);
        }
        Ok(None)
    }

    async fn until_decided(&mut self) -> Result<Answer, Failed<D>> {
        let mut again = Again::default();
        loop {
            match self.attempt().await {
                Ok(Attempt::Done(answer)) => return Ok(answer),
                Ok(Attempt::RaceLost) => {
                    APPEND_CONFLICTS.of([]).increment(1);
                    if again.after_lost_race().is_none() {
                        return self.refuse(ExecuteError::Conflict).await;
                    }
                }
                Err(error) => again.after(error)?,
            }
            COMMAND_RETRIES.of([]).increment(1);
            let longest = again.longest_pause();
            let pause = rand::rng().random_range(longest / 2..longest);
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&mut self) -> Result<Attempt, Failed<D>> {
        let loaded = self.load(self.streams()).await?;
        if let Some(stored) = &loaded.stored {
            return self.replay(stored).map(Attempt::Done);
        }
        let generation = loaded.generation;
        let Some(loaded) = split(loaded) else {
            return Err(ExecuteError::Internal(Arc::new(sqlx::Error::RowNotFound)));
        };
        match self.decide(&loaded).await {
            Ok(accepted) => self.append(&loaded, accepted, generation).await,
            Err(refusal) => self.refuse(refusal).await.map(Attempt::Done),
        }
    }

    fn streams(&self) -> Vec<StreamId> {
        let mut streams = vec![self.decision.target()];
        streams.extend(self.decision.beside());
        streams
    }

    async fn load(&self, streams: Vec<StreamId>) -> Result<LoadedWithKey, Failed<D>> {
        let job = LoadJob {
            request: LoadRequest {
                streams,
                after: Version::NONE,
                claim: self.conditions.claim.clone(),
            },
            outcome: self.outcome.clone(),
        };
        self.store
            .loads
            .run(job)
            .await
            .map_err(|undone| match undone {
                Undone::Abandoned => ExecuteError::TimedOut {
                    outcome: Outcome::None,
                },
                Undone::NotSent(source) | Undone::Failed(source) => before_append(source),
                Undone::Died => ExecuteError::Died {
                    outcome: Outcome::None,
                },
            })
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
    async fn refuse(&self, refusal: Failed<D>) -> Result<Answer, Failed<D>> {
        if self.conditions.claim.is_none() {
            return Err(refusal);
        }
        match self.load(Vec::new()).await?.stored {
            Some(stored) => self.replay(&stored),
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
        loaded: &Loaded,
        accepted: Accepted,
        generation: Generation,
    ) -> Result<Attempt, Failed<D>> {
        let claim = self.conditions.claim.clone();
        if accepted.events.is_empty() && claim.is_none() {
            return Ok(Attempt::Done(unchanged(loaded, accepted, generation)));
        }
        let job = AppendJob {
            append: Append {
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
            },
            outcome: self.outcome.clone(),
        };
        let brings_events = job.append.streams.iter().any(|it| !it.events.is_empty());
        match self.store.appends.run(job).await {
            Ok(Ok(Appended::Now(mut stored))) => {
                if brings_events {
                    self.store.wake_up.appended();
                }
                stored.status = accepted.status;
                stored.state = accepted.state.map(str::to_owned);
                Ok(Attempt::Done(Answer::from_stored(stored, false)))
            }
            Ok(Ok(Appended::Before(stored))) => {
                Ok(Attempt::Done(Answer::from_stored(stored, true)))
            }
            Ok(Ok(Appended::KeyReused)) => Err(ExecuteError::KeyReused),
            Ok(Err(Stale)) => {
                self.outcome.undone();
                Ok(Attempt::RaceLost)
            }
            Err(undone) => Err(self.not_appended(undone)),
        }
    }

    fn not_appended(&self, undone: Undone) -> Failed<D> {
        match undone {
            Undone::Abandoned => ExecuteError::TimedOut {
                outcome: Outcome::None,
            },
            Undone::Failed(source) if !did_nothing(&source) => ExecuteError::Unavailable {
                outcome: Outcome::Unknown,
                source,
            },
            Undone::Failed(source) | Undone::NotSent(source) => {
                self.outcome.undone();
                before_append(source)
            }
            Undone::Died => ExecuteError::Died {
                outcome: self.outcome.get(),
            },
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
                | SqlFailure::Duplicate
                | SqlFailure::RefusedRow
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

fn split(loaded: LoadedWithKey) -> Option<Loaded> {
    let mut streams = loaded.streams.into_iter();
    Some(Loaded {
        target: streams.next()?,
        beside: streams.collect(),
    })
}

/// The answer to a command that changes nothing and has no key: nothing is written.
fn unchanged(loaded: &Loaded, accepted: Accepted, generation: Generation) -> Answer {
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
fn before_append<R>(source: Arc<sqlx::Error>) -> ExecuteError<R> {
    match classify(&source) {
        SqlFailure::Unreachable
        | SqlFailure::GaveUp
        | SqlFailure::Retryable
        | SqlFailure::StalePlan => ExecuteError::Unavailable {
            outcome: Outcome::None,
            source,
        },
        SqlFailure::VersionConflict
        | SqlFailure::Duplicate
        | SqlFailure::RefusedRow
        | SqlFailure::Other => ExecuteError::Internal(source),
    }
}
