//! A producer for as long as nothing goes wrong.

use std::time::Duration;

use contracts::Outbound;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer, PurgeConfig};
use tokio::time::timeout;

use crate::client::{Kafka, Quiet, apart};

/// An idempotent producer. Dropping it purges what it has not sent, or has sent and not heard of,
/// and lets it go in a thread of its own: it is never used again after a failure.
pub(crate) struct Sender(Option<FutureProducer<Quiet>>);

/// A message of somebody's, byte by byte.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes<'a> {
    pub(crate) topic: &'a str,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) headers: &'a [(String, Option<Vec<u8>>)],
    pub(crate) value: Option<&'a [u8]>,
}

impl Sender {
    pub(crate) fn new(kafka: &Kafka) -> Result<Self, KafkaError> {
        FutureProducer::from_config_and_context(&kafka.producer_config(), Quiet)
            .map(|producer| Self(Some(producer)))
    }

    /// Puts a message at the end of the queue, for this partition or for that of its key. The call
    /// never waits and never reorders.
    pub(crate) fn send(
        &self,
        message: &Outbound,
        partition: Option<i32>,
    ) -> Result<DeliveryFuture, KafkaError> {
        let headers = message.headers.iter();
        let headers = owned(headers.map(|(name, value)| (*name, Some(value.as_bytes()))));
        let mut record = FutureRecord::to(message.topic)
            .key(&message.key)
            .payload(&message.payload)
            .headers(headers);
        record.partition = partition;
        let producer = self.0.as_ref().ok_or(KafkaError::Canceled)?;
        producer.send_result(record).map_err(|(error, _)| error)
    }

    /// The same of a message that is not ours.
    pub(crate) fn send_bytes(&self, message: Bytes<'_>) -> Result<DeliveryFuture, KafkaError> {
        let headers = message.headers.iter();
        let headers = owned(headers.map(|(name, value)| (name.as_str(), value.as_deref())));
        let mut record: FutureRecord<'_, [u8], [u8]> =
            FutureRecord::to(message.topic).headers(headers);
        record.key = message.key;
        record.payload = message.value;
        let producer = self.0.as_ref().ok_or(KafkaError::Canceled)?;
        producer.send_result(record).map_err(|(error, _)| error)
    }

    /// Gives up what was not acknowledged: the deliveries under way fail soon.
    pub(crate) fn purge(&self) {
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

/// Waits for an acknowledgement, so long and no longer. After a failure the producer is to be let
/// go: what it may still send is a repeat.
pub(crate) async fn acknowledged(
    delivery: DeliveryFuture,
    patience: Duration,
) -> Result<(), KafkaError> {
    match timeout(patience, delivery).await {
        Ok(Ok(Ok(_))) => Ok(()),
        Ok(Ok(Err((error, _)))) => Err(error),
        Ok(Err(_)) => Err(KafkaError::Canceled),
        Err(_) => Err(KafkaError::MessageProduction(
            RDKafkaErrorCode::MessageTimedOut,
        )),
    }
}

fn owned<'a>(headers: impl ExactSizeIterator<Item = (&'a str, Option<&'a [u8]>)>) -> OwnedHeaders {
    let room = OwnedHeaders::new_with_capacity(headers.len());
    headers.fold(room, |headers, (key, value)| {
        headers.insert(Header { key, value })
    })
}

/// The bytes that a message takes of what the broker allows, but for the frame around it.
pub(crate) fn size(message: &Outbound) -> usize {
    let headers: usize = message
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    message.key.len() + headers + message.payload.len()
}
