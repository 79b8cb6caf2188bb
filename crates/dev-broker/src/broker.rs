//! The broker itself: a mock cluster of one node, kept alive for as long as it is wanted.

use std::io::{self, Write};
use std::time::Duration;

use rdkafka::bindings;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{DefaultProducerContext, Producer, ThreadedProducer};
use rustix::process::{Pid, getppid};
use tokio::signal::unix::{SignalKind, signal};

/// The topics that the projector would otherwise make; the mock does not answer its request.
const TOPICS: [&str; 4] = [
    "atlas.order-events.v1",
    "atlas.order-events.v1.dlq",
    "atlas.bonus-events.v1",
    "atlas.bonus-events.v1.dlq",
];
const PARTITIONS: i32 = 6;
/// How often it is looked whether the parent is still there.
const LOOK_FOR_PARENT: Duration = Duration::from_millis(250);

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// librdkafka did not start it.
    #[error("the broker was not started")]
    Start(#[source] KafkaError),
    /// librdkafka gave a client without the cluster that was asked for.
    #[error("the broker was not started: librdkafka was built without its mock cluster")]
    NoMock,
    /// The process could not wait for its end, or say that it is ready.
    #[error("the broker's process failed")]
    Process(#[from] io::Error),
}

/// Runs the broker until it is told to stop.
pub(crate) fn serve() -> Result<(), ServeError> {
    // Before anything else: a parent that ends meanwhile is another one afterwards.
    let parent = getppid();
    // The cluster lives inside this client, which needs somebody to poll it.
    let client: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("test.mock.num.brokers", "1")
        .create()
        .map_err(ServeError::Start)?;
    let cluster = client.client().mock_cluster().ok_or(ServeError::NoMock)?;
    for topic in TOPICS {
        cluster
            .create_topic(topic, PARTITIONS, 1)
            .map_err(ServeError::Start)?;
    }
    join_groups_at_once(&client);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // Listening for the end before saying that it has begun.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut stdout = io::stdout();
        writeln!(stdout, "ready kafka={}", cluster.bootstrap_servers())?;
        stdout.flush()?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = ended(parent) => {}
        }
        Ok(())
    })
}

/// Takes the three seconds away that a broker waits for more members of a new group.
#[expect(
    unsafe_code,
    reason = "the setting is not in rdkafka's interface, only in librdkafka's"
)]
fn join_groups_at_once(client: &ThreadedProducer<DefaultProducerContext>) {
    // SAFETY: both pointers are owned by `client`, which outlives the calls; the setter only
    // writes a number under the cluster's own lock.
    unsafe {
        let cluster = bindings::rd_kafka_handle_mock_cluster(client.client().native_ptr());
        if !cluster.is_null() {
            bindings::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
        }
    }
}

/// Waits for the end of the process that started this one. A death signal would come from the end
/// of the *thread* that did, which may be a passing one.
async fn ended(parent: Option<Pid>) {
    let mut look = tokio::time::interval(LOOK_FOR_PARENT);
    while getppid() == parent {
        look.tick().await;
    }
}
