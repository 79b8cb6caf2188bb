//! A real Apache Kafka that a scenario may stop, freeze and start again.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use dev_servers::{ClusterOptions, KafkaOptions, Port, PrivateKafka, ServerError, scratch_folder};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, TopicPartitionList};
use serde_json::Value;
use test_support::eventually;

use crate::system::{state_folder, target_folder};

const BOUND: Duration = Duration::from_secs(60);

/// Starts an empty broker, fetching its program where it is not there yet.
pub(crate) async fn start() -> PrivateKafka {
    let options = KafkaOptions {
        cache: state_folder().join("cache"),
        folder: scratch_folder(&state_folder().join("scenarios")),
        port: Port::Free,
    };
    blocking(move || PrivateKafka::start(options))
        .await
        .unwrap()
}

/// The same of three nodes.
pub(crate) async fn start_cluster() -> Vec<PrivateKafka> {
    let options = ClusterOptions {
        cache: state_folder().join("cache"),
        folder: scratch_folder(&state_folder().join("scenarios")),
        nodes: 3,
    };
    blocking(move || PrivateKafka::start_cluster(&options))
        .await
        .unwrap()
}

/// Stops, freezes or starts one.
pub(crate) async fn control(
    mut broker: PrivateKafka,
    action: fn(&mut PrivateKafka) -> Result<(), ServerError>,
) -> PrivateKafka {
    blocking(move || {
        action(&mut broker).unwrap();
        broker
    })
    .await
}

/// Everything that a topic holds, in the order of each partition.
pub(crate) async fn messages(brokers: &str, topic: &str) -> Vec<Value> {
    let mut tail = Command::new(target_folder().join("dev-broker"));
    tail.args(["tail", "--brokers", brokers, "--topic", topic])
        .args(["--from-beginning", "--until-idle", "--timeout", "60"]);
    let output = blocking(move || tail.output()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Waits until a group has taken in everything that a topic holds.
pub(crate) async fn until_taken_in(brokers: &str, group: &str, topic: &'static str) {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("group.id", group);
    let consumer: Arc<BaseConsumer> = Arc::new(config.create().unwrap());
    eventually("the group to have taken in all", BOUND, || {
        let consumer = Arc::clone(&consumer);
        async move {
            let behind = blocking(move || behind(&consumer, topic)).await;
            if behind == 0 { Ok(()) } else { Err(behind) }
        }
    })
    .await;
}

/// How many messages of a topic a consumer's group has not committed.
fn behind(consumer: &BaseConsumer, topic: &str) -> i64 {
    let metadata = consumer.fetch_metadata(Some(topic), BOUND).unwrap();
    let mut partitions = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        partitions.add_partition(topic, partition.id());
    }
    let committed = consumer.committed_offsets(partitions, BOUND).unwrap();
    let behind = committed.elements().into_iter().map(|partition| {
        let ends = consumer.fetch_watermarks(topic, partition.partition(), BOUND);
        let (begin, end) = ends.unwrap();
        end - partition
            .offset()
            .to_raw()
            .map_or(begin, |at| at.max(begin))
    });
    behind.sum()
}

/// Runs what blocks beside the runtime.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}
