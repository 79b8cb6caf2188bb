//! The relay: a sink that sends what the feed delivers to Kafka, in order per key, at least once.
//!
//! A batch is sent in the order of positions and waited for as a whole; the reader moves the
//! checkpoint over what was acknowledged. After whatever fails, the producer is purged and let go,
//! and a new one begins at the checkpoint: what the old one may still send is a run of repeats
//! without holes, because it is idempotent, leaves no gaps and never lets a message expire.

mod flight;

use std::error::Error;
use std::time::Instant;

use async_trait::async_trait;
use contracts::Outbound;
use event_store::{Sent, Sink, SinkError, StoredEvent};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::Kafka;
use crate::instruments::RELAY_DELIVERY_SECONDS;
use crate::sender::Sender;
use crate::topics::{TopicGuard, TopicsError};
use flight::{Flight, Undelivered};

/// Sends what the feed delivers to Kafka.
pub struct Relay<M> {
    kafka: Kafka,
    messages_of: M,
    topics: Option<TopicGuard>,
    sender: Option<Sender>,
}

/// A message on its way.
struct Composed {
    /// The index of its event in the batch.
    event: usize,
    /// Its partition, where the topics are guarded.
    partition: Option<i32>,
    message: Outbound,
}

/// Kafka refuses a message for what it is: sending it again would change nothing.
#[derive(Debug, thiserror::Error)]
#[error("kafka refuses the message of {size} bytes for good")]
struct RefusedMessage {
    /// Key, headers and value.
    size: usize,
    source: KafkaError,
}

impl<M, E> Relay<M>
where
    M: Fn(&StoredEvent) -> Result<Vec<Outbound>, E> + Send + Sync,
    E: Error + Send + Sync + 'static,
{
    /// The name of its reader.
    pub const NAME: &'static str = "relay";

    /// A relay that has not sent anything. `messages_of` says what an event becomes on Kafka, the
    /// same at every call; several messages are sent in the order given.
    #[must_use]
    pub const fn new(kafka: Kafka, messages_of: M) -> Self {
        Self {
            kafka,
            messages_of,
            topics: None,
            sender: None,
        }
    }

    /// The same, which sends to the topics that are recorded, and to no others.
    #[must_use]
    pub fn guarded_by(self, topics: TopicGuard) -> Self {
        Self {
            topics: Some(topics),
            ..self
        }
    }

    /// Looks whether the topics are still those that are recorded, if that is due.
    async fn check_topics(&self) -> Result<(), SinkError> {
        let Some(topics) = &self.topics else {
            return Ok(());
        };
        topics.check_if_due().await.map_err(|error| match error {
            TopicsError::Changed(_) => SinkError::Halted(error.into()),
            TopicsError::Ask(_)
            | TopicsError::Make(_)
            | TopicsError::Refused { .. }
            | TopicsError::NotYet(_)
            | TopicsError::Record(_) => SinkError::Failed(error.into()),
        })
    }

    /// What the events become.
    fn compose(&self, events: &[StoredEvent]) -> Result<Vec<Composed>, SinkError> {
        let mut messages = Vec::with_capacity(events.len());
        for (index, event) in events.iter().enumerate() {
            let of_event =
                (self.messages_of)(event).map_err(|error| SinkError::unreadable(event, error))?;
            messages.extend(of_event.into_iter().map(|message| Composed {
                event: index,
                partition: self.partition(&message),
                message,
            }));
        }
        Ok(messages)
    }

    /// Where a message belongs. A client that counts the partitions itself would put later events
    /// of a key elsewhere as soon as it hears of new ones.
    fn partition(&self, message: &Outbound) -> Option<i32> {
        let topics = self.topics.as_ref()?;
        topics.partition(message.topic, &message.key)
    }

    /// The producer, a new one after whatever failed.
    fn sender(&mut self) -> Result<&Sender, SinkError> {
        let sender = match self.sender.take() {
            Some(sender) => sender,
            None => Sender::new(&self.kafka).map_err(|error| SinkError::Failed(error.into()))?,
        };
        Ok(self.sender.insert(sender))
    }
}

#[async_trait]
impl<M, E> Sink for Relay<M>
where
    M: Fn(&StoredEvent) -> Result<Vec<Outbound>, E> + Send + Sync,
    E: Error + Send + Sync + 'static,
{
    async fn begin(&mut self) -> Result<(), SinkError> {
        self.check_topics().await
    }

    async fn send(&mut self, events: &[StoredEvent], hurry: &CancellationToken) -> Sent {
        if let Err(error) = self.check_topics().await {
            return Sent::nothing(error);
        }
        let messages = match self.compose(events) {
            Ok(messages) => messages,
            Err(error) => return Sent::nothing(error),
        };
        let sender = match self.sender() {
            Ok(sender) => sender,
            Err(error) => return Sent::nothing(error),
        };
        let started = Instant::now();
        let mut flight = Flight::start(sender, events.len(), messages);
        let failure = tokio::select! {
            failure = flight.land(sender) => failure,
            () = hurry.cancelled() => None,
        };
        let done = flight.acknowledged();
        if let (Some(topics), Some(_)) = (&self.topics, &failure) {
            topics.doubt();
        }
        measure(events.get(..done).unwrap_or_default(), started);
        Sent {
            done,
            error: failure.map(failed),
        }
    }

    fn abandon(&mut self) {
        self.sender = None;
    }

    fn waits_for(&self) -> &'static str {
        "kafka"
    }
}

fn failed(undelivered: Undelivered) -> SinkError {
    let Undelivered { error, size, .. } = undelivered;
    if is_refusal(&error) {
        SinkError::Refused(Box::new(RefusedMessage {
            size,
            source: error,
        }))
    } else {
        warn!(%error, "relay.not_delivered");
        SinkError::Failed(error.into())
    }
}

/// Whether Kafka refuses a message for what it is.
fn is_refusal(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::MessageBatchTooLarge
                | RDKafkaErrorCode::InvalidRecord
        )
    )
}

/// Notes how long events that were sent at `started` took. From their commit on the reader does.
fn measure(events: &[StoredEvent], started: Instant) {
    if events.is_empty() {
        return;
    }
    RELAY_DELIVERY_SECONDS.of([]).record(started.elapsed());
}
