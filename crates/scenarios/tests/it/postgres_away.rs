//! Postgres is away for minutes while facts come on Kafka: consumers wait without losing their
//! place, and go on at once when it is back.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use kernel::{Clock as _, SystemClock};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use sqlx::PgPool;
use test_support::eventually;
use uuid::Uuid;

use crate::producer::{Producer, Told};
use crate::system::{App, System};
use crate::whole::sized;
use crate::{kafka, metrics};

const BOUND: Duration = Duration::from_secs(60);
/// A group whose members have not changed for so long goes on as it is.
const SETTLED: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(10);
const TOPIC: &str = "atlas.order-events.v1";
const PARTITIONS: i32 = 6;
const FACTS: u128 = 120;
const REBALANCES: &str = "atlas_consumer_rebalances_total";

/// Facts of somebody each.
fn facts(from: u128) -> Vec<Told> {
    let at = SystemClock.now() - TimeDelta::hours(1);
    let number = |kind: u128, number: u128| {
        Uuid::from_u128(0x0193_8f6e_0000_7000_8000_0000_0000_0000 + (kind << 32) + number)
    };
    let facts = (from..from + FACTS).map(|fact| Told {
        id: number(0x21, fact),
        event: "OrderPlaced",
        commissioner: number(0x22, fact),
        order: number(0x23, fact),
        at,
    });
    facts.collect()
}

/// What the group has committed, by partition.
async fn committed(brokers: &str) -> BTreeMap<i32, i64> {
    let brokers = brokers.to_owned();
    kafka::blocking(move || {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &brokers)
            .set("group.id", "atlas-bonus")
            .create()
            .unwrap();
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_range(TOPIC, 0, PARTITIONS - 1);
        let committed = consumer.committed_offsets(partitions, PATIENCE).unwrap();
        let elements = committed.elements();
        let offsets = elements.iter().filter_map(|element| {
            let Offset::Offset(offset) = element.offset() else {
                return None;
            };
            Some((element.partition(), offset))
        });
        offsets.collect()
    })
    .await
}

/// Waits until it has been given its share of the partitions, and no more changes for a while.
async fn settled(member: &App) {
    let seen = Cell::new((0.0, Instant::now()));
    eventually("a member to have its share", BOUND, || async {
        let now = metrics::sum(member, REBALANCES).await.unwrap_or_default();
        let (before, since) = seen.get();
        if now < 1.0 || now > before {
            seen.set((now, Instant::now()));
        } else if since.elapsed() > SETTLED {
            return Ok(());
        }
        Err(format!("{now} rebalances"))
    })
    .await;
}

async fn awarded(pool: &PgPool, bound: Duration, accounts: u128) {
    eventually("the awards", bound, || async {
        let query = "SELECT count(*) FROM bonus.accounts WHERE lifetime_points = 40";
        let done: i64 = sqlx::query_scalar(query)
            .fetch_one(pool)
            .await
            .map_err(|error| error.to_string())?;
        if u128::try_from(done).unwrap() == accounts {
            Ok(())
        } else {
            Err(format!("{done} of {accounts}"))
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_offset_moves_while_postgres_is_away_and_facts_flow_once_it_is_back() {
    let away = sized(Duration::from_secs(7 * 60), Duration::from_secs(40));
    let broker = kafka::start().await;
    let brokers = broker.address();
    let system = System::start(&brokers).await;
    let mut another = system.another_projector();
    another.start();
    another.until(true).await;
    let pool = system.database.pool_owner().await;
    let producer = Producer::of(&brokers);
    producer.tell(&facts(0)).await;
    awarded(&pool, BOUND, FACTS).await;
    let all = i64::try_from(FACTS).unwrap();
    let before = eventually("the offsets", BOUND, || async {
        let offsets = committed(&brokers).await;
        if offsets.values().sum::<i64>() == all {
            Ok(offsets)
        } else {
            Err(format!("{offsets:?}"))
        }
    })
    .await;
    let members = [&system.projector, &another];
    for member in members {
        settled(member).await;
    }
    let rebalances = async || {
        let mut each = Vec::new();
        for member in members {
            each.push(metrics::sum(member, REBALANCES).await.unwrap());
        }
        each
    };
    let rebalanced = rebalances().await;

    system.stop_postgres().await;
    producer.tell(&facts(FACTS)).await;
    let since = Instant::now();
    eventually("a long while", away * 2, || async {
        if since.elapsed() > away {
            Ok(())
        } else {
            Err("it is away")
        }
    })
    .await;
    assert_eq!(committed(&brokers).await, before);
    system.start_postgres().await;
    let back = Instant::now();
    let pool = system.database.pool_owner().await;
    awarded(&pool, PATIENCE, 2 * FACTS).await;
    println!("facts were awarded {:?} after its return", back.elapsed());
    for (before, now) in rebalanced.iter().zip(rebalances().await) {
        assert!(now - before <= 1.0, "{before} rebalances, then {now}");
    }
    let given_up: i64 = sqlx::query_scalar("SELECT count(*) FROM ops.dead_letters")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(given_up, 0);
}
