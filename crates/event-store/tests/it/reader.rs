//! Readers: rows and checkpoint together, leases, what their rows say, and how they end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use event_store::{
    Condition, Ended, Position, Reader, ReaderError, ReaderOptions, ReaderStatus, Sent, Sink,
    SinkError, Standing, StoredEvent, append, freshness, reader_statuses,
};
use sqlx::{PgConnection, PgPool};
use test_support::{TestDatabase, eventually};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::fixtures::{counted, stored};

const BOUND: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(10);

/// Counts events in a table of its own, and fails when told to.
#[derive(Default)]
struct Counter {
    fails_on: Option<i64>,
    /// Takes the lease away while the rows are written.
    thief: Option<PgPool>,
}

#[async_trait]
impl Sink for Counter {
    async fn apply(
        &mut self,
        transaction: &mut PgConnection,
        events: &[StoredEvent],
    ) -> Result<(), SinkError> {
        for event in events {
            if event.payload.value().unwrap()["number"].as_i64() == self.fails_on {
                return Err(sqlx::Error::Protocol("told to".to_owned()).into());
            }
            sqlx::query("INSERT INTO public.counted VALUES ($1)")
                .bind(event.position.get())
                .execute(&mut *transaction)
                .await?;
        }
        if let Some(pool) = &self.thief {
            steal(pool).await;
        }
        Ok(())
    }
}

/// Another owner takes the lease over, as it may once the lease has run out.
async fn steal(pool: &PgPool) {
    sqlx::query(
        "UPDATE store.checkpoints SET owner = 'thief', epoch = epoch + 1,
                expires_at = clock_timestamp() + interval '1 second'
         WHERE name = 'counter'",
    )
    .execute(pool)
    .await
    .unwrap();
}

async fn database() -> TestDatabase {
    let database = TestDatabase::create().await;
    sqlx::raw_sql(
        "CREATE TABLE public.counted (position bigint PRIMARY KEY);
         GRANT USAGE ON SCHEMA public TO atlas_app;
         GRANT SELECT, INSERT ON public.counted TO atlas_app;",
    )
    .execute(&database.pool_owner().await)
    .await
    .unwrap();
    database
}

fn reader(database: &TestDatabase, owner: &str, lease: Duration) -> Reader {
    Reader::new(
        database.options("atlas_app").application_name(owner),
        ReaderOptions::new("counter", owner, lease),
    )
}

async fn catch_up(database: &TestDatabase, sink: &mut dyn Sink) -> Result<(), ReaderError> {
    reader(database, "test", LEASE).catch_up(sink).await
}

async fn counted_rows(database: &TestDatabase) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM public.counted")
        .fetch_one(&database.pool_app().await)
        .await
        .unwrap()
}

/// What the reader's row says, once there is one.
async fn status(pool: &PgPool) -> ReaderStatus {
    eventually("the reader's row", BOUND, async || {
        let mut connection = pool.acquire().await.unwrap();
        let found = reader_statuses(&mut connection, &["counter".to_owned()]).await;
        found.unwrap().pop().ok_or("there is none")
    })
    .await
}

/// A reader that runs, until told to stop.
struct Running {
    task: tokio::task::JoinHandle<Ended>,
    standing: watch::Receiver<Standing>,
    stop: CancellationToken,
}

impl Running {
    fn start(reader: Reader, mut sink: impl Sink + 'static) -> Self {
        let (standing, stop) = (reader.standing(), CancellationToken::new());
        let told = stop.clone();
        let task = tokio::spawn(async move { reader.drive(&mut sink, &told).await });
        Self {
            task,
            standing,
            stop,
        }
    }

    async fn becomes(&mut self, wanted: impl Fn(&Standing) -> bool) {
        let wait = self.standing.wait_for(wanted);
        let waited = tokio::time::timeout(BOUND, wait).await.is_ok();
        assert!(waited, "it is {:?}", *self.standing.borrow());
    }

    async fn leads(&mut self) {
        self.becomes(|standing| *standing == Standing::Leading(Condition::Running))
            .await;
    }

    /// How long it took to end.
    async fn stop(self) -> Duration {
        let told = Instant::now();
        self.stop.cancel();
        assert_eq!(self.task.await.unwrap(), Ended::Stopped);
        told.elapsed()
    }
}

#[tokio::test]
async fn rows_and_checkpoint_move_together_or_not_at_all() {
    let database = database().await;
    let mut connection = database.pool_app().await.acquire().await.unwrap();
    let answer = stored(append(&mut connection, &counted("a", 0, 7)).await.unwrap());

    let mut fails = Counter {
        fails_on: Some(5),
        thief: None,
    };
    let failed = catch_up(&database, &mut fails).await.unwrap_err();
    assert!(
        matches!(failed, ReaderError::Sink(SinkError::Database(_))),
        "{failed:?}"
    );
    assert_eq!(counted_rows(&database).await, 0);

    catch_up(&database, &mut Counter::default()).await.unwrap();
    assert_eq!(counted_rows(&database).await, 7);
    let fresh = freshness(&mut connection, "counter")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((fresh.token, fresh.lag_seconds), (answer.token, 0.0));
    stored(append(&mut connection, &counted("a", 7, 1)).await.unwrap());
    let fresh = freshness(&mut connection, "counter")
        .await
        .unwrap()
        .unwrap();
    assert!(fresh.lag_seconds > 0.0);
}

#[tokio::test]
async fn one_owner_reads_and_another_waits_on_one_connection_until_it_is_given_back() {
    let database = database().await;
    let pool = database.pool_app().await;
    let long = Duration::from_secs(30);
    let mut first = Running::start(reader(&database, "first", long), Counter::default());
    first.leads().await;
    let mut second = Running::start(reader(&database, "second", long), Counter::default());
    let owner = "first".to_owned();
    second
        .becomes(|standing| {
            *standing
                == Standing::Standby {
                    owner: owner.clone(),
                }
        })
        .await;
    let by_hand = reader(&database, "third", long);
    let refused = by_hand.catch_up(&mut Counter::default()).await.unwrap_err();
    assert!(matches!(refused, ReaderError::LeaseLost), "{refused:?}");

    let backends = async || -> Vec<i32> {
        let found = sqlx::query_scalar(
            "SELECT pid FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'second'",
        );
        found.fetch_all(&pool).await.unwrap()
    };
    let since = Instant::now();
    let backend = backends().await;
    assert_eq!(backend.len(), 1);
    eventually("a second of waiting", BOUND, async || {
        assert_eq!(backends().await, backend);
        (since.elapsed() > Duration::from_secs(1))
            .then_some(())
            .ok_or("not yet")
    })
    .await;
    assert_eq!(status(&pool).await.owner.as_deref(), Some("first"));

    first.stop().await;
    let given_back = Instant::now();
    second.leads().await;
    assert!(given_back.elapsed() < Duration::from_secs(2));
    second.stop().await;
}

#[tokio::test]
async fn an_owner_that_slept_past_its_lease_moves_nothing() {
    let database = database().await;
    let pool = database.pool_app().await;
    let mut connection = pool.acquire().await.unwrap();
    stored(append(&mut connection, &counted("a", 0, 3)).await.unwrap());

    let mut slept = Counter {
        fails_on: None,
        thief: Some(pool.clone()),
    };
    let lost = catch_up(&database, &mut slept).await.unwrap_err();
    assert!(matches!(lost, ReaderError::LeaseLost), "{lost:?}");
    assert_eq!(counted_rows(&database).await, 0);
    assert_eq!(status(&pool).await.position, Position::START);

    let awake = Running::start(reader(&database, "awake", LEASE), Counter::default());
    eventually("the rows of the new owner", BOUND, async || {
        let rows = counted_rows(&database).await;
        (rows == 3).then_some(()).ok_or(rows)
    })
    .await;
    awake.stop().await;
}

#[tokio::test]
async fn an_owner_whose_connection_broke_has_its_own_lease_again_at_once() {
    let database = database().await;
    let long = Duration::from_secs(30);
    let mut broken = Running::start(reader(&database, "same", long), Counter::default());
    broken.leads().await;
    broken.task.abort();
    assert!((&mut broken.task).await.unwrap_err().is_cancelled());
    let again = reader(&database, "same", long);
    again.catch_up(&mut Counter::default()).await.unwrap();
}

/// Fails or halts as often as it is told to.
struct Moody {
    attempts: AtomicUsize,
    fails: usize,
    halts: bool,
}

impl Moody {
    const fn failing(fails: usize, halts: bool) -> Self {
        Self {
            attempts: AtomicUsize::new(0),
            fails,
            halts,
        }
    }
}

#[async_trait]
impl Sink for Moody {
    async fn send(&mut self, events: &[StoredEvent], _: &CancellationToken) -> Sent {
        if self.attempts.fetch_add(1, Ordering::Relaxed) >= self.fails {
            return Sent::all(events);
        }
        Sent::nothing(if self.halts {
            SinkError::Halted("the topic is another".into())
        } else {
            SinkError::Failed("no way through".into())
        })
    }
}

#[tokio::test]
async fn what_fails_is_tried_again_and_the_row_says_so_meanwhile() {
    let database = database().await;
    let pool = database.pool_app().await;
    let mut connection = pool.acquire().await.unwrap();
    stored(append(&mut connection, &counted("a", 0, 3)).await.unwrap());
    let running = Running::start(reader(&database, "test", LEASE), Moody::failing(8, false));
    eventually("the row to say that it fails", BOUND, async || {
        let found = status(&pool).await.condition;
        let told = found
            .reason()
            .is_some_and(|reason| reason.contains("no way through"));
        let fails = told && matches!(found, Condition::Failing { .. });
        fails.then_some(()).ok_or(format!("{found:?}"))
    })
    .await;
    eventually("the events to be taken", BOUND, async || {
        let status = status(&pool).await;
        let taken = status.position == Position::new(3) && status.condition == Condition::Running;
        taken.then_some(()).ok_or(format!("{status:?}"))
    })
    .await;
    assert!(status(&pool).await.seen.unwrap() < BOUND);
    running.stop().await;
    let status = status(&pool).await;
    assert_eq!((status.condition, status.owner), (Condition::Idle, None));
}

#[tokio::test]
async fn what_cannot_go_on_halts_and_gives_the_lease_back() {
    let database = database().await;
    let pool = database.pool_app().await;
    let mut connection = pool.acquire().await.unwrap();
    stored(append(&mut connection, &counted("a", 0, 3)).await.unwrap());
    let sink = Moody::failing(usize::MAX, true);
    let mut running = Running::start(reader(&database, "test", LEASE), sink);
    running
        .becomes(|standing| matches!(standing, Standing::Leading(Condition::Halted { .. })))
        .await;
    let status = status(&pool).await;
    let Condition::Halted { reason, event_id } = status.condition else {
        panic!("{status:?}");
    };
    assert!(reason.contains("the topic is another"), "{reason}");
    assert_eq!((event_id, status.owner), (None, None));
    assert!(running.stop().await < Duration::from_secs(1));
}

/// Never answers, whether it is told to hurry or not.
struct Silent;

#[async_trait]
impl Sink for Silent {
    async fn send(&mut self, _: &[StoredEvent], _: &CancellationToken) -> Sent {
        std::future::pending().await
    }

    fn waits_for(&self) -> &'static str {
        "godot"
    }
}

#[tokio::test]
async fn a_sink_that_does_not_answer_is_waited_for_with_the_lease_held() {
    let database = database().await;
    let pool = database.pool_app().await;
    let mut connection = pool.acquire().await.unwrap();
    stored(append(&mut connection, &counted("a", 0, 3)).await.unwrap());
    let lease = Duration::from_secs(1);
    let mut running = Running::start(reader(&database, "test", lease), Silent);
    let waiting = Condition::Waiting {
        reason: "godot does not answer".to_owned(),
    };
    let found = Standing::Leading(waiting.clone());
    running.becomes(|standing| *standing == found).await;
    let since = Instant::now();
    eventually("three leases to pass", BOUND, async || {
        let status = status(&pool).await;
        assert_eq!(status.owner.as_deref(), Some("test"));
        let passed = since.elapsed() > lease * 3 && status.condition == waiting;
        passed.then_some(()).ok_or(format!("{status:?}"))
    })
    .await;
    assert!(running.stop().await < Duration::from_secs(1));
}

/// Answers as often as it may, and cannot read the second event of any stream.
struct Slow(Arc<Semaphore>);

#[async_trait]
impl Sink for Slow {
    async fn send(&mut self, events: &[StoredEvent], _: &CancellationToken) -> Sent {
        self.0.acquire().await.unwrap().forget();
        match events.iter().find(|event| event.version.get() == 2) {
            Some(odd) => Sent::nothing(SinkError::unreadable(odd, "of another release")),
            None => Sent::all(events),
        }
    }
}

/// A look at a parked stream that took long is over, though nothing new comes after it.
#[tokio::test]
async fn a_sink_that_has_answered_at_last_is_not_waited_for_any_longer() {
    let database = database().await;
    let pool = database.pool_app().await;
    let mut connection = pool.acquire().await.unwrap();
    stored(append(&mut connection, &counted("a", 0, 3)).await.unwrap());
    let answers = Arc::new(Semaphore::new(10));
    let mut slow = Slow(Arc::clone(&answers));
    catch_up(&database, &mut slow).await.unwrap();
    assert_eq!(status(&pool).await.parked, 1);
    answers.forget_permits(10);
    let running = Running::start(reader(&database, "test", Duration::from_secs(1)), slow);
    let becomes = async |wanted: &str| {
        eventually(wanted, BOUND, async || {
            let found = status(&pool).await.condition;
            if found.state() == wanted {
                Ok(())
            } else {
                Err(format!("{found:?}"))
            }
        })
        .await;
    };
    becomes("waiting").await;
    answers.add_permits(10);
    becomes("running").await;
    assert_eq!(status(&pool).await.parked, 1);
    running.stop().await;
}

#[tokio::test]
async fn a_database_that_does_not_answer_does_not_delay_the_end() {
    let database = database().await;
    let pool = database.pool_app().await;
    let mut running = Running::start(reader(&database, "test", LEASE), Counter::default());
    running.leads().await;
    let owner = database.pool_owner().await;
    let mut locks = owner.begin().await.unwrap();
    sqlx::query("LOCK TABLE store.checkpoints, public.counted")
        .execute(&mut *locks)
        .await
        .unwrap();
    let mut connection = pool.acquire().await.unwrap();
    stored(append(&mut connection, &counted("a", 0, 3)).await.unwrap());
    crate::fixtures::until_blocked(&database).await;
    assert!(running.stop().await < Duration::from_millis(1_500));
    locks.rollback().await.unwrap();
}
