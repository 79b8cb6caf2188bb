//! Commands that are given at once go together, and none suffers for another.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use event_store::{
    Answer, Append, ClaimedAnswer, Conditions, ExecuteError, Executor, Outcome, append,
};
use futures::future::join_all;
use test_support::{TestDatabase, eventually};
use tokio::task::JoinHandle;

use crate::executor::{AddOne, Full, add_one, executor, impatient_executor, with_key};
use crate::fixtures::{claim, counted, patient, stored, until_blocked};

type Given = Result<Answer, ExecuteError<Full>>;

/// Gives one command to each of these counters, all at once.
async fn give_all(executor: &Executor, names: impl IntoIterator<Item = String>) -> Vec<Given> {
    let given = names.into_iter().map(|name| {
        let executor = executor.clone();
        tokio::spawn(async move { executor.execute(add_one(name), patient()).await })
    });
    let answers = join_all(given.collect::<Vec<_>>()).await;
    answers.into_iter().map(Result::unwrap).collect()
}

fn counters(count: u32) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("c{n}"))
}

async fn count(database: &TestDatabase, what: &'static str) -> i64 {
    let pool = database.pool_owner().await;
    sqlx::query_scalar(what).fetch_one(&pool).await.unwrap()
}

#[tokio::test]
async fn what_is_given_at_once_is_committed_together_and_each_has_its_own_answer() {
    let database = TestDatabase::create().await;
    let executor = executor(&database).await;
    for round in 1..=5 {
        let answers = give_all(&executor, counters(30)).await;
        let mut places = BTreeSet::new();
        for (name, answer) in counters(30).zip(answers) {
            let answer = answer.unwrap();
            assert_eq!((answer.key, answer.version.get()), (name, round));
            assert_eq!((answer.status, answer.replayed), (200, false));
            assert_eq!(answer.state.as_deref(), Some("counting"));
            places.insert(answer.token.position);
        }
        assert_eq!(places.len(), 30);
    }
    let wrong = "SELECT count(*) FROM store.events
                 WHERE (payload->>'number')::bigint <> sequence";
    assert_eq!(count(&database, wrong).await, 0);
    let commits = "SELECT count(DISTINCT xmin::text) FROM store.events";
    let commits = count(&database, commits).await;
    assert!(commits <= 75, "{commits} commits of 150 commands");
}

#[tokio::test]
async fn two_processes_that_race_for_the_same_streams_lose_no_command() {
    let database = TestDatabase::create().await;
    let processes = [executor(&database).await, executor(&database).await];
    let names = || counters(12).flat_map(|name| [name.clone(), name]);
    let rounds = processes.iter().map(|executor| give_all(executor, names()));
    let answers: Vec<Given> = join_all(rounds).await.into_iter().flatten().collect();
    let mut versions: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap())
        .map(|answer| (answer.key, answer.version.get()))
        .collect();
    versions.sort();
    let mut expected: Vec<_> = counters(12)
        .flat_map(|name| (1..=4).map(move |version| (name.clone(), version)))
        .collect();
    expected.sort();
    assert_eq!(versions, expected);
}

#[tokio::test]
async fn keys_that_are_used_twice_at_once_have_one_effect_each() {
    let database = TestDatabase::create().await;
    let processes = [executor(&database).await, executor(&database).await];
    for round in 0..5 {
        let given = counters(20).flat_map(|name| {
            let key = format!("{name}-{round}");
            processes.clone().map(|executor| {
                let (name, key) = (name.clone(), key.clone());
                tokio::spawn(async move {
                    let conditions = with_key(&key, 1);
                    executor.execute(add_one(name), conditions).await.unwrap()
                })
            })
        });
        let answers = join_all(given.collect::<Vec<_>>()).await;
        for twins in answers.chunks(2) {
            let [one, other] = [&twins[0], &twins[1]].map(|answer| answer.as_ref().unwrap());
            assert_eq!((&one.key, one.version), (&other.key, other.version));
            assert_eq!(one.token, other.token);
            assert!(one.replayed != other.replayed, "{one:?} {other:?}");
        }
    }
    assert_eq!(
        count(&database, "SELECT count(*) FROM store.events").await,
        100
    );
}

#[tokio::test]
async fn one_that_the_server_gives_up_on_spoils_it_for_no_other() {
    let database = TestDatabase::create().await;
    let executor = impatient_executor(&database).await;
    let mut open = database.pool_app().await.begin().await.unwrap();
    stored(append(&mut open, &counted("c3", 0, 1)).await.unwrap());

    let answers = give_all(&executor, counters(10)).await;
    for (number, answer) in answers.into_iter().enumerate() {
        if number == 3 {
            let refused = answer.unwrap_err();
            let ExecuteError::Unavailable { outcome, .. } = refused else {
                panic!("{refused:?}")
            };
            assert_eq!(outcome, Outcome::None);
        } else {
            assert_eq!(answer.unwrap().version.get(), 1);
        }
    }
    open.rollback().await.unwrap();
}

/// All at once, one of them on what somebody holds: the others are done while it still waits.
async fn give_beside(
    executor: &Executor,
    held: AddOne,
    conditions: Conditions,
) -> JoinHandle<Given> {
    let given = tokio::spawn({
        let executor = executor.clone();
        async move { executor.execute(held, conditions).await }
    });
    let others = tokio::time::timeout(Duration::from_secs(2), give_all(executor, counters(30)));
    for answer in others.await.unwrap() {
        answer.unwrap();
    }
    assert!(!given.is_finished());
    given
}

#[tokio::test]
async fn one_that_waits_for_a_version_is_waited_for_by_nobody() {
    let database = TestDatabase::create().await;
    let executor = executor(&database).await;
    let mut open = database.pool_app().await.begin().await.unwrap();
    stored(append(&mut open, &counted("held", 0, 1)).await.unwrap());
    let held = give_beside(&executor, add_one("held"), patient()).await;
    open.rollback().await.unwrap();
    assert_eq!(held.await.unwrap().unwrap().version.get(), 1);
}

#[tokio::test]
async fn one_that_waits_for_its_key_is_waited_for_by_nobody() {
    let database = TestDatabase::create().await;
    let executor = executor(&database).await;
    let mut open = database.pool_app().await.begin().await.unwrap();
    let twin = Append {
        claim: Some(ClaimedAnswer {
            claim: claim("k", 1),
            status: 200,
            state: None,
        }),
        ..counted("elsewhere", 0, 1)
    };
    stored(append(&mut open, &twin).await.unwrap());
    let held = give_beside(&executor, add_one("held"), with_key("k", 1)).await;
    open.rollback().await.unwrap();
    assert_eq!(held.await.unwrap().unwrap().version.get(), 1);
}

#[tokio::test]
async fn what_was_answered_before_it_was_sent_is_not_sent_any_more() {
    let database = TestDatabase::create().await;
    let executor = executor(&database).await;
    let owner = database.pool_owner().await;
    let mut lock = owner.begin().await.unwrap();
    sqlx::query("LOCK TABLE store.events IN SHARE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let given = counters(40).map(|name| {
        let executor = executor.clone();
        let soon = Conditions {
            deadline: Instant::now() + Duration::from_secs(2),
            ..patient()
        };
        tokio::spawn(async move { executor.execute(add_one(name), soon).await })
    });
    let answers = join_all(given.collect::<Vec<_>>()).await;
    let outcomes = answers.into_iter().map(|answer| match answer.unwrap() {
        Err(ExecuteError::TimedOut { outcome }) => outcome,
        other => panic!("{other:?}"),
    });
    let outcomes: Vec<Outcome> = outcomes.collect();
    let sent = outcomes
        .iter()
        .filter(|it| **it == Outcome::Unknown)
        .count();
    assert!((1..=12).contains(&sent), "{sent} were sent");
    lock.rollback().await.unwrap();
    // Behind whatever still goes: one more, and then everything has gone.
    executor.execute(add_one("last"), patient()).await.unwrap();
    eventually("those that were sent", Duration::from_secs(10), || async {
        let stored = count(&database, "SELECT count(*) FROM store.events").await - 1;
        if stored == i64::try_from(sent).unwrap() {
            Ok(())
        } else {
            Err(stored)
        }
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_cannot_be_read_stops_no_other() {
    let database = TestDatabase::create().await;
    let executor = executor(&database).await;
    let mut writer = database.pool_app().await.acquire().await.unwrap();
    stored(append(&mut writer, &counted("c1", 0, 2)).await.unwrap());
    let owner = database.pool_owner().await;
    sqlx::query("DELETE FROM store.events WHERE aggregate_id = 'c1' AND sequence = 1")
        .execute(&owner)
        .await
        .unwrap();

    let answers = give_all(&executor, counters(8)).await;
    for (number, answer) in answers.into_iter().enumerate() {
        if number == 1 {
            let refused = answer.unwrap_err();
            assert!(matches!(refused, ExecuteError::Internal(_)), "{refused:?}");
        } else {
            assert_eq!(answer.unwrap().version.get(), 1);
        }
    }
}

#[tokio::test]
async fn those_who_wait_for_others_hold_up_nobody_else() {
    let database = TestDatabase::create().await;
    let executor = executor(&database).await;
    let mut open = database.pool_app().await.begin().await.unwrap();
    for name in ["held1", "held2", "held3"] {
        stored(append(&mut open, &counted(name, 0, 1)).await.unwrap());
    }
    let held = ["held1", "held2", "held3"].map(|name| {
        let executor = executor.clone();
        tokio::spawn(async move { executor.execute(add_one(name), patient()).await })
    });
    until_blocked(&database).await;
    let others = give_all(&executor, counters(40));
    let others = tokio::time::timeout(Duration::from_secs(2), others).await;
    for answer in others.unwrap() {
        answer.unwrap();
    }
    open.rollback().await.unwrap();
    for answer in join_all(held).await {
        assert_eq!(answer.unwrap().unwrap().version.get(), 1);
    }
}
