//! Facts of many beneficiaries lie on all partitions, on half of them in the opposite order of the
//! others: the batches of two consumers meet in every account, and none may wait in a circle.

use std::time::Duration;

use chrono::TimeDelta;
use kernel::{Clock as _, SystemClock};
use sqlx::PgPool;
use test_support::eventually;
use uuid::Uuid;

use crate::kafka;
use crate::producer::{Producer, Told};
use crate::system::System;

const BOUND: Duration = Duration::from_secs(120);
const PEOPLE: u128 = 200;
const PARTITIONS: u128 = 6;
const ROUNDS: u128 = 5;
/// What policy 1 gives for an order that was placed.
const POINTS: i64 = 40;

fn person(number: u128) -> Uuid {
    Uuid::from_u128(0x0193_8f6e_0000_7000_8000_0006_0000_0000 + number)
}

/// What lies on a partition: everybody in turn, round after round.
fn facts(partition: u128) -> Vec<Told> {
    let at = SystemClock.now() - TimeDelta::hours(1);
    let one_after_another = (0..ROUNDS * PEOPLE).map(|turn| {
        let place = turn % PEOPLE;
        let number = partition * ROUNDS * PEOPLE + turn;
        Told {
            id: Uuid::from_u128(0x0193_8f6e_0000_7000_8000_0007_0000_0000 + number),
            event: "OrderPlaced",
            commissioner: person(if partition.is_multiple_of(2) {
                place
            } else {
                PEOPLE - 1 - place
            }),
            order: Uuid::from_u128(0x0193_8f6e_0000_7000_8000_0008_0000_0000 + number),
            at,
        }
    });
    one_after_another.collect()
}

async fn count(pool: &PgPool, query: &str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_in_opposite_orders_are_counted_and_none_meets_a_deadlock() {
    let broker = kafka::start().await;
    let brokers = broker.address();
    let mut system = System::start(&brokers).await;
    let pool = system.database.pool_superuser().await;
    eventually("the topics", BOUND, || async {
        match count(&pool, "SELECT count(*) FROM ops.kafka_topics").await {
            4 => Ok(()),
            topics => Err(topics),
        }
    })
    .await;
    // Everything waits when both begin, so that their batches are as large as they get.
    system.projector.kill();
    let producer = Producer::of(&brokers);
    for partition in 0..PARTITIONS {
        let number = i32::try_from(partition).unwrap();
        producer.tell_on(number, &facts(partition)).await;
    }
    let mut another = system.another_projector();
    system.projector.start();
    another.start();
    let each = i64::try_from(PARTITIONS * ROUNDS).unwrap() * POINTS;
    eventually("everybody's points", BOUND, || async {
        let query = format!("SELECT count(*) FROM bonus.accounts WHERE lifetime_points = {each}");
        match count(&pool, &query).await {
            200 => Ok(()),
            done => Err(format!("{done} have them")),
        }
    })
    .await;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(count(&pool, deadlocks).await, 0);
    let given_up = "SELECT count(*) FROM ops.dead_letters";
    assert_eq!(count(&pool, given_up).await, 0);
}
