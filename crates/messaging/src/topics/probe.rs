//! A client that asks a cluster about itself. Its calls block.

use std::time::{Duration, Instant};

use contracts::topics::Topic;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::describe;
use crate::client::{Kafka, Quiet};

/// Which cluster it is, and what topics of ours it has.
#[derive(Debug)]
pub(crate) struct Survey {
    /// The ids of its brokers.
    pub(crate) brokers: Vec<i32>,
    pub(crate) cluster_id: String,
    /// Those of ours that are there, by name.
    pub(crate) topics: Vec<DescribedTopic>,
}

/// One topic as its cluster knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DescribedTopic {
    pub(crate) name: String,
    /// In base64; none where the broker is too old to have one.
    pub(crate) id: Option<String>,
    pub(crate) partitions: i32,
}

impl Survey {
    /// Whether a topic of this name is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.topics.iter().any(|topic| topic.name == name)
    }

    /// Those of `wanted` that are not there.
    pub(super) fn missing<'a>(&self, wanted: &'a [Topic]) -> Vec<&'a Topic> {
        wanted
            .iter()
            .filter(|topic| !self.has(&topic.name))
            .collect()
    }
}

pub(crate) struct Probe(BaseConsumer<Quiet>);

impl Probe {
    pub(crate) fn new(kafka: &Kafka) -> Result<Self, KafkaError> {
        BaseConsumer::from_config_and_context(&kafka.config(), Quiet).map(Self)
    }

    /// Whether the cluster answers.
    pub(crate) fn reach(&self, patience: Duration) -> Result<(), KafkaError> {
        // Takes up what the client has logged meanwhile; without a subscription no message comes.
        drop(self.0.poll(Duration::ZERO));
        self.0.fetch_metadata(None, patience).map(drop)
    }

    /// Which cluster it is, and what it has of the named topics.
    pub(crate) fn survey(
        &self,
        names: &[String],
        patience: Duration,
    ) -> Result<Survey, KafkaError> {
        let started = Instant::now();
        let left = || patience.saturating_sub(started.elapsed());
        let metadata = self.0.fetch_metadata(None, patience)?;
        let brokers: Vec<i32> = metadata
            .brokers()
            .iter()
            .map(|broker| broker.id())
            .collect();
        let broker = brokers
            .first()
            .ok_or(KafkaError::MetadataFetch(RDKafkaErrorCode::AllBrokersDown))?;
        let present: Vec<String> = names
            .iter()
            .filter(|name| metadata.topics().iter().any(|topic| topic.name() == *name))
            .cloned()
            .collect();
        let mut topics = if present.is_empty() {
            Vec::new()
        } else {
            describe::topics(self.0.client(), *broker, &present, left())?
        };
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        let cluster_id =
            self.0
                .client()
                .fetch_cluster_id(left())
                .ok_or(KafkaError::MetadataFetch(
                    RDKafkaErrorCode::OperationTimedOut,
                ))?;
        Ok(Survey {
            brokers,
            cluster_id,
            topics,
        })
    }
}
