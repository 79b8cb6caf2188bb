//! The executor: races, versions, keys and patience.

use std::time::{Duration, Instant};

use event_store::{
    Accepted, Answer, Append, ClaimedAnswer, Conditions, Decision, DecisionError, ExecuteError,
    Executor, Loaded, Outcome, StreamId, Version, append,
};
use sqlx::postgres::PgPoolOptions;
use test_support::{TestDatabase, eventually};
use tokio_util::task::TaskTracker;

use crate::fixtures::{claim, counted, event, patient, stored, stream, until_blocked};

/// Adds one to a counter, up to a limit; remembers how often it was asked.
pub(crate) struct AddOne {
    name: String,
    limit: i64,
    asked: i64,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Full;

pub(crate) fn add_one(name: impl Into<String>) -> AddOne {
    AddOne {
        name: name.into(),
        limit: i64::MAX,
        asked: 0,
    }
}

impl Decision for AddOne {
    type Rejection = Full;

    fn target(&self) -> StreamId {
        stream(&self.name)
    }

    fn admit(&mut self, _loaded: &Loaded) -> Result<(), DecisionError<Full>> {
        self.asked += 1;
        Ok(())
    }

    fn decide(&mut self, loaded: &Loaded) -> Result<Accepted, DecisionError<Full>> {
        let version = loaded.target.version().get();
        if version >= self.limit {
            return Err(DecisionError::Rejected(Full));
        }
        Ok(Accepted {
            events: vec![event(version + 1)],
            status: 200,
            state: Some("counting"),
        })
    }
}

pub(crate) async fn executor(database: &TestDatabase) -> Executor {
    Executor::new(database.pool_app().await, TaskTracker::new())
}

/// One whose server gives up on a lock after 200 ms.
pub(crate) async fn impatient_executor(database: &TestDatabase) -> Executor {
    let impatient = PgPoolOptions::new().after_connect(|connection, _| {
        Box::pin(async move {
            sqlx::query("SET lock_timeout = '200ms'")
                .execute(connection)
                .await
                .map(drop)
        })
    });
    Executor::new(database.pool_app_with(impatient).await, TaskTracker::new())
}

pub(crate) fn with_key(key: &str, body: u8) -> Conditions {
    Conditions {
        claim: Some(claim(key, body)),
        ..patient()
    }
}

#[tokio::test]
async fn commands_of_two_processes_on_one_stream_all_succeed() {
    let database = TestDatabase::create().await;
    let processes = [executor(&database).await, executor(&database).await];
    let commands = (0..40).map(|n| {
        let executor = processes[n % 2].clone();
        tokio::spawn(async move { executor.execute(add_one("a"), patient()).await })
    });
    let mut versions = Vec::new();
    for command in commands.collect::<Vec<_>>() {
        versions.push(command.await.unwrap().unwrap().version.get());
    }
    versions.sort_unstable();
    assert_eq!(versions, (1..=40).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_named_version_is_held_against_the_stream() {
    let database = TestDatabase::create().await;
    let executor = executor(&database).await;
    executor.execute(add_one("a"), patient()).await.unwrap();
    let at = |version| Conditions {
        expected: Some(Version::new(version)),
        ..patient()
    };
    let refused = executor.execute(add_one("a"), at(0)).await.unwrap_err();
    assert!(
        matches!(refused, ExecuteError::VersionMismatch { current } if current.get() == 1),
        "{refused:?}"
    );
    assert_eq!(
        executor
            .execute(add_one("a"), at(1))
            .await
            .unwrap()
            .version
            .get(),
        2
    );
}

#[tokio::test]
async fn a_repeated_key_is_answered_again_even_when_the_command_would_be_refused_now() {
    let database = TestDatabase::create().await;
    let executor = executor(&database).await;
    let once = || AddOne {
        limit: 1,
        ..add_one("a")
    };
    let first = executor.execute(once(), with_key("k", 1)).await.unwrap();
    let again = executor.execute(once(), with_key("k", 1)).await.unwrap();
    assert!(!first.replayed && again.replayed);
    assert_eq!((first.version, first.token), (again.version, again.token));

    let reused = executor
        .execute(once(), with_key("k", 2))
        .await
        .unwrap_err();
    assert!(matches!(reused, ExecuteError::KeyReused), "{reused:?}");
    let refused = executor
        .execute(once(), with_key("other", 1))
        .await
        .unwrap_err();
    assert!(
        matches!(refused, ExecuteError::Rejected(Full)),
        "{refused:?}"
    );
}

#[tokio::test]
async fn twins_under_one_key_in_two_processes_have_one_effect() {
    let database = TestDatabase::create().await;
    let processes = [executor(&database).await, executor(&database).await];
    for round in 0..20 {
        let key = format!("k{round}");
        let twins = processes.clone().map(|executor| {
            let conditions = with_key(&key, 1);
            tokio::spawn(async move { executor.execute(add_one("a"), conditions).await })
        });
        let mut answers = Vec::new();
        for twin in twins {
            answers.push(twin.await.unwrap().unwrap());
        }
        assert_eq!(answers[0].version, answers[1].version);
        assert_eq!(answers[0].version.get(), round + 1);
        assert!(answers[0].replayed != answers[1].replayed, "{answers:?}");
    }
}

/// Somebody else appends between each of its loads and its append; at last its own twin.
struct AlwaysBeaten {
    pool: sqlx::PgPool,
    runtime: tokio::runtime::Handle,
    left: u32,
    twin: Option<ClaimedAnswer>,
}

impl Decision for AlwaysBeaten {
    type Rejection = Full;

    fn target(&self) -> StreamId {
        stream("a")
    }

    fn admit(&mut self, _: &Loaded) -> Result<(), DecisionError<Full>> {
        Ok(())
    }

    fn decide(&mut self, loaded: &Loaded) -> Result<Accepted, DecisionError<Full>> {
        self.left -= 1;
        let rival = Append {
            claim: self.twin.take_if(|_| self.left == 0),
            ..counted("a", loaded.target.version().get(), 1)
        };
        let (pool, runtime) = (self.pool.clone(), self.runtime.clone());
        std::thread::spawn(move || {
            runtime.block_on(async {
                let mut connection = pool.acquire().await.unwrap();
                stored(append(&mut connection, &rival).await.unwrap());
            });
        })
        .join()
        .unwrap();
        Ok(Accepted {
            events: vec![event(0)],
            status: 200,
            state: None,
        })
    }
}

/// Gives it to an executor on a thread of its own, for it blocks.
async fn give_to_be_beaten(
    database: &TestDatabase,
    conditions: Conditions,
) -> Result<Answer, ExecuteError<Full>> {
    let pool = database.pool_app().await;
    let beaten = AlwaysBeaten {
        pool: pool.clone(),
        runtime: tokio::runtime::Handle::current(),
        left: 6,
        twin: conditions.claim.clone().map(|claim| ClaimedAnswer {
            claim,
            status: 201,
            state: None,
        }),
    };
    let blocking = Executor::new(pool, TaskTracker::new());
    tokio::task::spawn_blocking(move || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(blocking.execute(beaten, conditions))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_race_that_is_lost_again_and_again_is_given_up() {
    let database = TestDatabase::create().await;
    let result = give_to_be_beaten(&database, patient()).await;
    assert!(matches!(result, Err(ExecuteError::Conflict)), "{result:?}");
    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM store.events")
        .fetch_one(&database.pool_app().await)
        .await
        .unwrap();
    assert_eq!(
        events, 6,
        "the first decision and five fresh ones, each beaten"
    );
}

#[tokio::test]
async fn who_loses_the_last_race_to_its_own_twin_has_the_twins_answer() {
    let database = TestDatabase::create().await;
    let answer = give_to_be_beaten(&database, with_key("k", 1))
        .await
        .unwrap();
    assert_eq!((answer.version.get(), answer.status), (6, 201));
    assert!(answer.replayed);
}

#[tokio::test]
async fn a_deadline_before_the_append_leaves_nothing_and_one_after_it_says_unknown() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let executor = executor(&database).await;
    let soon = || Conditions {
        deadline: Instant::now() + Duration::from_millis(300),
        ..patient()
    };

    // Its append waits at the unique key, for one that is not committed yet.
    let mut open = pool.begin().await.unwrap();
    stored(append(&mut open, &counted("a", 0, 1)).await.unwrap());
    let late = executor.execute(add_one("a"), soon()).await.unwrap_err();
    assert!(
        matches!(
            late,
            ExecuteError::TimedOut {
                outcome: Outcome::Unknown
            }
        ),
        "{late:?}"
    );
    // The next one stands in line behind it, and has sent nothing.
    let later = executor.execute(add_one("a"), soon()).await.unwrap_err();
    assert!(
        matches!(
            later,
            ExecuteError::TimedOut {
                outcome: Outcome::None
            }
        ),
        "{later:?}"
    );
    open.commit().await.unwrap();

    // What was sent is not taken back: it lost its race, and nobody waits for a fresh decision.
    let next = executor.execute(add_one("a"), patient()).await.unwrap();
    assert_eq!(next.version.get(), 2);
}

#[tokio::test]
async fn a_server_that_gives_up_on_a_lock_has_changed_nothing_and_may_be_asked_again() {
    let database = TestDatabase::create().await;
    let executor = impatient_executor(&database).await;
    let mut open = database.pool_app().await.begin().await.unwrap();
    stored(append(&mut open, &counted("a", 0, 1)).await.unwrap());
    let refused = executor.execute(add_one("a"), patient()).await.unwrap_err();
    assert!(
        matches!(
            refused,
            ExecuteError::Unavailable {
                outcome: Outcome::None,
                ..
            }
        ),
        "{refused:?}"
    );
    open.rollback().await.unwrap();
    let answer = executor.execute(add_one("a"), patient()).await.unwrap();
    assert_eq!(answer.version.get(), 1);
}

/// Adds one to a counter; remembers where the counter was when the command came.
struct Mindful {
    came_at: Option<i64>,
    looked: tokio::sync::mpsc::UnboundedSender<i64>,
}

impl Decision for Mindful {
    type Rejection = Option<i64>;

    fn target(&self) -> StreamId {
        stream("a")
    }

    fn look_ahead(&mut self, loaded: &Loaded) {
        let version = loaded.target.version().get();
        self.came_at = Some(version);
        self.looked.send(version).unwrap();
    }

    fn admit(&mut self, _: &Loaded) -> Result<(), DecisionError<Option<i64>>> {
        Ok(())
    }

    fn decide(&mut self, _: &Loaded) -> Result<Accepted, DecisionError<Option<i64>>> {
        Err(DecisionError::Rejected(self.came_at))
    }
}

#[tokio::test]
async fn a_command_that_stands_in_line_has_seen_what_was_there_when_it_came() {
    let database = TestDatabase::create().await;
    let executor = executor(&database).await;
    let (looked, mut saw) = tokio::sync::mpsc::unbounded_channel();
    let mindful = || Mindful {
        came_at: None,
        looked: looked.clone(),
    };
    let came_at = |refused| match refused {
        Err(ExecuteError::Rejected(came_at)) => came_at,
        other => panic!("{other:?}"),
    };
    // Nobody is before it: what it decides on is what was there.
    assert_eq!(came_at(executor.execute(mindful(), patient()).await), None);

    let mut open = database.pool_app().await.begin().await.unwrap();
    stored(append(&mut open, &counted("a", 0, 1)).await.unwrap());
    let first = tokio::spawn({
        let executor = executor.clone();
        async move { executor.execute(add_one("a"), patient()).await }
    });
    until_blocked(&database).await;
    let second = tokio::spawn({
        let executor = executor.clone();
        let mindful = mindful();
        async move { executor.execute(mindful, patient()).await }
    });
    assert_eq!(saw.recv().await, Some(0));
    open.commit().await.unwrap();
    assert_eq!(first.await.unwrap().unwrap().version.get(), 2);
    assert_eq!(came_at(second.await.unwrap()), Some(0));
}

/// Has no business with the counter.
struct Outsider;

impl Decision for Outsider {
    type Rejection = Full;

    fn target(&self) -> StreamId {
        stream("a")
    }

    fn admit(&mut self, _: &Loaded) -> Result<(), DecisionError<Full>> {
        Err(DecisionError::Rejected(Full))
    }

    fn decide(&mut self, _: &Loaded) -> Result<Accepted, DecisionError<Full>> {
        Err(DecisionError::Rejected(Full))
    }
}

#[tokio::test]
async fn those_who_have_no_business_with_a_stream_cannot_fill_its_line() {
    let database = TestDatabase::create().await;
    let executor = executor(&database).await;
    let mut open = database.pool_app().await.begin().await.unwrap();
    stored(append(&mut open, &counted("a", 0, 1)).await.unwrap());
    let first = tokio::spawn({
        let executor = executor.clone();
        async move { executor.execute(add_one("a"), patient()).await }
    });
    until_blocked(&database).await;
    let outsiders = (0..200).map(|_| {
        let executor = executor.clone();
        tokio::spawn(async move { executor.execute(Outsider, patient()).await })
    });
    let mut outsiders: Vec<_> = outsiders.collect();
    // They are sent away at once.
    eventually(
        "the outsiders to leave",
        Duration::from_secs(10),
        || async {
            match outsiders
                .iter()
                .filter(|outsider| !outsider.is_finished())
                .count()
            {
                0 => Ok(()),
                standing => Err(standing),
            }
        },
    )
    .await;
    let others = (0..20).map(|_| {
        let executor = executor.clone();
        tokio::spawn(async move { executor.execute(add_one("a"), patient()).await })
    });
    let others: Vec<_> = others.collect();
    open.rollback().await.unwrap();
    first.await.unwrap().unwrap();
    for other in others {
        other.await.unwrap().unwrap();
    }
    for outsider in outsiders.drain(..) {
        let refused = outsider.await.unwrap().unwrap_err();
        assert!(
            matches!(
                refused,
                ExecuteError::Rejected(Full) | ExecuteError::Overloaded
            ),
            "{refused:?}"
        );
    }
}
