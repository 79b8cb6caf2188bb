//! Thousands of dead letters, a third each closed by a redrive, by a replay and by their producer,
//! while others are given up and added, and processes are killed: what is told of depth and age is
//! right soon after.

use std::process::{Child, Stdio};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use reqwest::Client;
use serde_json::Value;
use sqlx::PgPool;
use test_support::eventually;
use uuid::Uuid;

use crate::commission::Party;
use crate::dead_letters::{AT, Message, OPERATOR, SOMEBODY, json_of, projector};
use crate::producer::{Producer, Told};
use crate::system::{App, System};
use crate::whole::sized;
use crate::{kafka, metrics};

const BOUND: Duration = Duration::from_secs(300);
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon it must be told rightly.
const SOON: Duration = Duration::from_secs(5);
const TOPIC: &str = "atlas.order-events.v1";
const PARTITIONS: i32 = 6;
/// So many are given up, and so many added.
const FEW: u128 = 50;
/// Without who counts them.
const WITHOUT_AUDITOR: &[&str] = &["run", "--only", "read-models,relay,bonus"];
/// Without who takes facts in.
const WITHOUT_BONUS: &[&str] = &["run", "--only", "read-models,relay"];

async fn count(pool: &PgPool, of: &str) -> i64 {
    let query = format!("SELECT count(*) FROM ops.dead_letters WHERE {of}");
    sqlx::query_scalar(&query).fetch_one(pool).await.unwrap()
}

/// Orders whose facts are on the topic, and which the consumer has passed; their facts' ids.
async fn passed_by(system: &mut System, brokers: &str, pool: &PgPool, orders: u128) -> Vec<Uuid> {
    system.projector.kill();
    let whole = system.another_projector();
    let without = system.another_projector().with_arguments(WITHOUT_BONUS);
    system.projector = without;
    system.projector.start();
    let client = Client::new();
    let operator = Party::new("operator", &client);
    let commissioner = Party::new("commissioner", &client);
    let workshops = [Party::new("workshop", &client)];
    operator.register(&system.commands[0], &workshops).await;
    for _ in 0..orders {
        commissioner.place(&system.commands[0], &workshops).await;
    }
    let all_sent =
        "SELECT coalesce((SELECT position FROM store.checkpoints WHERE name = 'relay'), 0)
                         = (SELECT max(position) FROM store.events)";
    eventually("the relay to have sent them", BOUND, || async {
        let sent: bool = sqlx::query_scalar(all_sent).fetch_one(pool).await.unwrap();
        if sent { Ok(()) } else { Err("not yet") }
    })
    .await;
    pass_everything(brokers).await;
    system.projector.kill();
    system.projector = whole;
    sqlx::query_scalar("SELECT event_id FROM store.events WHERE event_type = 'OrderPlaced'")
        .fetch_all(pool)
        .await
        .unwrap()
}

/// Commits the end of each partition for the group.
async fn pass_everything(brokers: &str) {
    let brokers = brokers.to_owned();
    kafka::blocking(move || {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &brokers)
            .set("group.id", "atlas-bonus")
            .create()
            .unwrap();
        let mut ends = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            let (_, end) = consumer
                .fetch_watermarks(TOPIC, partition, PATIENCE)
                .unwrap();
            ends.add_partition_offset(TOPIC, partition, Offset::Offset(end))
                .unwrap();
        }
        consumer.commit(&ends, CommitMode::Sync).unwrap();
    })
    .await;
}

/// Puts messages among the dead letters, of one cause; the ids of their events.
async fn lie(pool: &PgPool, cause: &str, messages: impl IntoIterator<Item = Message>) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for message in messages {
        message.lie_in(pool, cause).await;
        ids.push(message.id);
    }
    ids
}

/// The group of a cause, as `dlq groups` names it.
async fn group_of(system: &System, brokers: &str, cause: &str) -> String {
    let groups = json_of(system, brokers, &["dlq", "groups"]).await;
    let mut groups = groups["groups"].as_array().unwrap().iter();
    let group = groups.find(|group| group["cause"] == cause).unwrap();
    group["group"].as_str().unwrap().to_owned()
}

/// An act in the background, to be killed.
fn begin(system: &System, brokers: &str, act: &[&str]) -> Child {
    let by = [
        "--yes",
        "--operator",
        OPERATOR,
        "--reason",
        "the cause is gone",
    ];
    let mut command = projector(system, brokers, &[act, &by].concat());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

async fn ended(mut child: Child) -> Option<i32> {
    kafka::blocking(move || child.wait()).await.unwrap().code()
}

/// What a projector that counts them tells of depth and age.
async fn told(projector: &App) -> Option<(f64, f64)> {
    let depth = metrics::sum(projector, "atlas_dead_letters").await?;
    let age = metrics::sum(projector, "atlas_dead_letters_oldest_seconds").await?;
    Some((depth, age))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn depth_and_age_are_right_soon_after_they_were_closed_in_every_way_at_once() {
    let third: u128 = sized(1_667, 80);
    let broker = kafka::start().await;
    let brokers = broker.address();
    let mut system = System::start(&brokers).await;
    let pool = system.database.pool_owner().await;
    let stored = passed_by(&mut system, &brokers, &pool, third).await;
    let stored = stored.into_iter().map(Message::stored);
    lie(&pool, "to be replayed", stored).await;
    let sent_again = (0..third).map(Message::good);
    lie(&pool, "to be redriven", sent_again).await;
    let retold = (third..2 * third).map(Message::good);
    let retold = lie(&pool, "to be told again", retold).await;
    let given_up = (10_000..10_000 + FEW).map(Message::good);
    lie(&pool, "to be given up", given_up).await;
    let all = i64::try_from(3 * third + FEW).unwrap();
    assert_eq!(count(&pool, "closed_at IS NULL").await, all);

    system.projector.start();
    // One of them counts.
    let mut another = system.another_projector().with_arguments(WITHOUT_AUDITOR);
    another.start();
    system.projector.until(true).await;
    let redriven = group_of(&system, &brokers, "to be redriven").await;
    let redrive = ["dlq", "redrive", "--group", &redriven];
    let replay = ["replay", "--from", "1"];
    let mut redriving = begin(&system, &brokers, &redrive);
    let replaying = begin(&system, &brokers, &replay);
    let producing = {
        let producer = Producer::of(&brokers);
        tokio::spawn(async move { tell_again(&producer, &retold).await })
    };
    let added = (20_000..20_000 + FEW).map(Message::good);
    let first = lie(&pool, "added", added.take(25)).await;
    assert_eq!(first.len(), 25);
    let part = i64::try_from(third).unwrap();
    eventually("a third to be closed", BOUND, || async {
        match count(&pool, "closed_at IS NOT NULL").await {
            closed if closed > part => Ok(()),
            closed => Err(closed),
        }
    })
    .await;
    redriving.kill().unwrap();
    ended(redriving).await;
    system.projector.kill();
    system.projector.start();
    let group = group_of(&system, &brokers, "to be given up").await;
    let discard = begin(&system, &brokers, &["dlq", "discard", "--group", &group]);
    assert_eq!(ended(discard).await, Some(0));
    let rest = (20_025..20_000 + FEW).map(Message::good);
    lie(&pool, "added", rest).await;
    // What the killed one had in hand is taken up once its claim has ended.
    if count(&pool, "closed_at IS NULL AND cause = 'to be redriven'").await > 0 {
        assert_eq!(ended(begin(&system, &brokers, &redrive)).await, Some(0));
    }
    assert_eq!(ended(replaying).await, Some(0));
    producing.await.unwrap();

    let left = i64::try_from(FEW).unwrap();
    eventually("all but what was added to be closed", BOUND, || async {
        match count(&pool, "closed_at IS NULL").await {
            open if open == left => Ok(()),
            open => Err(open),
        }
    })
    .await;
    eventually("depth and age to be told", SOON, || async {
        // They were put there as of an hour ago.
        match told(&system.projector).await {
            Some((50.0, age)) if (3600.0..4200.0).contains(&age) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let groups = json_of(&system, &brokers, &["dlq", "groups"]).await;
    let groups = groups["groups"].as_array().unwrap();
    let counts: Vec<&Value> = groups.iter().map(|group| &group["count"]).collect();
    assert_eq!(counts, [&Value::from(left)]);
    assert_eq!(count(&pool, "closed_as = 'discarded'").await, left);
    let points: i64 = sqlx::query_scalar(
        "SELECT lifetime_points FROM bonus.accounts WHERE beneficiary_id::text = $1",
    )
    .bind(SOMEBODY)
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(points, i64::try_from(2 * third).unwrap() * 40);
}

/// Their producer tells the facts once more, rightly.
async fn tell_again(producer: &Producer, facts: &[Uuid]) {
    let told = facts.iter().map(|id| Told {
        id: *id,
        event: "OrderPlaced",
        commissioner: SOMEBODY.parse().unwrap(),
        order: *id,
        at: AT.parse().unwrap(),
    });
    let told: Vec<Told> = told.collect();
    for some in told.chunks(50) {
        producer.tell(some).await;
    }
}
