//! A producer for as long as nothing goes wrong.

use contracts::Outbound;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer, PurgeConfig};

use crate::client::{Kafka, Quiet, apart};

/// An idempotent producer. Dropping it purges what it has not sent, or has sent and not heard of,
/// and lets it go in a thread of its own: it is never used again after a failure.
pub(super) struct Sender(Option<FutureProducer<Quiet>>);

impl Sender {
    pub(super) fn new(kafka: &Kafka) -> Result<Self, KafkaError> {
        FutureProducer::from_config_and_context(&kafka.producer_config(), Quiet)
            .map(|producer| Self(Some(producer)))
    }

    /// Puts a message at the end of the queue. The call never waits and never reorders.
    pub(super) fn send(&self, message: &Outbound) -> Result<DeliveryFuture, KafkaError> {
        let producer = self.0.as_ref().ok_or(KafkaError::Canceled)?;
        let headers = message.headers.iter().fold(
            OwnedHeaders::new_with_capacity(message.headers.len()),
            |headers, (key, value)| {
                headers.insert(Header {
                    key,
                    value: Some(value),
                })
            },
        );
        let record = FutureRecord::to(message.topic)
            .key(&message.key)
            .payload(&message.payload)
            .headers(headers);
        producer.send_result(record).map_err(|(error, _)| error)
    }

    /// Gives up what was not acknowledged: the deliveries under way fail soon.
    pub(super) fn purge(&self) {
        if let Some(producer) = &self.0 {
            producer.purge(PurgeConfig::default().queue().inflight());
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.purge();
        if let Some(producer) = self.0.take() {
            drop(apart(move || drop(producer)));
        }
    }
}

/// The bytes that a message takes of what the broker allows, but for the frame around it.
pub(super) fn size(message: &Outbound) -> usize {
    let headers: usize = message
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    message.key.len() + headers + message.payload.len()
}
