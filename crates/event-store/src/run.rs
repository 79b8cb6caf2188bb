//! One command under way: its rounds of load, decide and append.

mod again;

use std::sync::Arc;
use std::time::Instant;

use rand::Rng as _;

use again::Again;

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
    Accepted, Decision, DecisionError, Generation, Loaded, LoadedStream, PositionToken,
    StreamAppend, StreamId, Version,
};

/// One command under way.
pub(crate) struct Run<D: Decision> {
    pub(crate) store: Arc<Store>,
    pub(crate) decision: D,
    pub(crate) conditions: Conditions,
    pub(crate) outcome: SharedOutcome,
    pub(crate) charged: Option<Instant>,
    /// Whether what is remembered was tried.
    pub(crate) looked_back: bool,
}

/// What load, decide and append came to, once.
enum Attempt {
    Done(Answer),
    RaceLost,
}

type Failed<D> = ExecuteError<<D as Decision>::Rejection>;

impl<D: Decision> Run<D> {
    pub(crate) async fn in_turn(mut self) -> Result<Answer, Failed<D>> {
        let answered = self.answered_in_turn().await;
        let repeats = match &answered {
            Ok(answer) => answer.replayed,
            Err(error) => matches!(error, ExecuteError::KeyReused),
        };
        if repeats && self.costs_nothing().await {
            self.decision.give_back().await;
        }
        answered
    }

    /// A repeat costs nothing. But a twin that was answered after this one was charged may have
    /// gone free for it: then the charge is that of the twin.
    async fn costs_nothing(&self) -> bool {
        let Some(charged) = self.charged else {
            return true;
        };
        let loaded = self.load(Vec::new()).await.ok();
        let stored = loaded.and_then(|loaded| loaded.stored);
        stored.is_some_and(|stored| stored.age > charged.elapsed())
    }

    async fn answered_in_turn(&mut self) -> Result<Answer, Failed<D>> {
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

    /// Accepts a command that begins its stream on what is remembered of the others, and proves
    /// them by the append. Nothing where that cannot be done: it is then decided on a load.
    async fn on_what_is_remembered(&mut self) -> Result<Option<Attempt>, Failed<D>> {
        let first = !std::mem::replace(&mut self.looked_back, true);
        if !first || !self.decision.begins() || self.conditions.expected.is_some() {
            return Ok(None);
        }
        let beside = self.decision.beside();
        let Some(remembered) = self.store.remembered.recall(&beside) else {
            return Ok(None);
        };
        let loaded = Loaded {
            target: LoadedStream {
                id: self.decision.target(),
                events: Vec::new(),
            },
            beside: remembered,
        };
        if self.decision.admit(&loaded).is_err() {
            return Ok(None);
        }
        if let Err(refusal) = self.charge().await {
            let refused = self.refuse(refusal).await;
            return refused.map(|answer| Some(Attempt::Done(answer)));
        }
        let Ok(accepted) = self.decision.decide(&loaded) else {
            return Ok(None);
        };
        let appended = self
            .append(&loaded.target, &loaded.beside, accepted)
            .await?;
        if matches!(appended, Attempt::RaceLost) {
            self.store.remembered.forget(&beside);
            return Ok(None);
        }
        Ok(Some(appended))
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
        if let Some(done) = self.on_what_is_remembered().await? {
            return Ok(done);
        }
        let loaded = self.load(self.streams()).await?;
        if let Some(stored) = &loaded.stored {
            return self.replay(stored).map(Attempt::Done);
        }
        let generation = loaded.generation;
        let Some(loaded) = split(loaded) else {
            return Err(ExecuteError::Internal(Arc::new(sqlx::Error::RowNotFound)));
        };
        if self.decision.begins() {
            self.store.remembered.keep(&loaded.beside);
        }
        match self.decide(&loaded).await {
            Ok(accepted) if accepted.events.is_empty() && self.conditions.claim.is_none() => {
                Ok(Attempt::Done(unchanged(&loaded, accepted, generation)))
            }
            Ok(accepted) => self.append(&loaded.target, &[], accepted).await,
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
        self.charge().await?;
        let current = loaded.target.version();
        if self.conditions.expected.is_some_and(|v| v != current) {
            return Err(ExecuteError::VersionMismatch { current });
        }
        self.decision.decide(loaded).map_err(refused)
    }

    async fn charge(&mut self) -> Result<(), Failed<D>> {
        if self.charged.is_none() {
            let now = Instant::now();
            self.decision.charge().await.map_err(refused)?;
            self.charged = Some(now);
        }
        Ok(())
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

    /// Appends what was accepted to its target, if that and the streams that it rests on are at the
    /// versions at which they were seen.
    async fn append(
        &self,
        target: &LoadedStream,
        proven: &[LoadedStream],
        accepted: Accepted,
    ) -> Result<Attempt, Failed<D>> {
        let claim = self.conditions.claim.clone();
        let brings_events = !accepted.events.is_empty();
        let mut streams = vec![StreamAppend {
            stream: target.id.clone(),
            expected: target.version(),
            events: accepted.events,
        }];
        streams.extend(proven.iter().map(|stream| StreamAppend {
            stream: stream.id.clone(),
            expected: stream.version(),
            events: Vec::new(),
        }));
        let job = AppendJob {
            append: Append {
                claim: claim.map(|claim| ClaimedAnswer {
                    claim,
                    status: accepted.status,
                    state: accepted.state.map(str::to_owned),
                }),
                streams,
            },
            outcome: self.outcome.clone(),
        };
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
