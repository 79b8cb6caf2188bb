//! Many people, each with eight streams open, while commands are given: what it costs the commands, how
//! late frames are, and what the process keeps. An optimised build is held to the figures, at two
//! thousand streams; any other shows, with a few, that it holds together.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::future::join_all;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::follower::Connection;
use crate::commission::Party;
use crate::system::{App, System};

/// Nobody listens there: commands and queries need no Kafka.
const NO_KAFKA: &str = "127.0.0.1:9";
/// Whether it is held to the figures.
const FULL: bool = !cfg!(debug_assertions);
const PEOPLE: usize = if FULL { 250 } else { 25 };
/// Each follows the list of their orders, and each of them.
const ORDERS: usize = 7;
const STREAMS: usize = PEOPLE * (ORDERS + 1);
const COMMANDS_A_SECOND: u32 = if FULL { 200 } else { 40 };
const WHILE: Duration = Duration::from_secs(if FULL { 30 } else { 5 });
const WORKERS: u32 = 20;
const BOUND: Duration = Duration::from_secs(120);

const LATEST_FRAME: Duration = Duration::from_millis(100);
const SLOWEST_COMMANDS: f64 = 1.10;
/// By how much the process may grow while its streams are open.
const GROWTH_KB: usize = 16 * 1024;

/// Somebody and their orders.
struct Person {
    who: Party,
    orders: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_cost_the_commands_little_and_are_told_soon() {
    let system = System::start(NO_KAFKA).await;
    let people = Arc::new(people(&system).await);
    let alone = give(&system, &people).await;

    let measuring = Arc::new(AtomicBool::new(false));
    let open = Arc::new(AtomicUsize::new(0));
    let (late, mut lateness) = mpsc::unbounded_channel();
    let mut readers = Vec::new();
    let client = Client::new();
    for person in people.iter() {
        let lists = std::iter::once("/v1/orders".to_owned());
        let timelines = person
            .orders
            .iter()
            .map(|it| format!("/v1/orders/{it}/timeline"));
        for path in lists.chain(timelines) {
            let (url, token) = (system.query.url(&path), person.who.token.clone());
            let told = Told {
                open: Arc::clone(&open),
                measuring: Arc::clone(&measuring),
                late: late.clone(),
            };
            readers.push(tokio::spawn(told.follow(client.clone(), url, token)));
        }
    }
    drop(late);
    test_support::eventually("all streams", BOUND, || async {
        match open.load(Ordering::Relaxed) {
            STREAMS => Ok(()),
            others => Err(others),
        }
    })
    .await;
    let before = resident_kb(&system.query);
    measuring.store(true, Ordering::Relaxed);
    let beside = give(&system, &people).await;
    // The last frames are on their way.
    let enough = beside.len() * 2;
    let mut late = Vec::new();
    while late.len() < enough {
        let frame = tokio::time::timeout(BOUND, lateness.recv()).await;
        late.push(frame.expect("a frame of each list and timeline").unwrap());
    }
    let after = resident_kb(&system.query);
    readers.iter().for_each(JoinHandle::abort);

    let ratio = quantile(&beside, 0.5).as_secs_f64() / quantile(&alone, 0.5).as_secs_f64();
    let (half, latest) = (quantile(&late, 0.5), quantile(&late, 0.99));
    println!(
        "{STREAMS} streams, {COMMANDS_A_SECOND} commands/s: commands take {:?} beside {:?} without \
         ({ratio:.2}); frames after {half:?}, p99 {latest:?} ({} of them); {before} kB, then {after} kB",
        quantile(&beside, 0.5),
        quantile(&alone, 0.5),
        late.len(),
    );
    assert!(after < before + GROWTH_KB, "{before} kB, then {after} kB");
    if FULL {
        assert!(latest <= LATEST_FRAME, "{latest:?}");
        assert!(ratio <= SLOWEST_COMMANDS, "{ratio:.2}");
    }
}

/// Commissioners with orders of their own.
async fn people(system: &System) -> Vec<Person> {
    let client = Client::new();
    let operator = Party::new("operator", &client);
    let workshops = [Party::new("workshop", &client)];
    operator.register(&system.commands[0], &workshops).await;
    let made = (0..PEOPLE).map(|number| {
        let (client, workshops) = (client.clone(), &workshops);
        let app = &system.commands[number % 2];
        async move {
            let who = Party::new("commissioner", &client);
            let mut orders = Vec::new();
            for _ in 0..ORDERS {
                orders.push(who.place(app, workshops).await);
            }
            Person { who, orders }
        }
    });
    join_all(made).await
}

/// Edits orders in turn for a while; how long each took.
async fn give(system: &System, people: &Arc<Vec<Person>>) -> Vec<Duration> {
    let workers = (0..WORKERS).map(|number| {
        let app = system.commands[number as usize % 2].at_same_address();
        tokio::spawn(edit(app, Arc::clone(people), number as usize))
    });
    let workers: Vec<_> = workers.collect();
    let mut took = Vec::new();
    for worker in workers {
        took.extend(worker.await.unwrap());
    }
    took
}

async fn edit(app: App, people: Arc<Vec<Person>>, number: usize) -> Vec<Duration> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / (COMMANDS_A_SECOND / WORKERS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let begun = Instant::now();
    let mut took = Vec::new();
    // Each has people of their own, and comes to the same order seldom.
    let own: Vec<_> = people
        .iter()
        .skip(number)
        .step_by(WORKERS as usize)
        .collect();
    for turn in 0_usize.. {
        ticks.tick().await;
        if begun.elapsed() > WHILE {
            break;
        }
        let person = own[turn % own.len()];
        let order = &person.orders[turn / own.len() % ORDERS];
        let path = format!("/v1/orders/{order}/request");
        let title = json!({ "title": format!("A desk, {turn} of {begun:?}") });
        let sent = Instant::now();
        person.who.patch(&app, &path, &title).await.ok();
        took.push(sent.elapsed());
    }
    took
}

/// What one stream tells of itself.
struct Told {
    open: Arc<AtomicUsize>,
    measuring: Arc<AtomicBool>,
    late: mpsc::UnboundedSender<Duration>,
}

impl Told {
    async fn follow(self, client: Client, url: String, token: String) {
        let opened = Connection::open(&client, &url, &token, None).await;
        let mut connection = opened.unwrap();
        connection.until_caught_up().await;
        self.open.fetch_add(1, Ordering::Relaxed);
        while let Some(frame) = connection.next().await {
            if frame.event == "message" && self.measuring.load(Ordering::Relaxed) {
                self.late.send(lateness(&frame.data["item"])).ok();
            }
        }
    }
}

/// How long ago the event of an item was decided: before it was stored.
#[expect(
    clippy::disallowed_methods,
    reason = "real processes go by the real clock"
)]
fn lateness(item: &Value) -> Duration {
    let instant = item["occurredAt"].as_str().or(item["updatedAt"].as_str());
    let instant: DateTime<Utc> = instant.unwrap().parse().unwrap();
    (Utc::now() - instant).to_std().unwrap_or_default()
}

/// What the process holds of memory.
fn resident_kb(app: &App) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", app.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.unwrap().trim().trim_end_matches("kB").trim();
    kb.parse().unwrap()
}

fn quantile(all: &[Duration], part: f64) -> Duration {
    let mut sorted = all.to_vec();
    sorted.sort_unstable();
    sorted[((sorted.len() - 1) as f64 * part) as usize]
}
