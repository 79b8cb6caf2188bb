//! What takes events: a read model, the relay, a replay, an auditor.

use std::error::Error;

use async_trait::async_trait;
use kernel::EventId;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::StoredEvent;
use crate::failure::{SqlFailure, classify};

type Cause = Box<dyn Error + Send + Sync>;

/// Where a [`Reader`](crate::Reader) brings the events, in the order of positions. A batch may
/// repeat after a failure, never with a hole in a stream. A sink passes over what it does not use.
///
/// Effects outside of the database are made by [`send`](Sink::send), before the checkpoint moves;
/// rows are written by [`apply`](Sink::apply), in the transaction that moves it.
#[async_trait]
pub trait Sink: Send {
    /// The lease was taken, and the first batch comes next.
    ///
    /// # Errors
    /// See [`SinkError`]; nothing is read then.
    async fn begin(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Has the effects that lie outside of the database, as far as it comes. Once `hurry` is
    /// cancelled it says soon how far that was. What makes an event unreadable is found before
    /// anything is sent.
    async fn send(&mut self, events: &[StoredEvent], _hurry: &CancellationToken) -> Sent {
        Sent::all(events)
    }

    /// Writes rows, inside the checkpoint's transaction: all of them are kept or none.
    ///
    /// # Errors
    /// See [`SinkError`]; nothing of the batch is kept then.
    async fn apply(
        &mut self,
        _transaction: &mut PgConnection,
        _events: &[StoredEvent],
    ) -> Result<(), SinkError> {
        Ok(())
    }

    /// How many batches it takes in one transaction while the reader is far behind.
    fn gathers(&self) -> usize {
        1
    }

    /// Writes the rows of all batches that were applied in the transaction; then it commits.
    ///
    /// # Errors
    /// See [`SinkError`]; nothing of the batches is kept then.
    async fn flush(&mut self, _transaction: &mut PgConnection) -> Result<(), SinkError> {
        Ok(())
    }

    /// Lets go of what is under way, and of what it remembers: since the last commit nothing may
    /// have been kept, and somebody else may go on.
    fn abandon(&mut self) {}

    /// What it waits for while it sends, for people.
    fn waits_for(&self) -> &'static str {
        "what it sends to"
    }
}

/// How far a batch was sent.
#[derive(Debug)]
pub struct Sent {
    /// How many of its events, from the first on, are done with.
    pub done: usize,
    /// Why the rest is not; none where it was told to hurry.
    pub error: Option<SinkError>,
}

impl Sent {
    /// All of it was.
    #[must_use]
    pub const fn all(events: &[StoredEvent]) -> Self {
        Self {
            done: events.len(),
            error: None,
        }
    }

    /// Nothing was.
    #[must_use]
    pub const fn nothing(error: SinkError) -> Self {
        Self {
            done: 0,
            error: Some(error),
        }
    }
}

/// Why a batch was not taken, by what is to be done about it.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// This release cannot read the event, or what it says cannot follow what went before: its
    /// stream is parked from this event on.
    #[error("event {event_id} ({event}) cannot be read")]
    Unreadable {
        /// The event.
        event_id: EventId,
        /// Its stored name and version.
        event: String,
        /// What is wrong with it.
        source: Cause,
    },
    /// One of the events is refused for good by what it is written to. Alone, its stream is parked;
    /// else fewer are tried, until it is alone.
    #[error("one of the events is refused")]
    Refused(#[source] Cause),
    /// The database failed. What the rows are refused for (SQLSTATE classes 22 and 23) counts as
    /// refused.
    #[error("the rows could not be written")]
    Database(#[from] sqlx::Error),
    /// It may pass: the reader begins again at its checkpoint.
    #[error("the events were not taken")]
    Failed(#[source] Cause),
    /// The sink cannot go on until somebody acts; it is tried again every few seconds.
    #[error("the sink cannot go on")]
    Halted(#[source] Cause),
}

impl SinkError {
    /// This release cannot read `event`.
    pub fn unreadable(event: &StoredEvent, source: impl Into<Cause>) -> Self {
        Self::Unreadable {
            event_id: event.event_id,
            event: event.name_and_version(),
            source: source.into(),
        }
    }

    /// Whether one of the events is refused for what it is.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Database(error) => matches!(
                classify(error),
                SqlFailure::RefusedRow | SqlFailure::Duplicate
            ),
            Self::Unreadable { .. } | Self::Failed(_) | Self::Halted(_) => false,
        }
    }
}
