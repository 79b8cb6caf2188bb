//! The loss test: many writers, some by appends of their own and some by commands that go together,
//! rollbacks and crashes of the server, and a reader that must be delivered each committed event
//! exactly once. Beside it the readers that are wrong, as controls: the load is one under which they
//! lose.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use event_store::{
    Accepted, AppendError, Appended, BatchBound, Decision, DecisionError, Executor, Feed, Loaded,
    NewEvent, Position, Selection, StreamId, append,
};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use test_support::{TestDatabase, TestServer, eventually};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::fixtures::{counted, event, patient, stream};

const WRITERS: usize = 12;
/// One append in so many is rolled back.
const ROLLBACK: u64 = 20;
const EVENTS: i64 = 100_000;
const CRASHES: i64 = 5;
const BOUND: Duration = Duration::from_secs(150);

/// What the writers share.
struct Load {
    pool: PgPool,
    written: AtomicI64,
    until: i64,
    acknowledged: std::sync::Mutex<HashSet<Uuid>>,
}

impl Load {
    fn start(pool: &PgPool, until: i64) -> (Arc<Self>, Vec<JoinHandle<()>>) {
        let load = Arc::new(Self {
            pool: pool.clone(),
            written: AtomicI64::new(0),
            until,
            acknowledged: std::sync::Mutex::default(),
        });
        let writers = (0..WRITERS)
            .map(|writer| tokio::spawn(Arc::clone(&load).write(writer)))
            .collect();
        (load, writers)
    }

    fn done(&self) -> bool {
        self.written.load(Ordering::Relaxed) >= self.until
    }

    /// Appends one to six events at a time to streams of its own, until the load is reached.
    async fn write(self: Arc<Self>, writer: usize) {
        let mut versions: BTreeMap<u64, i64> = BTreeMap::new();
        let mut round: u64 = 0;
        while !self.done() {
            round += 1;
            let number = round % 17;
            let name = format!("{writer}-{number}");
            let version = versions.get(&number).copied().unwrap_or(0);
            let count = 1 + i64::try_from((round * 7 + number) % 6).unwrap();
            match self
                .one(&name, version, count, round.is_multiple_of(ROLLBACK))
                .await
            {
                Ok(true) => {
                    versions.insert(number, version + count);
                }
                Ok(false) => {}
                // It is not known what became of the last one: look.
                Err(_) => {
                    if let Ok(found) = self.version(&name).await {
                        versions.insert(number, found);
                    }
                }
            }
        }
    }

    async fn one(
        &self,
        name: &str,
        version: i64,
        count: i64,
        undo: bool,
    ) -> Result<bool, AppendError> {
        let request = counted(name, version, count);
        let mut transaction = self.pool.begin().await.map_err(AppendError::Database)?;
        let appended = append(&mut transaction, &request).await?;
        assert!(matches!(appended, Appended::Now(_)));
        // Others commit in between: the order of commits is not the order of positions.
        tokio::task::yield_now().await;
        if undo {
            transaction
                .rollback()
                .await
                .map_err(AppendError::Database)?;
            return Ok(false);
        }
        transaction.commit().await.map_err(AppendError::Database)?;
        self.written.fetch_add(count, Ordering::Relaxed);
        let ids = request.streams[0]
            .events
            .iter()
            .map(|e| e.event_id.as_uuid());
        self.acknowledged.lock().unwrap().extend(ids);
        Ok(true)
    }

    /// Gives commands, which go together with those of others, until the load is reached.
    async fn command(self: Arc<Self>, executor: Executor, writer: usize) {
        let mut round: u64 = 0;
        while !self.done() {
            round += 1;
            let event = event(0);
            let id = event.event_id.as_uuid();
            let name = format!("command-{writer}-{}", round % 17);
            let answer = executor.execute(AddThis { name, event }, patient()).await;
            // What failed may be stored all the same.
            if answer.is_ok() {
                self.written.fetch_add(1, Ordering::Relaxed);
                self.acknowledged.lock().unwrap().insert(id);
            }
        }
    }

    async fn version(&self, name: &str) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT coalesce(max(sequence), 0) FROM store.events
             WHERE aggregate_type = 'counter' AND aggregate_id = $1",
        )
        .bind(name)
        .fetch_one(&self.pool)
        .await
    }
}

/// Adds one event to a counter, wherever it is.
struct AddThis {
    name: String,
    event: NewEvent,
}

impl Decision for AddThis {
    type Rejection = ();

    fn target(&self) -> StreamId {
        stream(&self.name)
    }

    fn admit(&mut self, _: &Loaded) -> Result<(), DecisionError<()>> {
        Ok(())
    }

    fn decide(&mut self, _: &Loaded) -> Result<Accepted, DecisionError<()>> {
        Ok(Accepted {
            events: vec![self.event.clone()],
            status: 200,
            state: None,
        })
    }
}

fn pool_options() -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(u32::try_from(WRITERS).unwrap() + 2)
        .acquire_timeout(Duration::from_secs(2))
        .test_before_acquire(false)
}

/// Reads by the feed until `stop` and nothing is left; begins again after every failure.
async fn read_by_feed(options: PgConnectOptions, stop: Arc<AtomicBool>) -> Vec<(i64, Uuid)> {
    let mut delivered: Vec<(i64, Uuid)> = Vec::new();
    loop {
        let stopping = stop.load(Ordering::Acquire);
        let last = delivered.last().map_or(0, |(position, _)| *position);
        if read_on(&options, last, &mut delivered, &stop).await.is_ok() && stopping {
            return delivered;
        }
    }
}

/// Reads until there is nothing left and `stop` was asked for, or something fails.
async fn read_on(
    options: &PgConnectOptions,
    last: i64,
    delivered: &mut Vec<(i64, Uuid)>,
    stop: &AtomicBool,
) -> Result<(), sqlx::Error> {
    let mut feed = Feed::connect(options).await?;
    let mut last = last;
    let (all, bound) = (Selection::default(), BatchBound::default());
    loop {
        let stopping = stop.load(Ordering::Acquire);
        let batch = feed.next_batch(Position::new(last), &all, bound).await?;
        for event in &batch.events {
            last = event.position.get();
            delivered.push((last, event.event_id.as_uuid()));
        }
        if batch.events.is_empty() {
            if stopping {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }
}

async fn table(pool: &PgPool) -> Vec<(i64, Uuid)> {
    sqlx::query_as("SELECT position, event_id FROM store.events ORDER BY position")
        .fetch_all(pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_delivered_twice_under_load_rollbacks_and_crashes() {
    let server = TestServer::start().await;
    let database = TestDatabase::create_on(&server).await;
    let pool = database.pool_app_with(pool_options()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn(read_by_feed(
        database.options("atlas_app"),
        Arc::clone(&stop),
    ));
    let (load, mut writers) = Load::start(&pool, EVENTS);
    let together = database.pool_app_with(pool_options()).await;
    let commands = TaskTracker::new();
    let executor = Executor::new(together, commands.clone());
    writers.extend((0..WRITERS).map(|writer| {
        let (load, executor) = (Arc::clone(&load), executor.clone());
        tokio::spawn(load.command(executor, writer))
    }));

    for crash in 1..=CRASHES {
        let mark = EVENTS * crash / (CRASHES + 1);
        eventually("the load to go on", BOUND, || async {
            let written = load.written.load(Ordering::Relaxed);
            if written >= mark {
                Ok(())
            } else {
                Err(written)
            }
        })
        .await;
        server.stop_immediate().await;
        server.restart().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    // A command that nobody waits for any more may still be stored: those are over, too.
    commands.close();
    commands.wait().await;
    stop.store(true, Ordering::Release);
    let delivered = reader.await.unwrap();

    let stored = table(&database.pool_app().await).await;
    assert!(stored.len() >= usize::try_from(EVENTS).unwrap());
    let seen: HashSet<&(i64, Uuid)> = delivered.iter().collect();
    let missing = stored.iter().filter(|event| !seen.contains(event));
    let missing: Vec<i64> = missing.map(|(position, _)| *position).collect();
    assert!(
        delivered == stored,
        "{} delivered, {} stored, the last at {:?}; not delivered: {missing:?}",
        delivered.len(),
        stored.len(),
        stored.last(),
    );
    let ids: HashSet<Uuid> = stored.iter().map(|(_, id)| *id).collect();
    let acknowledged = load.acknowledged.lock().unwrap().clone();
    assert!(
        acknowledged.is_subset(&ids),
        "an acknowledged event is not in the store"
    );
    let holes: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (
             SELECT max(sequence) - count(*) AS missing FROM store.events
             GROUP BY aggregate_type, aggregate_id
         ) streams WHERE missing <> 0",
    )
    .fetch_one(&database.pool_app().await)
    .await
    .unwrap();
    assert_eq!(holes, 0, "streams whose versions are not 1, 2, 3, …");
    println!(
        "{} events stored, {} acknowledged, each delivered once; {CRASHES} crashes",
        stored.len(),
        acknowledged.len()
    );
}

/// A way to read that loses, and how it asks.
struct WrongReader {
    name: &'static str,
    isolation: &'static str,
    /// Run first, in the same transaction; its number bounds the second statement.
    bound: Option<&'static str>,
    /// `$1` is the last position read, `$2` the bound.
    events: &'static str,
}

const WRONG_READERS: [WrongReader; 4] = [
    WrongReader {
        name: "plain position",
        isolation: "READ COMMITTED",
        bound: None,
        events: "SELECT position FROM store.events WHERE position > $1 AND $2 = 0
                 ORDER BY position LIMIT 1000",
    },
    WrongReader {
        name: "watermark declared STABLE",
        isolation: "READ COMMITTED",
        bound: None,
        events: "SELECT position FROM store.events
                 WHERE position > $1 AND position <= control.stable_watermark() AND $2 = 0
                 ORDER BY position LIMIT 1000",
    },
    WrongReader {
        name: "watermark in WHERE",
        isolation: "READ COMMITTED",
        bound: None,
        events: "SELECT position FROM store.events
                 WHERE position > $1 AND position <= control.watermark() AND $2 = 0
                 ORDER BY position LIMIT 1000",
    },
    WrongReader {
        name: "REPEATABLE READ",
        isolation: "REPEATABLE READ",
        bound: Some("SELECT control.watermark()"),
        events: "SELECT position FROM store.events WHERE position > $1 AND position <= $2
                 ORDER BY position LIMIT 1000",
    },
];

/// The watermark without its own checks, as VOLATILE and as STABLE.
const CONTROL: &str = "
    CREATE SCHEMA control;
    DO $do$
    DECLARE
        body text := $body$
            DECLARE drawn bigint; underway bigint;
            BEGIN
                drawn := store.last_drawn();
                SELECT min(((l.classid::bigint & 65535) << 32) | l.objid::bigint) INTO underway
                FROM pg_locks l
                WHERE l.locktype = 'advisory' AND l.objsubid = 1
                  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                  AND l.classid::bigint >> 16 = store.lock_namespace();
                RETURN least(drawn, coalesce(underway, drawn));
            END $body$;
    BEGIN
        EXECUTE format('CREATE FUNCTION control.watermark() RETURNS bigint
                        LANGUAGE plpgsql VOLATILE AS %L', body);
        EXECUTE format('CREATE FUNCTION control.stable_watermark() RETURNS bigint
                        LANGUAGE plpgsql STABLE AS %L', body);
    END $do$;
    GRANT USAGE ON SCHEMA control TO atlas_app;";

impl WrongReader {
    async fn read(&self, pool: PgPool, stop: Arc<AtomicBool>) -> HashSet<i64> {
        let mut seen = HashSet::new();
        let mut last = 0;
        loop {
            let stopping = stop.load(Ordering::Acquire);
            let rows = self.batch(&pool, last).await.unwrap();
            if rows.is_empty() {
                if stopping {
                    return seen;
                }
                tokio::task::yield_now().await;
            }
            last = rows.last().copied().unwrap_or(last);
            seen.extend(rows);
        }
    }

    async fn batch(&self, pool: &PgPool, last: i64) -> Result<Vec<i64>, sqlx::Error> {
        let mut transaction = pool.begin().await?;
        sqlx::query(&format!(
            "SET TRANSACTION ISOLATION LEVEL {}",
            self.isolation
        ))
        .execute(&mut *transaction)
        .await?;
        let bound: i64 = match self.bound {
            Some(statement) => {
                sqlx::query_scalar(statement)
                    .fetch_one(&mut *transaction)
                    .await?
            }
            None => 0,
        };
        let rows = sqlx::query_scalar(self.events)
            .bind(last)
            .bind(bound)
            .fetch_all(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(rows)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_wrong_readers_lose_under_the_same_load() {
    // One run is enough on a quiet machine; on a busy one, writers overlap less.
    const RUNS: usize = 12;
    let mut lost: BTreeMap<&str, usize> = WRONG_READERS.iter().map(|r| (r.name, 0)).collect();
    for _ in 0..RUNS {
        let database = TestDatabase::create().await;
        sqlx::raw_sql(CONTROL)
            .execute(&database.pool_owner().await)
            .await
            .unwrap();
        let pool = database.pool_app_with(pool_options()).await;
        let readers_pool = database.pool_app().await;
        let stop = Arc::new(AtomicBool::new(false));
        let waiting: Vec<_> = WRONG_READERS.iter().filter(|r| lost[r.name] == 0).collect();
        let readers: Vec<_> = waiting
            .iter()
            .map(|reader| tokio::spawn(reader.read(readers_pool.clone(), Arc::clone(&stop))))
            .collect();
        let (_, writers) = Load::start(&pool, 30_000);
        for writer in writers {
            writer.await.unwrap();
        }
        stop.store(true, Ordering::Release);
        let stored = table(&pool).await;
        for (reader, seen) in waiting.iter().zip(readers) {
            let seen = seen.await.unwrap();
            let missed = stored
                .iter()
                .filter(|(position, _)| !seen.contains(position))
                .count();
            println!("{}: {missed} of {} lost", reader.name, stored.len());
            lost.insert(reader.name, missed);
        }
        if lost.values().all(|missed| *missed > 0) {
            return;
        }
    }
    panic!("controls that lost nothing in {RUNS} runs, so that the load proves nothing: {lost:?}");
}
