//! When what was committed became visible, by the clock of who waits for it: the checkpoints of read
//! models on a connection of its own, and the topic of orders.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const TOPIC: &str = "atlas.order-events.v1";
const PARTITIONS: i32 = 6;
/// How often the checkpoints are looked at: so exact is what is told of them.
const LOOK: Duration = Duration::from_millis(2);
const POLL: Duration = Duration::from_millis(100);

/// What a reader has passed, and when that was seen.
#[derive(Default)]
pub(crate) struct Passed(Vec<(i64, Instant)>);

impl Passed {
    /// When the reader was seen to have passed a position.
    pub(crate) fn at(&self, position: i64) -> Option<Instant> {
        let index = self.0.partition_point(|(passed, _)| *passed < position);
        self.0.get(index).map(|(_, at)| *at)
    }

    fn note(&mut self, position: i64, at: Instant) {
        if self.0.last().is_none_or(|(last, _)| *last < position) {
            self.0.push((position, at));
        }
    }
}

/// Watches the read models of orders and of accounts.
pub(crate) fn checkpoints(pool: PgPool, stop: CancellationToken) -> JoinHandle<(Passed, Passed)> {
    tokio::spawn(async move {
        let (mut orders, mut accounts) = (Passed::default(), Passed::default());
        let mut ticks = tokio::time::interval(LOOK);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let (of_orders, of_accounts): (i64, i64) = sqlx::query_as(
                "SELECT (SELECT position FROM store.checkpoints WHERE name = 'orders@1'),
                        (SELECT position FROM store.checkpoints WHERE name = 'bonus@1')",
            )
            .fetch_one(&pool)
            .await
            .unwrap();
            let now = Instant::now();
            orders.note(of_orders, now);
            accounts.note(of_accounts, now);
        }
        (orders, accounts)
    })
}

/// Watches the topic of orders: when each position came first.
pub(crate) fn topic(brokers: &str, stop: CancellationToken) -> JoinHandle<HashMap<i64, Instant>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "20")
        .create()
        .unwrap();
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        partitions
            .add_partition_offset(TOPIC, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&partitions).unwrap();
    tokio::task::spawn_blocking(move || {
        let mut came = HashMap::new();
        while !stop.is_cancelled() {
            let Some(message) = consumer.poll(POLL) else {
                continue;
            };
            let message = message.unwrap();
            let headers = message.headers().unwrap();
            let position = headers.iter().find(|header| header.key == "ce_position");
            let position = std::str::from_utf8(position.unwrap().value.unwrap()).unwrap();
            came.entry(position.parse().unwrap())
                .or_insert_with(Instant::now);
        }
        came
    })
}
