//! Topics that are not those that were sent to before: the relay waits for an operator.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use test_support::eventually;

use crate::commission::Party;
use crate::kafka;
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
    eventually("the command that goes on to be named", BOUND, async || {
        let log = system.projector.log();
        if log.contains("projector topics accept") {
            Ok(())
        } else {
            Err(log)
        }
    })
    .await;
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
