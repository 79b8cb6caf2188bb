//! What the client tells on the side: rebalances, commits, lag.

use std::sync::{Mutex, MutexGuard, PoisonError};

use metrics::Gauge;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{ClientContext, Statistics, TopicPartitionList};
use tracing::{info, warn};

use super::partition::TopicPartition;
use crate::client::{log, note};
use crate::instruments::{CONSUMER_COMMIT_FAILURES, CONSUMER_LAG, CONSUMER_REBALANCES};

/// Told from inside a poll.
pub(super) struct GroupContext {
    group: String,
    revoked: Mutex<Vec<TopicPartition>>,
}

impl GroupContext {
    pub(super) const fn new(group: String) -> Self {
        Self {
            group,
            revoked: Mutex::new(Vec::new()),
        }
    }

    /// The partitions that were taken away since the last call.
    pub(super) fn take_revoked(&self) -> Vec<TopicPartition> {
        std::mem::take(&mut self.revoked())
    }

    fn lag(&self, topic: &str, partition: i32) -> Gauge {
        CONSUMER_LAG.of([&self.group, topic, &partition.to_string()])
    }

    fn revoked(&self) -> MutexGuard<'_, Vec<TopicPartition>> {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        note(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        for (name, topic) in statistics.topics {
            for (number, partition) in topic.partitions {
                // −1: the partition is another member's, or not known yet.
                if partition.consumer_lag < 0 {
                    continue;
                }
                #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
                self.lag(&name, number).set(partition.consumer_lag as f64);
            }
        }
    }
}

impl ConsumerContext for GroupContext {
    fn post_rebalance(&self, client: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        CONSUMER_REBALANCES.of([&self.group]).increment(1);
        match rebalance {
            Rebalance::Assign(partitions) => {
                info!(
                    group = self.group,
                    gained = partitions.count(),
                    "consumer.rebalanced"
                );
                // One that comes back may have been paused when it went.
                if let Err(error) = client.resume(partitions) {
                    warn!(%error, "consumer.not_resumed");
                }
            }
            Rebalance::Revoke(partitions) => {
                info!(
                    group = self.group,
                    lost = partitions.count(),
                    "consumer.rebalanced"
                );
                let mut revoked = self.revoked();
                for element in partitions.elements() {
                    // Its lag is another member's to tell.
                    self.lag(element.topic(), element.partition()).set(0.0);
                    revoked.push(TopicPartition {
                        topic: element.topic().to_owned(),
                        partition: element.partition(),
                    });
                }
            }
            Rebalance::Error(error) => {
                warn!(group = self.group, %error, "consumer.rebalance_failed");
            }
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            CONSUMER_COMMIT_FAILURES.of([&self.group]).increment(1);
            warn!(group = self.group, %error, "consumer.not_committed");
        }
    }
}
