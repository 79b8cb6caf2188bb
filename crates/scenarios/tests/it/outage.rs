//! Kafka stopped for a minute, and frozen for three quarters of one, under load.

use std::time::Duration;

use dev_servers::{PrivateKafka, ServerError};

use crate::load::Load;
use crate::system::System;
use crate::{audit, kafka};

const STOPPED: Duration = Duration::from_secs(60);
const FROZEN: Duration = Duration::from_secs(45);
/// Three commissions a second and worker, about a hundred commands a second in all.
const INTERVAL: Duration = Duration::from_millis(300);
/// The least of commands in either time, however slow the machine is.
const MANY: usize = 1000;

async fn control(
    mut broker: PrivateKafka,
    action: fn(&mut PrivateKafka) -> Result<(), ServerError>,
) -> PrivateKafka {
    kafka::blocking(move || {
        action(&mut broker).unwrap();
        broker
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_do_not_notice_that_kafka_is_away_and_the_topics_catch_up() {
    let mut broker = kafka::start().await;
    let system = System::start(&broker.address()).await;
    let load = Load::start(&system.commands, None, INTERVAL).await;
    load.until(100).await;

    let before = load.commands();
    broker = control(broker, PrivateKafka::stop).await;
    load.go_on_for(STOPPED).await;
    load.until(before + MANY).await;
    broker = control(broker, PrivateKafka::restart).await;
    let between = load.commands();
    broker = control(broker, PrivateKafka::pause).await;
    load.go_on_for(FROZEN).await;
    load.until(between + MANY).await;
    broker = control(broker, PrivateKafka::resume).await;
    let after = load.commands();
    let commissions = load.stop().await;
    println!(
        "{commissions} commissions; {} commands while stopped, {} while frozen",
        between - before,
        after - between
    );
    audit::everything(&system.database, &broker.address()).await;
}
