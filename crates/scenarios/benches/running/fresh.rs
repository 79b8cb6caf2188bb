//! At 200 commands a second: how long after a command's answer it can be read, is on Kafka, and has
//! moved the account; what an order costs each process; and what a read that asks for no less than
//! the command waits.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::figures::{Cpu, quantiles};
use crate::pace::{Done, Given, Pace};
use crate::system::System;
use crate::{kafka, watch};

/// Commands a second.
const RATE: u32 = 200;
const WARM_UP: Duration = Duration::from_secs(10);
const MEASURED: Duration = Duration::from_secs(30);
/// What was given last has to become visible too.
const LAST: Duration = Duration::from_secs(2);

pub(crate) async fn measure() {
    let broker = kafka::start().await;
    let system = System::start(&broker.address()).await;
    let pool = system.database.pool_owner().await;
    let warm_up = Pace::start(&system, RATE, true).await;
    tokio::time::sleep(WARM_UP).await;
    warm_up.stop().await;

    println!("{RATE} commands/s, nobody reads:");
    measured(&system, false).await;
    println!("{RATE} commands/s, each fourth read with its token:");
    let done = measured(&system, true).await;
    quantiles("answer to read, with the token", done.read);
    println!("{RATE} commands/s, watched every 2 ms:");
    watched(&system, &pool, &broker.address()).await;
}

/// Commands for a while: how long they take, and what an order costs.
async fn measured(system: &System, reads: bool) -> Done {
    let pace = Pace::start(system, RATE, reads).await;
    let (cpu, began, before) = (Cpu::now(), Instant::now(), pace.orders());
    tokio::time::sleep(MEASURED).await;
    let orders = pace.orders() - before;
    cpu.print_each(orders);
    let elapsed = began.elapsed().as_secs_f64();
    println!("  {:.1} orders/s begun", f64::from(orders) / elapsed);
    let done = pace.stop().await;
    quantiles("the command itself", latencies(&done.given));
    done
}

/// How long after its answer a command is visible, where it is looked for.
async fn watched(system: &System, pool: &PgPool, brokers: &str) {
    let stop = CancellationToken::new();
    let checkpoints = watch::checkpoints(pool.clone(), stop.clone());
    let topic = watch::topic(brokers, stop.clone());
    let pace = Pace::start(system, RATE, false).await;
    tokio::time::sleep(MEASURED).await;
    let given = pace.stop().await.given;
    tokio::time::sleep(LAST).await;
    stop.cancel();
    let (of_orders, of_accounts) = checkpoints.await.unwrap();
    let came = topic.await.unwrap();
    let awards = awards(pool).await;
    let after = |given: &Given, at: Option<Instant>| {
        at.map(|at| at.saturating_duration_since(given.answered))
    };
    let readable = given
        .iter()
        .filter_map(|it| after(it, of_orders.at(it.position)));
    quantiles("answer to read model", readable.collect());
    let told = given
        .iter()
        .filter_map(|it| after(it, came.get(&it.position).copied()));
    quantiles("answer to a consumer of Kafka", told.collect());
    let moved = given.iter().filter_map(|it| {
        let award = awards.get(&it.position)?;
        after(it, of_accounts.at(*award))
    });
    quantiles("answer to account, readable", moved.collect());
}

fn latencies(given: &[Given]) -> Vec<Duration> {
    given.iter().map(|it| it.answered - it.asked).collect()
}

/// The position of each award, by that of the fact that it is for.
async fn awards(pool: &PgPool) -> HashMap<i64, i64> {
    let pairs: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT fact.position, award.position
         FROM store.events award
         JOIN store.events fact ON fact.event_id = (award.payload->>'sourceEventId')::uuid
         WHERE award.aggregate_type = 'account' AND award.event_type = 'PointsAwarded'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    pairs.into_iter().collect()
}
