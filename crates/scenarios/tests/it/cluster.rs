//! Three brokers, of which two go away under load: what they have acknowledged is safe, the relay
//! waits, and goes on as soon as one of them is back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dev_servers::PrivateKafka;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use sqlx::PgPool;
use test_support::eventually;

use crate::load::Load;
use crate::system::System;
use crate::whole::sized;
use crate::{audit, kafka};

const BOUND: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(20);
const INTERVAL: Duration = Duration::from_millis(300);
const TOPICS: [&str; 4] = [
    "atlas.order-events.v1",
    "atlas.order-events.v1.dlq",
    "atlas.bonus-events.v1",
    "atlas.bonus-events.v1.dlq",
];

/// A topic's settings, as the brokers have them in force.
async fn settings(brokers: &str, topic: &str) -> BTreeMap<String, String> {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()
        .unwrap();
    let mut found = admin
        .describe_configs(&[ResourceSpecifier::Topic(topic)], &AdminOptions::new())
        .await
        .unwrap();
    let entries = found.pop().unwrap().unwrap().entries.into_iter();
    entries
        .filter_map(|entry| Some((entry.name, entry.value?)))
        .collect()
}

/// How many copies each partition of a topic has, the least of them.
async fn copies(brokers: &str, topic: &'static str) -> Option<usize> {
    let brokers = brokers.to_owned();
    kafka::blocking(move || {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &brokers)
            .create()
            .unwrap();
        let metadata = client.fetch_metadata(Some(topic), PATIENCE).unwrap();
        let partitions = metadata.topics()[0].partitions().iter();
        partitions.map(|partition| partition.replicas().len()).min()
    })
    .await
}

/// The relay's position and state.
async fn relay(pool: &PgPool) -> (i64, String) {
    let row = "SELECT position, state FROM store.checkpoints WHERE name = 'relay'";
    sqlx::query_as(row).fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_two_of_three_brokers_gone_the_relay_waits_and_with_one_back_it_drains() {
    // How long the relay is seen to wait.
    let watched = sized(Duration::from_secs(60), Duration::from_secs(5));
    let mut nodes = kafka::start_cluster().await;
    let addresses: Vec<String> = nodes.iter().map(PrivateKafka::address).collect();
    let brokers = addresses.join(",");
    let system = System::start(&brokers).await;
    let load = Load::start(&system.commands, None, INTERVAL).await;
    load.until(100).await;
    for topic in TOPICS {
        let settings = settings(&brokers, topic).await;
        assert_eq!(settings["min.insync.replicas"], "2", "{topic}");
        assert_eq!(
            settings["unclean.leader.election.enable"], "false",
            "{topic}"
        );
        assert_eq!(copies(&brokers, topic).await, Some(3), "{topic}");
    }

    let third = kafka::control(nodes.pop().unwrap(), PrivateKafka::kill).await;
    let second = kafka::control(nodes.pop().unwrap(), PrivateKafka::kill).await;
    let pool = system.database.pool_owner().await;
    let (waits_at, _) = eventually("the relay to wait", BOUND, || async {
        let relay = relay(&pool).await;
        if relay.1 == "waiting" {
            Ok(relay)
        } else {
            Err(format!("{relay:?}"))
        }
    })
    .await;
    let (before, since) = (load.commands(), Instant::now());
    eventually("a while", BOUND, || async {
        let (position, _) = relay(&pool).await;
        assert_eq!(position, waits_at, "what one broker has is not safe");
        if since.elapsed() > watched {
            Ok(())
        } else {
            Err("it waits")
        }
    })
    .await;
    load.until(before + 100).await;

    let second = kafka::control(second, PrivateKafka::restart).await;
    let last: i64 = sqlx::query_scalar("SELECT max(position) FROM store.events")
        .fetch_one(&pool)
        .await
        .unwrap();
    let back = Instant::now();
    eventually("the relay to drain", BOUND, || async {
        let relay = relay(&pool).await;
        if relay.0 >= last {
            Ok(())
        } else {
            Err(format!("{relay:?} of {last}"))
        }
    })
    .await;
    println!("drained {:?} after one was back", back.elapsed());
    let third = kafka::control(third, PrivateKafka::restart).await;
    load.stop().await;
    audit::everything(&system.database, &brokers).await;
    drop((second, third));
}
