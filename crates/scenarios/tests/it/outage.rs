//! Kafka stopped for a minute, and frozen for three quarters of one, under load; three times where
//! there is time for it.

use std::collections::HashSet;
use std::time::Duration;

use dev_servers::PrivateKafka;
use test_support::eventually;
use uuid::Uuid;

use crate::load::Load;
use crate::system::System;
use crate::whole::sized;
use crate::{audit, kafka};

const ORDER_EVENTS: &str = "atlas.order-events.v1";
const BOUND: Duration = Duration::from_secs(60);
const STOPPED: Duration = Duration::from_secs(60);
const FROZEN: Duration = Duration::from_secs(45);
/// Three commissions a second and worker, about a hundred commands a second in all.
const INTERVAL: Duration = Duration::from_millis(300);
/// The least of commands in either time, however slow the machine is.
const MANY: usize = 1000;

/// Whoever begins to read now finds every event that the relay has passed.
async fn what_the_relay_has_passed_can_be_read(system: &System, brokers: &str) {
    let passed: Vec<Uuid> = sqlx::query_scalar(
        "SELECT event_id FROM store.events WHERE aggregate_type = 'order'
         AND position <= (SELECT position FROM store.checkpoints WHERE name = 'relay')",
    )
    .fetch_all(&system.database.pool_owner().await)
    .await
    .unwrap();
    let messages = kafka::messages(brokers, ORDER_EVENTS).await;
    let told: HashSet<Uuid> = messages
        .iter()
        .map(|message| message["headers"]["ce_id"].as_str().unwrap())
        .map(|id| id.parse().unwrap())
        .collect();
    assert!(!passed.is_empty());
    let missing = passed.iter().filter(|id| !told.contains(id)).count();
    assert_eq!(missing, 0, "of {} that the relay has passed", passed.len());
}

async fn until_the_relay_sends(system: &System) {
    let pool = system.database.pool_owner().await;
    let sent = "SELECT count(*) FROM store.checkpoints WHERE name = 'relay' AND position > 0";
    eventually("the relay to send", BOUND, || async {
        match sqlx::query_scalar::<_, i64>(sent).fetch_one(&pool).await {
            Ok(1) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_do_not_notice_that_kafka_is_away_and_the_topics_catch_up() {
    let mut broker = kafka::start().await;
    let system = System::start(&broker.address()).await;
    let load = Load::start(&system.commands, None, INTERVAL).await;
    load.until(100).await;
    until_the_relay_sends(&system).await;

    let before = load.commands();
    broker = kafka::control(broker, PrivateKafka::stop).await;
    load.go_on_for(STOPPED).await;
    load.until(before + MANY).await;
    broker = kafka::control(broker, PrivateKafka::restart).await;
    let between = load.commands();
    for _ in 0..sized(3, 1) {
        broker = kafka::control(broker, PrivateKafka::pause).await;
        load.go_on_for(FROZEN).await;
        broker = kafka::control(broker, PrivateKafka::resume).await;
        what_the_relay_has_passed_can_be_read(&system, &broker.address()).await;
    }
    load.until(between + MANY).await;
    let after = load.commands();
    let commissions = load.stop().await;
    println!(
        "{commissions} commissions; {} commands while stopped, {} while frozen",
        between - before,
        after - between
    );
    audit::everything(&system.database, &broker.address()).await;
}
