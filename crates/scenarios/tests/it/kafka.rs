//! A real Apache Kafka that a scenario may stop, freeze and start again.

use std::process::Command;

use dev_servers::{ClusterOptions, KafkaOptions, Port, PrivateKafka, ServerError, scratch_folder};
use serde_json::Value;

use crate::system::{state_folder, target_folder};

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

/// Runs what blocks beside the runtime.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}
