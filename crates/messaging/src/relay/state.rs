//! What a relay is at, and what can go wrong.

use std::time::Instant;

use event_store::{Position, ReaderError, StoredEvent};
use kernel::{Clock, EventId, SystemClock};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::flight::Undelivered;

/// What a relay is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayState {
    /// It has not reached the store yet.
    Starting,
    /// Another owner relays; this one waits for the lease.
    Standby {
        /// Who.
        owner: String,
    },
    /// It sends whatever there is.
    Relaying,
    /// Kafka does not acknowledge what was sent; it waits.
    Waiting,
    /// Something failed; it begins again at the checkpoint.
    Failing,
    /// Kafka refuses an event's message for good, and nothing later goes before it. It is offered
    /// again every minute.
    Stopped(Halt),
}

/// An event whose message Kafka refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halt {
    /// Its id.
    pub event_id: EventId,
    /// Its place in the global log.
    pub position: Position,
    /// Its stored name and version.
    pub event: String,
    /// The size in bytes of the message that Kafka refused.
    pub size: usize,
    /// Why not.
    pub reason: String,
}

impl Halt {
    pub(super) fn of(event: &StoredEvent, size: usize, reason: String) -> Self {
        Self {
            event_id: event.event_id,
            position: event.position,
            event: format!("{} {}", event.event_type, event.event_version),
            size,
            reason,
        }
    }
}

/// Why a relay had to begin again at its checkpoint.
#[derive(Debug, thiserror::Error)]
pub(super) enum RelayFailure {
    /// The feed or the lease failed.
    #[error("the feed failed")]
    Reader(#[from] ReaderError),
    /// There is no producer.
    #[error("the producer was not made")]
    Producer(#[source] KafkaError),
    /// A message was not delivered, for a reason that may pass.
    #[error("a message was not delivered")]
    Delivery(#[source] KafkaError),
    /// Kafka refuses messages for what they are, though maybe not each alone.
    #[error("kafka refuses a batch of messages")]
    TooMuchAtOnce(#[source] KafkaError),
    /// Kafka refuses this event's message for good.
    #[error("kafka refuses event {} for good", .0.event_id)]
    Refused(Halt),
}

impl RelayFailure {
    /// Sorts a failed delivery by what is to be done about it. `alone`: nothing else was sent.
    pub(super) fn of_delivery(
        undelivered: Undelivered,
        event: Option<&StoredEvent>,
        alone: bool,
    ) -> Self {
        let Undelivered { error, size, .. } = undelivered;
        match event {
            _ if !is_refusal(&error) => Self::Delivery(error),
            Some(event) if alone => Self::Refused(Halt::of(event, size, error.to_string())),
            Some(_) | None => Self::TooMuchAtOnce(error),
        }
    }
}

/// Whether Kafka refuses a message for what it is: sending it again would change nothing.
pub(super) fn is_refusal(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::MessageBatchTooLarge
                | RDKafkaErrorCode::InvalidRecord
        )
    )
}

/// Notes how long events that were sent at `started` took, from there and from their commit.
pub(super) fn measure(events: &[StoredEvent], started: Instant) {
    if events.is_empty() {
        return;
    }
    metrics::histogram!("atlas_relay_delivery_seconds").record(started.elapsed());
    let now = SystemClock.now();
    let since_commit = metrics::histogram!("atlas_relay_commit_to_kafka_seconds");
    for event in events {
        since_commit.record((now - event.recorded_at).to_std().unwrap_or_default());
    }
}
