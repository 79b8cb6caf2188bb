//! The two round trips of a command, as jobs that go together with those of others.

use std::time::Instant;

use sqlx::PgConnection;

use crate::StreamId;
use crate::append::{Append, AppendError, Appended, append};
use crate::append_many::{Unit, append_many};
use crate::failure::{SqlFailure, classify, did_nothing};
use crate::lanes::Job;
use crate::load::{LoadRequest, LoadedWithKey, load_many};
use crate::progress::Progress;

/// What a decision rests on, to be read.
#[derive(Debug)]
pub(crate) struct LoadJob {
    pub(crate) request: LoadRequest,
    pub(crate) progress: Progress,
}

impl Job for LoadJob {
    type Done = LoadedWithKey;

    /// With those of the appends, as many as the command API's pool lends.
    const MOST_LANES: usize = 4;

    fn start(&self) -> bool {
        // Those who still wait for an answer come first.
        !self.progress.is_abandoned()
    }

    fn undone(&self) {}

    /// One stream in several places is not held in memory as often.
    fn clashes_with(&self, other: &Self) -> bool {
        let target = self.request.streams.first();
        target.is_some() && target == other.request.streams.first()
    }

    fn did_nothing(error: &sqlx::Error) -> bool {
        classify(error) != SqlFailure::Unreachable
    }

    async fn alone(&self, connection: &mut PgConnection) -> Result<Self::Done, sqlx::Error> {
        let mut loaded = load_many(connection, &[&self.request]).await?;
        loaded.pop().ok_or(sqlx::Error::RowNotFound)
    }

    async fn together(
        jobs: &[&Self],
        connection: &mut PgConnection,
    ) -> Result<Vec<Option<Self::Done>>, sqlx::Error> {
        let requests: Vec<&LoadRequest> = jobs.iter().map(|job| &job.request).collect();
        let loaded = load_many(connection, &requests).await?;
        Ok(loaded.into_iter().map(Some).collect())
    }
}

/// What was decided, to be appended.
#[derive(Debug)]
pub(crate) struct AppendJob {
    pub(crate) append: Append,
    pub(crate) progress: Progress,
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

/// What became of an append that did not fail.
#[derive(Debug)]
pub(crate) enum Done {
    Appended(Appended),
    /// The stream has moved on; nothing was stored.
    Conflict,
}

impl Job for AppendJob {
    type Done = Done;

    const MOST_LANES: usize = 12;

    fn start(&self) -> bool {
        self.progress.send()
    }

    fn undone(&self) {
        self.progress.undone();
    }

    fn did_nothing(error: &sqlx::Error) -> bool {
        did_nothing(error)
    }

    fn clashes_with(&self, other: &Self) -> bool {
        self.stream() == other.stream() || (self.key().is_some() && self.key() == other.key())
    }

    async fn alone(&self, connection: &mut PgConnection) -> Result<Self::Done, sqlx::Error> {
        let started = Instant::now();
        let appended = append(connection, &self.append).await;
        metrics::histogram!("atlas_append_seconds").record(started.elapsed());
        match appended {
            Ok(appended) => Ok(Done::Appended(appended)),
            Err(AppendError::Conflict) => Ok(Done::Conflict),
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
        metrics::histogram!("atlas_append_seconds").record(started.elapsed());
        let done = appended?.into_iter().map(|unit| match unit {
            Unit::Appended(answer) => Some(Done::Appended(Appended::Now(answer))),
            Unit::Stale => Some(Done::Conflict),
            Unit::Taken => None,
        });
        Ok(done.collect())
    }
}
