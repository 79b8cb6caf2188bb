//! What clients and producers make up costs nothing that stays: no series, no memory.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use reqwest::{Client, Method};
use test_support::eventually;
use uuid::Uuid;

use crate::producer::Producer;
use crate::system::{App, System};

const PATHS: usize = 20_000;
const TYPES: usize = 2_000;
const WORKERS: usize = 16;
const BOUND: Duration = Duration::from_secs(60);
/// What an allocator keeps or not as it likes. A series that stays for each path would take several
/// times as much.
const KEPT_KIB: u64 = 6 * 1024;

/// How many series a process has.
async fn series(app: &App) -> usize {
    let text = reqwest::get(app.url("/metrics")).await.unwrap();
    let text = text.text().await.unwrap();
    text.lines().filter(|line| !line.starts_with('#')).count()
}

/// The memory that it has in use, in KiB.
fn memory(app: &App) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", app.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

/// Asks for so many paths that nobody has, by methods that somebody made up too.
async fn ask_for_anything(app: &App, paths: usize, salt: &str) {
    let client = Client::new();
    let next = Arc::new(AtomicUsize::new(0));
    let workers = (0..WORKERS).map(|_| {
        let (client, next, url) = (client.clone(), Arc::clone(&next), app.url("/"));
        let salt = salt.to_owned();
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= paths {
                    return;
                }
                let method = match number % 4 {
                    0 => Method::POST,
                    1 => Method::from_bytes(format!("M{number}").as_bytes()).unwrap(),
                    _ => Method::GET,
                };
                let path = format!("{url}{salt}/{number:x}/{}", number * 7919);
                let answer = client.request(method, path).send().await.unwrap();
                assert!(answer.status().is_client_error(), "{answer:?}");
            }
        })
    });
    for worker in join_all(workers).await {
        worker.unwrap();
    }
}

/// Asks both APIs for random paths, and sends the consumer messages of types that nobody knows.
pub(crate) async fn nothing_stays_of_what_others_make_up(system: &System, brokers: &str) {
    for app in [&system.commands[0], &system.query] {
        // What there is from the first such request on, and what the allocator wants for so many.
        ask_for_anything(app, PATHS / 10, "first").await;
        let before = (series(app).await, memory(app));
        ask_for_anything(app, PATHS, "then").await;
        let after = (series(app).await, memory(app));
        println!("{PATHS} random paths: series and KiB {before:?}, then {after:?}");
        assert_eq!(before.0, after.0, "series");
        assert!(after.1 < before.1 + KEPT_KIB, "{before:?} {after:?}");
    }

    let producer = Producer::of(brokers);
    let app = &system.projector;
    let odd = |from: usize, to: usize| {
        let types =
            (from..to).map(|number| format!("x.{}.{number}", Uuid::from_u128(number as u128)));
        types.collect::<Vec<_>>()
    };
    let pool = system.database.pool_app().await;
    producer.send_of_types(&odd(0, TYPES / 10)).await;
    taken_in(app).await;
    let before = (series(app).await, memory(app));
    producer
        .send_of_types(&odd(TYPES / 10, TYPES + TYPES / 10))
        .await;
    taken_in(app).await;
    let after = (series(app).await, memory(app));
    println!("{TYPES} odd types: series and KiB {before:?}, then {after:?}");
    assert_eq!(before.0, after.0, "series");
    assert!(after.1 < before.1 + KEPT_KIB, "{before:?} {after:?}");
    let dead: i64 =
        sqlx::query_scalar("SELECT count(*) FROM ops.dead_letters WHERE closed_at IS NULL")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(dead, 0, "what is of no interest is passed over");
}

/// Waits until the consumer has passed everything there is.
async fn taken_in(app: &App) {
    eventually("the messages to be passed", BOUND, async || {
        let text = reqwest::get(app.url("/metrics")).await.unwrap();
        let text = text.text().await.unwrap();
        let lag: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("atlas_consumer_lag_messages{"))
            .collect();
        if !lag.is_empty() && lag.iter().all(|line| line.ends_with(" 0")) {
            Ok(())
        } else {
            Err(format!("{lag:?}"))
        }
    })
    .await;
}
