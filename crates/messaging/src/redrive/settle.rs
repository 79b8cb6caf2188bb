//! Whether what a redrive that is gone may have sent was handled: it was once the consumers have
//! passed the ends that the topics had after it was gone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use crate::Kafka;
use crate::client::{Quiet, apart};

/// How long Kafka may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where topics ended, and whose consumers are to pass that.
#[derive(Clone)]
pub(super) struct Ends {
    group: Arc<BaseConsumer<Quiet>>,
    ends: TopicPartitionList,
}

impl Ends {
    /// Where these topics end now.
    pub(super) async fn of(
        kafka: &Kafka,
        group: &str,
        topics: BTreeSet<String>,
    ) -> Result<Self, KafkaError> {
        let mut config = kafka.config();
        config.set("group.id", group);
        let group: BaseConsumer<Quiet> = BaseConsumer::from_config_and_context(&config, Quiet)?;
        apart(move || {
            let mut ends = TopicPartitionList::new();
            for topic in topics {
                let metadata = group.fetch_metadata(Some(&topic), PATIENCE)?;
                let partitions = metadata.topics().iter().flat_map(|it| it.partitions());
                for partition in partitions {
                    let (low, high) = group.fetch_watermarks(&topic, partition.id(), PATIENCE)?;
                    if high > low {
                        let end = Offset::Offset(high);
                        ends.add_partition_offset(&topic, partition.id(), end)?;
                    }
                }
            }
            let group = Arc::new(group);
            Ok(Self { group, ends })
        })
        .await
        .unwrap_or(Err(KafkaError::Canceled))
    }

    /// Whether the consumers have committed what lies before.
    pub(super) async fn are_passed(&self) -> Result<bool, KafkaError> {
        let Self { group, ends } = self.clone();
        apart(move || {
            let committed = group.committed_offsets(ends.clone(), PATIENCE)?;
            let is_passed = |(topic, partition, end)| {
                let found = committed.find_partition(topic, partition);
                match found.map(|found| found.offset()) {
                    Some(Offset::Offset(committed)) => committed >= end,
                    _ => false,
                }
            };
            let elements = ends.elements();
            let mut ends = elements.iter().filter_map(|it| {
                let Offset::Offset(end) = it.offset() else {
                    return None;
                };
                Some((it.topic(), it.partition(), end))
            });
            Ok(ends.all(is_passed))
        })
        .await
        .unwrap_or(Err(KafkaError::Canceled))
    }
}
