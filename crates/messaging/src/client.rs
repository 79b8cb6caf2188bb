//! Clients of Kafka: how each is configured, and how each goes away.

use std::time::Duration;

use contracts::topics::MAX_CLIENT_BYTES;
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::oneshot;

/// Which Kafka is meant.
#[derive(Debug, Clone)]
pub struct Kafka {
    brokers: String,
}

impl Kafka {
    /// The cluster that `brokers` lead to: `HOST:PORT`, several with commas.
    #[must_use]
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
        }
    }

    /// What all clients have in common.
    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "artisan-atlas")
            .set("socket.keepalive.enable", "true")
            // After an outage the messages of a minute wait: look again soon.
            .set("reconnect.backoff.ms", "100")
            .set("reconnect.backoff.max.ms", "1000");
        config
    }

    /// A producer that keeps each key's order, whatever happens to the connection.
    pub(crate) fn producer_config(&self) -> ClientConfig {
        let mut config = self.config();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // With a timeout, each message of a waiting batch would expire by itself, and the tail
            // could go out before the head.
            .set("message.timeout.ms", "0")
            .set("enable.gapless.guarantee", "true")
            .set("message.max.bytes", MAX_CLIENT_BYTES.to_string())
            .set("compression.type", "zstd")
            // The same key goes to the same partition as with the producers of other languages.
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "1");
        config
    }

    /// A member of `group` that begins with the oldest message and commits by hand.
    pub(crate) fn consumer_config(&self, group: &str, session: Duration) -> ClientConfig {
        let mut config = self.config();
        config
            .set("group.id", group)
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", session.as_millis().to_string())
            .set(
                "heartbeat.interval.ms",
                (session / 4).as_millis().to_string(),
            )
            .set("fetch.message.max.bytes", MAX_CLIENT_BYTES.to_string())
            // What the client fetches ahead is kept in memory.
            .set(
                "queued.max.messages.kbytes",
                (MAX_CLIENT_BYTES / 1024).to_string(),
            )
            // A topic that is made after the subscription is found within this.
            .set("topic.metadata.refresh.interval.ms", "2000")
            .set("statistics.interval.ms", "5000");
        config
    }
}

/// What librdkafka says, in our log: an outage is told once, by whoever waits for it to end.
pub(crate) struct Quiet;

impl ConsumerContext for Quiet {}

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        note(&error, reason);
    }
}

/// A line of librdkafka's own log.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    tracing::debug!(?level, facility, message, "kafka.client");
}

/// An error that belongs to no message.
pub(crate) fn note(error: &KafkaError, reason: &str) {
    if is_outage(error) {
        tracing::debug!(%error, reason, "kafka.client_error");
    } else {
        tracing::warn!(%error, reason, "kafka.client_error");
    }
}

/// Whether a broker was not reached, or went away: the client goes on trying by itself.
pub(crate) fn is_outage(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::CoordinatorLoadInProgress
                | RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NotLeaderForPartition
        )
    )
}

/// Runs what blocks in a thread of its own, since it may wait for brokers; the receiver hears what
/// came of it. The runtime's own blocking threads would hold up the end of the process.
pub(crate) fn apart<T: Send + 'static>(
    blocks: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (done, outcome) = oneshot::channel();
    std::thread::spawn(move || {
        // Nobody may be waiting any more.
        drop(done.send(blocks()));
    });
    outcome
}
