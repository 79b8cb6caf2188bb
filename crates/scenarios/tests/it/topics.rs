//! Topics that are not those that were sent to before: the relay waits for an operator.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use test_support::eventually;

use crate::commission::Party;
use crate::kafka;
use crate::load::Load;
use crate::system::{System, target_folder};

const BOUND: Duration = Duration::from_secs(60);
const OPERATOR: &str = "01938f6e-0000-7000-8000-0000000000f1";
const ORDER_EVENTS: &str = "atlas.order-events.v1";

/// Runs `projector topics accept`, with nobody who would answer.
async fn accept(system: &System, brokers: &str, arguments: &'static [&'static str]) -> Output {
    let mut command = Command::new(target_folder().join("projector"));
    command
        .args(["topics", "accept", "--operator", OPERATOR])
        .args(["--reason", "the topic was made anew"])
        .args(arguments)
        .env("ATLAS_DATABASE_URL", system.database.url_app())
        .env("ATLAS_KAFKA_BROKERS", brokers)
        .stdin(Stdio::null());
    kafka::blocking(move || command.output()).await.unwrap()
}

/// What `projector acts` tells.
async fn acts(system: &System) -> Value {
    let mut command = Command::new(target_folder().join("projector"));
    command
        .args(["acts", "--format", "json"])
        .env("ATLAS_DATABASE_URL", system.database.url_app());
    let shown = kafka::blocking(move || command.output()).await.unwrap();
    serde_json::from_slice(&shown.stdout).unwrap()
}

/// Waits until the projector has made and recorded the topics.
async fn recorded(system: &System) {
    eventually("the topics to be recorded", BOUND, || async {
        let topics: i64 = sqlx::query_scalar("SELECT count(*) FROM ops.kafka_topics")
            .fetch_one(&system.database.pool_owner().await)
            .await
            .unwrap();
        if topics == 4 { Ok(()) } else { Err(topics) }
    })
    .await;
}

async fn names_the_command_that_goes_on(system: &System) {
    eventually("the command that goes on to be named", BOUND, async || {
        let log = system.projector.log();
        if log.contains("projector topics accept") {
            Ok(())
        } else {
            Err(log)
        }
    })
    .await;
}

async fn told(brokers: &str, orders: &[&str]) {
    eventually("the orders on the topic", BOUND, || async {
        let messages = kafka::messages(brokers, ORDER_EVENTS).await;
        let mut keys: Vec<_> = messages.iter().map(|m| m["key"].to_string()).collect();
        keys.sort();
        let mut expected: Vec<_> = orders.iter().map(|order| format!("\"{order}\"")).collect();
        expected.sort();
        if keys == expected {
            Ok(())
        } else {
            Err(format!("{keys:?}"))
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_topics_stop_the_relay_until_an_operator_accepts_them() {
    let broker = kafka::start().await;
    let brokers = broker.address();
    let mut system = System::start(&brokers).await;
    let client = Client::new();
    let operator = Party::new("operator", &client);
    let commissioner = Party::new("commissioner", &client);
    let workshops = [Party::new("workshop", &client)];
    operator.register(&system.commands[0], &workshops).await;
    let first = commissioner.place(&system.commands[0], &workshops).await;
    recorded(&system).await;
    told(&brokers, &[&first]).await;
    let nothing = accept(&system, &brokers, &[]).await;
    assert_eq!(nothing.status.code(), Some(0), "{nothing:?}");

    system.projector.kill();
    let owner = system.database.pool_owner().await;
    sqlx::query("UPDATE ops.kafka_topics SET topic_id = 'another' WHERE topic = $1")
        .bind(ORDER_EVENTS)
        .execute(&owner)
        .await
        .unwrap();
    let second = commissioner.place(&system.commands[0], &workshops).await;
    system.projector.start();
    names_the_command_that_goes_on(&system).await;
    let asked = accept(&system, &brokers, &[]).await;
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    let shown = String::from_utf8(asked.stderr).unwrap();
    assert!(
        shown.contains("atlas.order-events.v1 is recorded with topic id another"),
        "{shown}"
    );
    told(&brokers, &[&first]).await;

    let accepted = accept(&system, &brokers, &["--yes"]).await;
    assert_eq!(accepted.status.code(), Some(0), "{accepted:?}");
    told(&brokers, &[&first, &second]).await;
    let told = acts(&system).await;
    assert_eq!(told["acts"][0]["act"], "acceptTopics");
    assert_eq!(told["acts"][0]["operator"], OPERATOR);
    assert_eq!(told["acts"][0]["reason"], "the topic was made anew");
    assert_eq!(told["acts"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["nextCursor"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_added_to_a_topic_in_use_move_no_key_before_an_operator_accepts_them() {
    let broker = kafka::start().await;
    let brokers = broker.address();
    let system = System::start(&brokers).await;
    let load = Load::start(&system.commands, None, Duration::from_millis(300)).await;
    load.until(60).await;
    recorded(&system).await;
    let mut grow = broker.tool("org.apache.kafka.tools.TopicCommand");
    grow.args(["--bootstrap-server", &brokers, "--alter"])
        .args(["--topic", ORDER_EVENTS, "--partitions", "12"]);
    let grown = kafka::blocking(move || grow.output()).await.unwrap();
    assert!(grown.status.success(), "{grown:?}");

    names_the_command_that_goes_on(&system).await;
    let before = load.commands();
    load.until(before + 60).await;
    let mut places: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for message in kafka::messages(&brokers, ORDER_EVENTS).await {
        let key = message["key"].as_str().unwrap().to_owned();
        let partition = message["partition"].as_i64().unwrap();
        places.entry(key).or_default().insert(partition);
    }
    assert!(
        places.values().all(|places| places.len() == 1),
        "{places:?}"
    );
    assert!(places.values().flatten().all(|partition| *partition < 6));

    let accepted = accept(&system, &brokers, &["--yes"]).await;
    assert_eq!(accepted.status.code(), Some(0), "{accepted:?}");
    load.stop().await;
    let stored = "SELECT count(*) + count(*) FILTER (WHERE event_type = 'OrderCompleted')
                  FROM store.events WHERE aggregate_type = 'order'";
    let stored: i64 = sqlx::query_scalar(stored)
        .fetch_one(&system.database.pool_owner().await)
        .await
        .unwrap();
    eventually("everything on the topic", BOUND, || async {
        let messages = kafka::messages(&brokers, ORDER_EVENTS).await;
        let ids: BTreeSet<String> = messages
            .iter()
            .map(|message| message["headers"]["ce_id"].to_string())
            .collect();
        if i64::try_from(ids.len()).unwrap() == stored {
            Ok(())
        } else {
            Err(format!("{} of {stored}", ids.len()))
        }
    })
    .await;
}
