//! Making topics, and looking at how they were made. An embedded broker does neither.

use std::time::Duration;

use contracts::topics::Topic;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, OwnedResourceSpecifier, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{debug, info, warn};

use super::{Retention, TopicsError};
use crate::client::{Kafka, Quiet, apart};

/// How long the cluster may take to make topics.
const MAKING_PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take to say how topics were made, which nothing depends on.
const ASKING_PATIENCE: Duration = Duration::from_secs(1);
/// The most copies that a topic is made with.
const REPLICATION: usize = 3;
/// Kafka's name of what [`Retention`] says.
const RETENTION: &str = "retention.ms";

/// Makes these topics. One that somebody else makes meanwhile is as good.
pub(super) async fn make(
    kafka: &Kafka,
    missing: &[&Topic],
    brokers: usize,
    retention: Retention,
) -> Result<(), TopicsError> {
    let admin = admin(kafka).map_err(TopicsError::Make)?;
    let replication = brokers.clamp(1, REPLICATION);
    let in_sync = replication.saturating_sub(1).max(1).to_string();
    let retention = retention.milliseconds().to_string();
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
                .set(RETENTION, &retention)
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
            Ok(topic) => info!(topic, replication, retention, "topics.made"),
            // Somebody else was faster.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, source)) => return Err(TopicsError::Refused { topic, source }),
        }
    }
    Ok(())
}

/// Says which topics keep their messages for another time. Any broker knows.
pub(super) async fn compare_retention(
    kafka: &Kafka,
    broker: i32,
    names: &[String],
    wanted: Retention,
) {
    let resources = match describe(kafka, broker, names).await {
        Ok(resources) => resources,
        Err(error) => {
            debug!(%error, "topics.retention_unknown");
            return;
        }
    };
    let wanted = wanted.milliseconds().to_string();
    for resource in resources {
        let OwnedResourceSpecifier::Topic(topic) = &resource.specifier else {
            continue;
        };
        let found = resource.get(RETENTION).and_then(|e| e.value.as_deref());
        if let Some(found) = found.filter(|found| *found != wanted) {
            warn!(
                topic,
                found.ms = found,
                configured.ms = wanted,
                "topics.other_retention: it is left as it is"
            );
        }
    }
}

async fn describe(
    kafka: &Kafka,
    broker: i32,
    names: &[String],
) -> Result<Vec<ConfigResource>, KafkaError> {
    let admin = admin(kafka)?;
    let topics = names.iter().map(|name| ResourceSpecifier::Topic(name));
    let topics: Vec<_> = topics.collect();
    let options = AdminOptions::new()
        .request_timeout(Some(ASKING_PATIENCE))
        .broker_id(broker);
    let described = admin.describe_configs(&topics, &options).await;
    drop(topics);
    drop(apart(move || drop(admin)));
    described?
        .into_iter()
        .map(|resource| resource.map_err(KafkaError::AdminOp))
        .collect()
}

fn admin(kafka: &Kafka) -> Result<AdminClient<Quiet>, KafkaError> {
    AdminClient::from_config_and_context(&kafka.config(), Quiet)
}
