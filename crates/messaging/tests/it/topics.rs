//! What is recorded of the topics, and what is refused because of it.

use std::time::Duration;

use contracts::topics::{Topic, all};
use event_store::acts::{self, ActKind, NewAct};
use messaging::topics::{Difference, Retention, TopicGuard, TopicsError};
use messaging::watch;
use serde_json::json;
use sqlx::PgPool;
use test_support::{TestDatabase, eventually};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::broker::{Broker, Endpoint, fresh_topic_name};

const PATIENCE: Duration = Duration::from_secs(30);

type Row = (String, String, Option<String>, i32, bool);

fn broker() -> Broker {
    let names: Vec<_> = all().into_iter().map(|topic| topic.name).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    Broker::with_topics(&names)
}

/// A topic that nobody else knows, as ours are.
fn fresh_topic() -> Topic {
    Topic {
        name: fresh_topic_name().to_owned(),
        ..all().swap_remove(0)
    }
}

/// A guard of all our topics.
fn guard(broker: &Endpoint, pool: &PgPool) -> TopicGuard {
    TopicGuard::new(broker.kafka(), pool.clone(), Retention::of_days(30))
}

async fn recorded(pool: &PgPool) -> Vec<Row> {
    sqlx::query_as(
        "SELECT topic, cluster_id, topic_id, partitions, accepted FROM ops.kafka_topics \
         ORDER BY topic",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

/// What a check refuses; the record stays as it is.
async fn refused(guard: &TopicGuard, pool: &PgPool) -> Vec<Difference> {
    let before = recorded(pool).await;
    let outcome = guard.check().await;
    assert_eq!(recorded(pool).await, before);
    let Err(TopicsError::Changed(differences)) = outcome else {
        panic!("{outcome:?}");
    };
    differences
}

/// Refused until an operator accepts it, and then no more.
fn accepting() -> NewAct {
    NewAct {
        kind: ActKind::AcceptTopics,
        operator: Uuid::from_u128(1),
        reason: "the cluster was made anew".to_owned(),
        subject: json!({ "differences": ["all"] }),
        request: None,
    }
}

async fn is_refused_until_accepted(guard: &TopicGuard, pool: &PgPool) -> Vec<Difference> {
    let differences = refused(guard, pool).await;
    assert_eq!(refused(guard, pool).await, differences);
    assert_eq!(guard.differences().await.unwrap(), differences);
    guard.accept(&accepting()).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let told = acts::page(&mut connection, None, 1).await.unwrap();
    assert_eq!(told[0].subject, accepting().subject);
    drop(connection);
    assert_eq!(guard.differences().await.unwrap(), []);
    let accepted = recorded(pool).await;
    guard.check().await.unwrap();
    assert_eq!(recorded(pool).await, accepted);
    differences
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_and_each_topic_are_recorded_at_first_sight() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let broker = broker();
    guard(&broker, &pool).check().await.unwrap();

    let rows = recorded(&pool).await;
    let names: Vec<_> = rows.iter().map(|row| row.0.clone()).collect();
    let mut expected: Vec<_> = all().into_iter().map(|topic| topic.name).collect();
    expected.sort();
    assert_eq!(names, expected);
    for (topic, cluster_id, topic_id, partitions, accepted) in &rows {
        assert_eq!(*cluster_id, rows[0].1, "{topic}");
        assert!(!cluster_id.is_empty(), "{topic}");
        assert_eq!(topic_id.as_ref().map(String::len), Some(22), "{topic}");
        assert_eq!(*partitions, 3, "{topic}");
        assert!(!accepted, "{topic}");
    }

    guard(&broker, &pool).check().await.unwrap();
    assert_eq!(recorded(&pool).await, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_cluster_is_refused_until_it_is_accepted() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    // Kept: the mock's id is its address in memory, which the next one may get.
    let first = broker();
    guard(&first, &pool).check().await.unwrap();
    let before = recorded(&pool).await;

    let other = broker();
    let guard = guard(&other, &pool);
    let differences = is_refused_until_accepted(&guard, &pool).await;
    let after = recorded(&pool).await;
    assert_eq!(differences.len(), after.len());
    for ((difference, before), after) in differences.iter().zip(&before).zip(&after) {
        let expected = Difference::Cluster {
            topic: before.0.clone(),
            recorded: before.1.clone(),
            found: after.1.clone(),
        };
        assert_eq!(*difference, expected);
        assert_ne!(before.2, after.2, "another topic of the same name");
        assert!(after.4, "{after:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_first_seen_on_another_cluster_is_not_recorded() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let mut topics = all();
    let later = topics.pop().unwrap();
    let (first, other) = (broker(), broker());
    let one = guard(&first, &pool).of_topics(topics);
    one.check().await.unwrap();

    let differences = refused(&guard(&other, &pool), &pool).await;
    assert_eq!(differences.len(), 3, "{differences:?}");
    let known = recorded(&pool).await;
    assert!(known.iter().all(|row| row.0 != later.name), "{known:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stops_the_relay_says_what_differs_and_what_goes_on() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let broker = broker();
    let guard = guard(&broker, &pool);
    guard.check().await.unwrap();
    let topic = "atlas.order-events.v1";
    sqlx::query("UPDATE ops.kafka_topics SET partitions = 12 WHERE topic = $1")
        .bind(topic)
        .execute(&database.pool_owner().await)
        .await
        .unwrap();

    let error = guard.check().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the topics are not those that are recorded: atlas.order-events.v1 is recorded with 12 \
         partitions, and has 3; `projector topics accept` goes on with them as they are (messages \
         sent before may be missing there: `projector replay` sends them again)"
    );
    let differences = is_refused_until_accepted(&guard, &pool).await;
    let expected = Difference::Partitions {
        topic: topic.to_owned(),
        recorded: 12,
        found: 3,
    };
    assert_eq!(differences, [expected]);
    let accepted = recorded(&pool).await;
    let accepted: Vec<_> = accepted.iter().filter(|row| row.4).collect();
    assert_eq!(accepted.len(), 1, "only what differed: {accepted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_was_never_told_is_written_down_and_then_guarded() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let broker = broker();
    let guard = guard(&broker, &pool);
    guard.check().await.unwrap();
    let rows = recorded(&pool).await;
    let owner = database.pool_owner().await;
    let set = async |id: Option<&str>| {
        sqlx::query("UPDATE ops.kafka_topics SET topic_id = $1")
            .bind(id)
            .execute(&owner)
            .await
            .unwrap();
    };

    set(None).await;
    guard.check().await.unwrap();
    assert_eq!(recorded(&pool).await, rows);
    set(Some("another")).await;
    let differences = is_refused_until_accepted(&guard, &pool).await;
    assert_eq!(differences.len(), rows.len());
    for (difference, row) in differences.iter().zip(&rows) {
        let expected = Difference::Topic {
            topic: row.0.clone(),
            recorded: "another".to_owned(),
            found: row.2.clone(),
        };
        assert_eq!(*difference, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topics_are_looked_at_again_when_it_is_due_or_they_are_in_doubt() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let broker = broker();
    let rare = guard(&broker, &pool);
    let frequent = guard(&broker, &pool).looking_again_every(Duration::ZERO);
    let outcomes = async || {
        let rare = rare.check_if_due().await;
        let frequent = frequent.check_if_due().await;
        (rare.is_ok(), frequent.is_ok())
    };
    assert_eq!(outcomes().await, (true, true));

    let owner = database.pool_owner().await;
    let set = async |change: &str| {
        let statement = format!("UPDATE ops.kafka_topics SET partitions = partitions {change}");
        sqlx::query(&statement).execute(&owner).await.unwrap();
    };
    set("+ 1").await;
    assert_eq!(outcomes().await, (true, false));
    rare.doubt();
    assert_eq!(outcomes().await, (false, false));
    // What was refused is looked at each time, until it is as recorded.
    set("- 1").await;
    assert_eq!(outcomes().await, (true, true));
    set("+ 1").await;
    assert_eq!(outcomes().await, (true, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_kafka_answers_is_reported() {
    let broker = broker();
    let stop = CancellationToken::new();
    let (report, mut reports) = mpsc::unbounded_channel();
    let watching = tokio::spawn(watch(broker.kafka(), stop.clone(), move |seen| {
        report.send(seen.is_ok()).unwrap();
    }));
    while !reports.recv().await.unwrap() {}
    broker.down();
    while reports.recv().await.unwrap() {}
    broker.up();
    while !reports.recv().await.unwrap() {}
    stop.cancel();
    watching.await.unwrap();
}

/// Missing topics are made as configured, and what is there already is left alone.
pub(crate) async fn are_made_where_missing(kafka: &Endpoint) {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let (days, for_ever) = (fresh_topic(), fresh_topic());
    let made = |topics: &[&Topic], days| {
        TopicGuard::new(kafka.kafka(), pool.clone(), Retention::of_days(days))
            .of_topics(topics.iter().map(|topic| (*topic).clone()).collect())
    };
    made(&[&days], 3).check().await.unwrap();
    made(&[&days, &for_ever], 0).check().await.unwrap();

    for (topic, retention) in [(&days, "259200000"), (&for_ever, "-1")] {
        let settings = kafka.settings(&topic.name).await;
        let size = topic.max_message_bytes.to_string();
        for (name, value) in [
            ("retention.ms", retention),
            ("unclean.leader.election.enable", "false"),
            ("min.insync.replicas", "1"),
            ("max.message.bytes", size.as_str()),
        ] {
            assert_eq!(settings[name], value, "{} of {}", name, topic.name);
        }
    }
    let rows = recorded(&pool).await;
    assert_eq!(rows.len(), 2);
    for (topic, _, topic_id, partitions, _) in rows {
        assert_eq!(partitions, 6, "{topic}");
        assert_eq!(topic_id.map(|id| id.len()), Some(22), "{topic}");
    }
}

/// A topic that was deleted is made again, and is another then.
pub(crate) async fn count_as_others_once_deleted(kafka: &Endpoint) {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let (by_us, by_others, kept) = (fresh_topic(), fresh_topic(), fresh_topic());
    let topics = vec![by_us.clone(), by_others.clone(), kept.clone()];
    let guard = guard(kafka, &pool).of_topics(topics);
    guard.check().await.unwrap();
    let before = recorded(&pool).await;

    kafka.delete_topic(&by_us.name).await;
    kafka.delete_topic(&by_others.name).await;
    kafka.make_topic_named(&by_others.name, &[]).await;
    // The cluster's brokers hear of it one after the other.
    eventually("both to be refused", PATIENCE, async || {
        match guard.check().await {
            Err(TopicsError::Changed(found)) if found.len() == 3 => Ok(()),
            outcome => Err(format!("{outcome:?}")),
        }
    })
    .await;
    assert_eq!(recorded(&pool).await, before);
    assert_eq!(
        kafka.settings(&by_us.name).await["retention.ms"],
        "2592000000"
    );

    let differences = is_refused_until_accepted(&guard, &pool).await;
    for (before, after) in before.iter().zip(recorded(&pool).await) {
        let is_kept = before.0 == kept.name;
        assert_eq!(before.2 == after.2, is_kept, "{before:?} {after:?}");
        let expected = Difference::Topic {
            topic: before.0.clone(),
            recorded: before.2.clone().unwrap(),
            found: after.2,
        };
        assert_eq!(differences.contains(&expected), !is_kept, "{expected:?}");
    }
    let fewer = Difference::Partitions {
        topic: by_others.name,
        recorded: 6,
        found: 3,
    };
    assert!(differences.contains(&fewer), "{differences:?}");
}

/// Another number of partitions is refused: keys lie elsewhere.
pub(crate) async fn count_as_others_once_grown(kafka: &Endpoint) {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let topic = fresh_topic();
    let guard = guard(kafka, &pool).of_topics(vec![topic.clone()]);
    guard.check().await.unwrap();

    kafka.grow_topic(&topic.name, 9).await;
    eventually(
        "the new partitions to be seen",
        PATIENCE,
        async || match guard.differences().await.unwrap() {
            found if found.is_empty() => Err("none"),
            _ => Ok(()),
        },
    )
    .await;
    let differences = is_refused_until_accepted(&guard, &pool).await;
    let expected = Difference::Partitions {
        topic: topic.name,
        recorded: 6,
        found: 9,
    };
    assert_eq!(differences, [expected]);
}

/// On another cluster nothing is made before an operator accepts it.
pub(crate) async fn are_not_made_on_another_cluster(kafka: &Endpoint) {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let (known, later) = (fresh_topic(), fresh_topic());
    let first = guard(kafka, &pool).of_topics(vec![known.clone()]);
    first.check().await.unwrap();
    sqlx::query("UPDATE ops.kafka_topics SET cluster_id = 'another'")
        .execute(&database.pool_owner().await)
        .await
        .unwrap();

    let guard = guard(kafka, &pool).of_topics(vec![known, later.clone()]);
    assert_eq!(refused(&guard, &pool).await.len(), 1);
    assert!(!kafka.has_topic(&later.name));
    is_refused_until_accepted(&guard, &pool).await;
    assert!(kafka.has_topic(&later.name));
    assert_eq!(recorded(&pool).await.len(), 2);
}
