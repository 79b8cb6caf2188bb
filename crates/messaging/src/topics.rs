//! The topics: those that are missing are made, and all are recorded.

mod describe;
pub(crate) mod probe;
mod record;

use std::time::Duration;

use contracts::topics::{Topic, all};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::client::{Kafka, Quiet, apart};
use crate::failure::chain;
use probe::{Cluster, Probe};

/// How long one question to the cluster may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the cluster may take to make topics.
const MAKING_PATIENCE: Duration = Duration::from_secs(30);
/// The most copies that a topic is made with.
const REPLICATION: usize = 3;
/// The pauses between two attempts.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why the topics are not known to be there.
#[derive(Debug, thiserror::Error)]
pub enum TopicsError {
    /// Kafka was not reached, or did not answer.
    #[error("kafka did not say which topics there are")]
    Ask(#[source] KafkaError),
    /// Kafka was asked to make topics, and did not answer.
    #[error("kafka did not make the missing topics")]
    Make(#[source] KafkaError),
    /// Kafka refused to make a topic.
    #[error("kafka did not make topic {topic}")]
    Refused {
        /// The topic.
        topic: String,
        /// What it said.
        source: RDKafkaErrorCode,
    },
    /// The topics are there, and could not be recorded.
    #[error("the topics could not be recorded")]
    Record(#[from] sqlx::Error),
}

/// Makes the topics that are missing, and records all of ours with the cluster that they are on.
///
/// Nothing is asked to be made where nothing is missing: an embedded broker does not answer that.
///
/// # Errors
/// See [`TopicsError`]; the same again may pass.
pub async fn prepare(kafka: &Kafka, database: &PgPool) -> Result<(), TopicsError> {
    let cluster = look(kafka).await?;
    let missing: Vec<Topic> = all()
        .into_iter()
        .filter(|topic| !cluster.topics.contains(&topic.name))
        .collect();
    if !missing.is_empty() {
        make(kafka, &missing, cluster.brokers).await?;
    }
    let names = all().into_iter().map(|topic| topic.name).collect();
    let identity = identify(kafka, names).await?;
    record::record(database, &identity).await?;
    Ok(())
}

/// Prepares the topics, trying for as long as Kafka or the database is away. Returns whether it
/// was done before `stop`.
pub async fn prepare_at_last(kafka: &Kafka, database: &PgPool, stop: &CancellationToken) -> bool {
    let mut backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE);
    loop {
        let outcome = tokio::select! {
            () = stop.cancelled() => return false,
            outcome = prepare(kafka, database) => outcome,
        };
        match outcome {
            Ok(()) => return true,
            Err(error) => warn!(error = chain(&error), "topics.not_prepared"),
        }
        tokio::select! {
            () = stop.cancelled() => return false,
            () = tokio::time::sleep(backoff.pause()) => {}
        }
    }
}

async fn look(kafka: &Kafka) -> Result<Cluster, TopicsError> {
    let probe = Probe::new(kafka).map_err(TopicsError::Ask)?;
    apart(move || probe.look(PATIENCE))
        .await
        .unwrap_or(Err(KafkaError::Canceled))
        .map_err(TopicsError::Ask)
}

async fn identify(kafka: &Kafka, names: Vec<String>) -> Result<probe::Identity, TopicsError> {
    let probe = Probe::new(kafka).map_err(TopicsError::Ask)?;
    apart(move || probe.identify(&names, PATIENCE))
        .await
        .unwrap_or(Err(KafkaError::Canceled))
        .map_err(TopicsError::Ask)
}

async fn make(kafka: &Kafka, missing: &[Topic], brokers: usize) -> Result<(), TopicsError> {
    let admin =
        AdminClient::from_config_and_context(&kafka.config(), Quiet).map_err(TopicsError::Make)?;
    let replication = brokers.clamp(1, REPLICATION);
    let in_sync = replication.saturating_sub(1).max(1).to_string();
    let sizes: Vec<String> = missing
        .iter()
        .map(|topic| topic.max_message_bytes.to_string())
        .collect();
    let new: Vec<NewTopic<'_>> = missing
        .iter()
        .zip(&sizes)
        .map(|(topic, size)| {
            let copies = TopicReplication::Fixed(i32::try_from(replication).unwrap_or(1));
            NewTopic::new(&topic.name, topic.partitions, copies)
                .set("min.insync.replicas", &in_sync)
                .set("unclean.leader.election.enable", "false")
                .set("retention.ms", "-1")
                .set("max.message.bytes", size)
        })
        .collect();
    let options = AdminOptions::new()
        .request_timeout(Some(MAKING_PATIENCE))
        .operation_timeout(Some(MAKING_PATIENCE));
    let made = admin.create_topics(&new, &options).await;
    drop(new);
    drop(apart(move || drop(admin)));
    for topic in made.map_err(TopicsError::Make)? {
        match topic {
            Ok(topic) => info!(topic, replication, "topics.made"),
            // Somebody else was faster.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, source)) => return Err(TopicsError::Refused { topic, source }),
        }
    }
    Ok(())
}
