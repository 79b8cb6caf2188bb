//! Measures ways of doing one thing. They take turns, so that what else the machine does falls on
//! all of them, and are told as ratios to the first.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, process};

use sqlx::Connection as _;

use crate::TestDatabase;

/// One thing being done.
pub type Doing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One way of doing it.
#[derive(Clone)]
pub struct Way {
    name: &'static str,
    server: Option<u32>,
    once: Arc<dyn Fn(usize, usize) -> Doing + Send + Sync>,
}

impl Way {
    /// `once` does it on one of the connections, from 0; the second number is new at every call.
    pub fn new(
        name: &'static str,
        once: impl Fn(usize, usize) -> Doing + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            server: None,
            once: Arc::new(once),
        }
    }

    /// The same, with the process that serves it.
    #[must_use]
    pub fn served_by(self, process: u32) -> Self {
        Self {
            server: Some(process),
            ..self
        }
    }
}

/// How much is done: each way once to warm up, then in turn with the others.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many do it at once.
    pub connections: usize,
    /// How many turns each way has.
    pub rounds: usize,
    /// How often it is done in a turn.
    pub times: usize,
}

impl Plan {
    /// How often each way is done in all, the warm-up included.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.rounds * self.times + self.warm_up()
    }

    const fn warm_up(&self) -> usize {
        self.times / 4
    }
}

/// What was measured of one way.
#[derive(Debug, Default)]
struct Figures {
    took: Duration,
    latencies: Vec<Duration>,
    cpu: Cpu,
}

/// Processor time: of the process that measures, of the server, and of Postgres.
#[derive(Debug, Clone, Copy, Default)]
struct Cpu {
    client: Duration,
    server: Duration,
    postgres: Duration,
}

/// Measures the ways and prints a table, ratios first.
///
/// # Panics
/// When a way does.
pub async fn measure(title: &str, database: &TestDatabase, plan: Plan, ways: &[Way]) {
    let postmaster = postmaster(database).await;
    let mut done: Vec<usize> = vec![0; ways.len()];
    for (way, done) in ways.iter().zip(&mut done) {
        turn(way, plan, plan.warm_up(), done).await;
    }
    let mut figures: Vec<Figures> = ways.iter().map(|_| Figures::default()).collect();
    for _ in 0..plan.rounds {
        for ((way, done), figures) in ways.iter().zip(&mut done).zip(&mut figures) {
            let before = Cpu::now(way, postmaster);
            let began = Instant::now();
            let latencies = turn(way, plan, plan.times, done).await;
            figures.took += began.elapsed();
            figures.cpu.add(before, Cpu::now(way, postmaster));
            figures.latencies.extend(latencies);
        }
    }
    println!("{}", table(title, plan, ways, &mut figures));
}

async fn turn(way: &Way, plan: Plan, times: usize, done: &mut usize) -> Vec<Duration> {
    let next = Arc::new(AtomicUsize::new(*done));
    *done += times;
    let end = *done;
    let tasks: Vec<_> = (0..plan.connections)
        .map(|connection| {
            let (once, next) = (Arc::clone(&way.once), Arc::clone(&next));
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= end {
                        return latencies;
                    }
                    let began = Instant::now();
                    once(connection, number).await;
                    latencies.push(began.elapsed());
                }
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        match task.await {
            Ok(of_one) => latencies.extend(of_one),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    latencies
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "printed with few digits"
)]
fn table(title: &str, plan: Plan, ways: &[Way], figures: &mut [Figures]) -> String {
    let rate = |f: &Figures| f.latencies.len() as f64 / f.took.as_secs_f64();
    let base = figures.first().map_or(1.0, rate);
    let mut text = format!(
        "\n{title}, {} connections\n ratio      a second   p50 ms   p99 ms   CPU µs each: \
         server  Postgres  client\n",
        plan.connections
    );
    for (way, figures) in ways.iter().zip(figures) {
        figures.latencies.sort_unstable();
        let count = figures.latencies.len();
        let at = |share: f64| {
            let index = (count as f64 * share) as usize;
            let latency = figures.latencies.get(index).copied().unwrap_or_default();
            latency.as_secs_f64() * 1e3
        };
        let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / count.max(1) as f64;
        let server = match way.server {
            Some(_) => format!("{:.0}", each(figures.cpu.server)),
            None => "-".to_owned(),
        };
        writeln!(
            text,
            "  {:.2}  {:>12.0}  {:>7.2}  {:>7.2}  {:>20}  {:>8.0}  {:>6.0}  {}",
            rate(figures) / base,
            rate(figures),
            at(0.50),
            at(0.99),
            server,
            each(figures.cpu.postgres),
            each(figures.cpu.client),
            way.name
        )
        .ok();
    }
    text
}

impl Cpu {
    fn now(way: &Way, postmaster: u32) -> Self {
        Self {
            client: own_time(process::id()),
            server: way.server.map(own_time).unwrap_or_default(),
            postgres: time_of_all(postmaster),
        }
    }

    fn add(&mut self, before: Self, after: Self) {
        self.client += after.client.saturating_sub(before.client);
        self.server += after.server.saturating_sub(before.server);
        self.postgres += after.postgres.saturating_sub(before.postgres);
    }
}

/// Processor time that the processes below this one have taken so far, by their names; of children
/// that have ended, that of their parents.
#[must_use]
pub fn time_by_name() -> BTreeMap<String, Duration> {
    let all: BTreeMap<u32, Vec<String>> = processes()
        .into_iter()
        .filter_map(|process| Some((process, stat(process)?)))
        .collect();
    let parent = |fields: &[String]| fields.get(1).and_then(|parent| parent.parse().ok());
    let own = process::id();
    let mut times = BTreeMap::new();
    for (process, fields) in &all {
        let mut above = parent(fields);
        while let Some(pid) = above.filter(|pid| *pid != own) {
            above = all.get(&pid).and_then(|fields| parent(fields));
        }
        if above == Some(own)
            && let Ok(name) = fs::read_to_string(format!("/proc/{process}/comm"))
        {
            let time = time(fields, 11) + time(fields, 13);
            *times.entry(name.trim_end().to_owned()).or_default() += time;
        }
    }
    times
}

/// Clock ticks of /proc are hundredths of a second on every Linux that we run on.
const TICK: Duration = Duration::from_millis(10);

/// The fields of `/proc/PID/stat` after the name, from the state on.
fn stat(process: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split(' ').map(str::to_owned).collect())
}

fn time(fields: &[String], from: usize) -> Duration {
    let ticks = fields.iter().skip(from).take(2);
    TICK * ticks.filter_map(|ticks| ticks.parse::<u32>().ok()).sum()
}

/// `utime` and `stime`.
fn own_time(process: u32) -> Duration {
    stat(process).map_or(Duration::ZERO, |fields| time(&fields, 11))
}

/// The time of a process, of its children that have ended, and of those that live.
fn time_of_all(parent: u32) -> Duration {
    let Some(fields) = stat(parent) else {
        return Duration::ZERO;
    };
    let mut all = time(&fields, 11) + time(&fields, 13);
    for process in processes() {
        if let Some(fields) = stat(process)
            && fields.get(1).and_then(|ppid| ppid.parse().ok()) == Some(parent)
        {
            all += time(&fields, 11);
        }
    }
    all
}

fn processes() -> Vec<u32> {
    let entries = fs::read_dir(Path::new("/proc")).into_iter().flatten();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

/// The process whose children serve the database.
async fn postmaster(database: &TestDatabase) -> u32 {
    let mut connection = sqlx::PgConnection::connect_with(&database.options("atlas_owner"))
        .await
        .unwrap_or_else(|error| panic!("no connection to measure with: {error}"));
    let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut connection)
        .await
        .unwrap_or_else(|error| panic!("no process to measure: {error}"));
    let parent = u32::try_from(backend).ok().and_then(stat);
    let parent = parent.and_then(|fields| fields.get(1)?.parse().ok());
    parent.unwrap_or_else(|| panic!("no process is the parent of {backend}"))
}

/// Fills the store up to so many events, in orders of eight, and lets the server tidy up.
///
/// # Panics
/// When the server refuses it.
pub async fn fill(database: &TestDatabase, events: i64) {
    let owner = database.pool_owner().await;
    for statement in [
        "INSERT INTO store.events
             (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload,
              metadata, event_id, recorded_at)
         SELECT nextval('store.position'), 'order',
                '01900000-0000-7000-8000-' || lpad(to_hex(n / 8), 12, '0'), n % 8 + 1,
                'OfferWithdrawn', '1.0',
                jsonb_build_object('event', 'OfferWithdrawn', 'reason', repeat('r', 400)),
                jsonb_build_object('correlationId', md5(n::text)),
                ('01900000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, clock_timestamp()
         FROM generate_series((SELECT count(*) FROM store.events), $1 - 1) n",
        "INSERT INTO store.idempotency_keys
             (scope, key, fingerprint, status, aggregate_type, aggregate_id, sequence, state)
         SELECT 'commissioner:' || n % 1000, md5(n::text), sha256(n::text::bytea), 200, 'order',
                '01900000-0000-7000-8000-' || lpad(to_hex(n / 8), 12, '0'), n % 8 + 1, 'negotiating'
         FROM generate_series((SELECT count(*) FROM store.idempotency_keys), $1 - 1) n",
    ] {
        let filled = sqlx::query(statement).bind(events).execute(&owner).await;
        filled.unwrap_or_else(|error| panic!("the store cannot be filled: {error}"));
    }
    for statement in [
        "VACUUM (ANALYZE) store.events",
        "VACUUM (ANALYZE) store.idempotency_keys",
        "CHECKPOINT",
    ] {
        sqlx::query(statement).execute(&owner).await.ok();
    }
}
