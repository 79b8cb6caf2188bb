//! What the executor is asked to run: the streams to load, and the decision over them.

use crate::{NewEvent, StoredEvent, StreamId, Version};

/// One stream, read in full.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedStream {
    /// Which.
    pub id: StreamId,
    /// Its events, oldest first.
    pub events: Vec<StoredEvent>,
}

impl LoadedStream {
    /// Its number of events.
    #[must_use]
    pub fn version(&self) -> Version {
        self.events
            .last()
            .map_or(Version::NONE, |last| last.version)
    }

    /// What its events measure in the store, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.bytes).sum()
    }
}

/// Everything that a decision may rest on, read in one statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The stream that the command changes.
    pub target: LoadedStream,
    /// The streams that it only looks at, in the order asked for.
    pub beside: Vec<LoadedStream>,
}

/// What an accepted command does.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// The events to append to the target; none is legal.
    pub events: Vec<NewEvent>,
    /// HTTP status of the answer.
    pub status: u16,
    /// The name of the state that the target is in afterwards; none where it has no states.
    pub state: Option<&'static str>,
}

/// One command. It is asked again, on a fresh load, whenever it lost a race; it may remember what
/// it saw before.
pub trait Decision: Send + Sync + 'static {
    /// A typed refusal.
    type Rejection: Send + Sync + 'static;

    /// The stream that the command changes.
    fn target(&self) -> StreamId;

    /// Streams that it only looks at.
    fn beside(&self) -> Vec<StreamId> {
        Vec::new()
    }

    /// Whether the target was named for this command, so that nobody can have begun it. Such a
    /// command may be accepted on what the process remembers of the streams beside it: the append
    /// proves their versions.
    fn begins(&self) -> bool {
        false
    }

    /// What the streams held when the command came, if it then has to queue behind others: told
    /// after it was admitted to the queue.
    fn look_ahead(&mut self, _loaded: &Loaded) {}

    /// The checks that come before the comparison with `If-Match`: does the order exist for this
    /// principal, and may the principal give the command.
    ///
    /// # Errors
    /// The refusal.
    fn admit(&mut self, loaded: &Loaded) -> Result<(), DecisionError<Self::Rejection>>;

    /// What the command costs: asked once, after it was admitted, and where the streams were loaded
    /// after no stored answer was found.
    ///
    /// # Errors
    /// The refusal.
    fn charge(
        &mut self,
    ) -> impl Future<Output = Result<(), DecisionError<Self::Rejection>>> + Send {
        std::future::ready(Ok(()))
    }

    /// The command repeats one that had been answered before this one was charged: what
    /// [`charge`](Self::charge) took, if anything, is given back.
    fn give_back(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// The decision itself.
    ///
    /// # Errors
    /// The refusal.
    fn decide(&mut self, loaded: &Loaded) -> Result<Accepted, DecisionError<Self::Rejection>>;
}

/// Why a decision came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError<R> {
    /// The rules refuse it.
    #[error("the command was refused")]
    Rejected(R),
    /// The stream holds an event that this release cannot read.
    #[error("the stream cannot be read")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
}
