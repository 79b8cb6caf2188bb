//! The contracts, read by a stranger: a consumer in another language, which knows our topics by the
//! AsyncAPI document and the schemas alone, takes whatever the relay really sends.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use test_support::eventually;

use crate::kafka;
use crate::load::Load;
use crate::system::{System, state_folder};

/// Commissions that are accepted, called off and disputed, so that most events occur.
const COMMISSIONS: usize = 40;
const BOUND: Duration = Duration::from_secs(60);

/// How many events they tell of at least.
const EVENTS: usize = 13;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_reads_what_is_sent_by_the_documents_alone() {
    let broker = kafka::start().await;
    let brokers = broker.address();
    let system = System::start(&brokers).await;
    let load = Load::start(
        &system.commands,
        Some(COMMISSIONS),
        Duration::from_millis(20),
    )
    .await;
    assert_eq!(load.finish().await, COMMISSIONS);
    // Awards come back by way of Kafka, and are sent in turn.
    let told = eventually("all that is stored on the topics", BOUND, || async {
        let (told, stored) = (read_by_a_stranger(&brokers).await, stored(&system).await);
        match told == stored {
            true => Ok(told),
            false => Err(format!("{told:?} of {stored:?}")),
        }
    })
    .await;
    println!("{told:?}");
    assert!(told.len() >= EVENTS, "{told:?}");
}

/// How many messages of each event the consumer finds; each is held against the documents.
async fn read_by_a_stranger(brokers: &str) -> BTreeMap<String, i64> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut consumer = Command::new(state_folder().join("consumer/bin/python"));
    consumer
        .arg(here.join("tests/it/contract/consumer.py"))
        .arg(here.join("../contracts/asyncapi.json"))
        .arg(brokers);
    let output = kafka::blocking(move || consumer.output()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// How many there are in the store, and of what is sent beside them.
async fn stored(system: &System) -> BTreeMap<String, i64> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT event_type, count(*) FROM store.events
         WHERE aggregate_type IN ('order', 'account') GROUP BY event_type
         UNION ALL
         SELECT 'WorkshopCredited', count(*) FROM store.events
         WHERE event_type = 'OrderCompleted' HAVING count(*) > 0",
    )
    .fetch_all(&system.database.pool_owner().await)
    .await
    .unwrap();
    rows.into_iter().collect()
}
