//! What a consumer gives, and what it wants back.

use std::error::Error;

use contracts::{DeadLetterCode, Incoming};
use kernel::EventId;
use rdkafka::message::{BorrowedMessage, Message};

use super::headers;

/// A message as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// Its key, if it has one.
    pub key: Option<Vec<u8>>,
    /// Its headers, in order, each with its value if it has one.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Its value, if it has one.
    pub value: Option<Vec<u8>>,
}

impl Received {
    pub(super) fn from_message(message: &BorrowedMessage<'_>) -> Self {
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            headers: message.headers().map(headers::copied).unwrap_or_default(),
            value: message.payload().map(<[u8]>::to_vec),
        }
    }

    /// The bytes of its key, headers and value.
    pub(super) fn size(&self) -> usize {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + length(value))
            .sum();
        length(&self.key) + headers + length(&self.value)
    }

    /// The message as the contracts read it.
    #[must_use]
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming {
            headers: &self.headers,
            value: self.value.as_deref(),
        }
    }

    /// The event's global id, if it has one.
    pub(crate) fn event_id(&self) -> Option<EventId> {
        self.incoming().event_id().ok()
    }
}

/// Handles messages.
pub trait Handler: Send + Sync {
    /// Handles messages of one partition, in order; all of them, or none. They are 500 at most, of
    /// 4 MiB altogether; a larger one comes alone. They may come again, as
    /// a whole or in part, and have to have the same effect then. Several partitions may come at
    /// once.
    ///
    /// # Errors
    /// See [`HandleError`].
    fn handle(&self, messages: &[Received])
    -> impl Future<Output = Result<(), HandleError>> + Send;

    /// Those of these events that have had their effect.
    ///
    /// # Errors
    /// If that cannot be said now.
    fn handled(
        &self,
        events: &[EventId],
    ) -> impl Future<Output = Result<Vec<EventId>, BoxedError>> + Send;
}

/// Any error.
pub type BoxedError = Box<dyn Error + Send + Sync>;

/// Why messages were not handled.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// Something that is needed does not answer: the same messages come again after a pause.
    #[error("a dependency is down")]
    Retry(#[source] BoxedError),
    /// One of them may be at fault, nobody knows which: they come again in smaller parts, and one
    /// that fails alone comes five times before it is given up.
    #[error("a message may be at fault")]
    Failed(#[source] BoxedError),
    /// One message cannot be handled, now or later. Those before it come again, without it.
    #[error("message {index} of the batch cannot be handled: {code}")]
    Unhandled {
        /// Its index among the messages given.
        index: usize,
        /// What is wrong with it, in a word that stays the same.
        code: DeadLetterCode,
        /// What is wrong with it, in a sentence.
        detail: String,
    },
}
