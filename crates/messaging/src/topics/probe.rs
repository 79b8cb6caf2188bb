//! A client that asks a cluster about itself. Its calls block.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::describe;
use crate::client::{Kafka, Quiet};

/// What a cluster consists of.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Its number of brokers.
    pub(crate) brokers: usize,
    /// The names of its topics.
    pub(crate) topics: BTreeSet<String>,
}

/// Which cluster it is, and which topics ours are on it.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) cluster_id: String,
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

pub(crate) struct Probe(BaseConsumer<Quiet>);

impl Probe {
    pub(crate) fn new(kafka: &Kafka) -> Result<Self, KafkaError> {
        BaseConsumer::from_config_and_context(&kafka.config(), Quiet).map(Self)
    }

    /// What the cluster consists of.
    pub(crate) fn look(&self, patience: Duration) -> Result<Cluster, KafkaError> {
        // Takes up what the client has logged meanwhile; without a subscription no message comes.
        drop(self.0.poll(Duration::ZERO));
        let metadata = self.0.fetch_metadata(None, patience)?;
        let topics = metadata
            .topics()
            .iter()
            .map(|topic| topic.name().to_owned())
            .collect();
        Ok(Cluster {
            brokers: metadata.brokers().len(),
            topics,
        })
    }

    /// Which cluster it is, and which topics the named ones are.
    pub(crate) fn identify(
        &self,
        names: &[String],
        patience: Duration,
    ) -> Result<Identity, KafkaError> {
        let metadata = self.0.fetch_metadata(None, patience)?;
        let broker = metadata
            .brokers()
            .first()
            .ok_or(KafkaError::MetadataFetch(RDKafkaErrorCode::AllBrokersDown))?;
        let topics = describe::topics(self.0.client(), broker.id(), names, patience)?;
        let cluster_id =
            self.0
                .client()
                .fetch_cluster_id(patience)
                .ok_or(KafkaError::MetadataFetch(
                    RDKafkaErrorCode::OperationTimedOut,
                ))?;
        Ok(Identity { cluster_id, topics })
    }
}
