//! The two round trips of a command, as jobs that go together with those of others.

use std::time::Instant;

use sqlx::PgConnection;

use super::Job;
use crate::StreamId;
use crate::append::{Append, AppendError, Appended, append};
use crate::append_many::{Stale, append_many};
use crate::failure::{SqlFailure, classify, did_nothing};
use crate::instruments::APPEND_SECONDS;
use crate::load::{LoadRequest, LoadedWithKey, load_together, load_whole};
use crate::outcome::SharedOutcome;

/// What a decision rests on, to be read.
#[derive(Debug)]
pub(crate) struct LoadJob {
    pub(crate) request: LoadRequest,
    pub(crate) outcome: SharedOutcome,
}

impl Job for LoadJob {
    type Done = LoadedWithKey;

    const KIND: &'static str = "load";

    fn start(&self) -> bool {
        // Those who still wait for an answer come first.
        !self.outcome.is_abandoned()
    }

    fn undone(&self) {}

    /// It brings nothing; what is read together is bounded by the statement.
    fn bytes(&self) -> usize {
        0
    }

    /// One stream in several places is not held in memory as often.
    fn clashes_with(&self, other: &Self) -> bool {
        let target = self.request.streams.first();
        target.is_some() && target == other.request.streams.first()
    }

    fn did_nothing(error: &sqlx::Error) -> bool {
        classify(error) != SqlFailure::Unreachable
    }

    async fn alone(&self, connection: &mut PgConnection) -> Result<Self::Done, sqlx::Error> {
        load_whole(connection, &self.request).await
    }

    async fn together(
        jobs: &[&Self],
        connection: &mut PgConnection,
    ) -> Result<Vec<Option<Self::Done>>, sqlx::Error> {
        let requests: Vec<&LoadRequest> = jobs.iter().map(|job| &job.request).collect();
        load_together(connection, &requests).await
    }
}

/// What was decided, to be appended.
#[derive(Debug)]
pub(crate) struct AppendJob {
    pub(crate) append: Append,
    pub(crate) outcome: SharedOutcome,
}

impl AppendJob {
    fn stream(&self) -> Option<&StreamId> {
        self.append.streams.first().map(|one| &one.stream)
    }

    fn key(&self) -> Option<(&str, &str)> {
        let claim = &self.append.claim.as_ref()?.claim;
        Some((&claim.scope, &claim.key))
    }
}

impl Job for AppendJob {
    type Done = Result<Appended, Stale>;

    const KIND: &'static str = "append";

    fn start(&self) -> bool {
        self.outcome.send()
    }

    fn undone(&self) {
        self.outcome.undone();
    }

    fn bytes(&self) -> usize {
        let streams = self.append.streams.iter();
        let events = streams.flat_map(|stream| &stream.events);
        events.map(|event| event.bytes()).sum()
    }

    fn clashes_with(&self, other: &Self) -> bool {
        self.stream() == other.stream() || (self.key().is_some() && self.key() == other.key())
    }

    fn did_nothing(error: &sqlx::Error) -> bool {
        did_nothing(error)
    }

    async fn alone(&self, connection: &mut PgConnection) -> Result<Self::Done, sqlx::Error> {
        let started = Instant::now();
        let appended = append(connection, &self.append).await;
        APPEND_SECONDS.of([]).record(started.elapsed());
        match appended {
            Ok(appended) => Ok(Ok(appended)),
            Err(AppendError::Conflict) => Ok(Err(Stale)),
            Err(AppendError::Database(source)) => Err(source),
        }
    }

    async fn together(
        jobs: &[&Self],
        connection: &mut PgConnection,
    ) -> Result<Vec<Option<Self::Done>>, sqlx::Error> {
        let appends: Vec<&Append> = jobs.iter().map(|job| &job.append).collect();
        let started = Instant::now();
        let appended = append_many(connection, &appends).await;
        APPEND_SECONDS.of([]).record(started.elapsed());
        appended
    }
}
