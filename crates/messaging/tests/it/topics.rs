//! What is recorded of the topics.

use contracts::topics::all;
use messaging::{topics, watch};
use test_support::TestDatabase;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;

type Row = (String, String, Option<String>, i32);

fn broker() -> Broker {
    let names: Vec<_> = all().into_iter().map(|topic| topic.name).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    Broker::with_topics(&names)
}

async fn recorded(pool: &sqlx::PgPool) -> Vec<Row> {
    sqlx::query_as(
        "SELECT topic, cluster_id, topic_id, partitions FROM ops.kafka_topics ORDER BY topic",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_and_each_topic_are_recorded() {
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    let first = broker();
    topics::prepare(&first.kafka(), &pool).await.unwrap();

    let rows = recorded(&pool).await;
    let names: Vec<_> = rows.iter().map(|row| row.0.clone()).collect();
    let mut expected: Vec<_> = all().into_iter().map(|topic| topic.name).collect();
    expected.sort();
    assert_eq!(names, expected);
    for (topic, cluster_id, topic_id, partitions) in &rows {
        assert_eq!(*cluster_id, rows[0].1, "{topic}");
        assert!(!cluster_id.is_empty(), "{topic}");
        assert_eq!(topic_id.as_ref().map(String::len), Some(22), "{topic}");
        assert_eq!(*partitions, 3, "{topic}");
    }

    topics::prepare(&first.kafka(), &pool).await.unwrap();
    assert_eq!(recorded(&pool).await, rows);

    let second = broker();
    topics::prepare(&second.kafka(), &pool).await.unwrap();
    let changed = recorded(&pool).await;
    for (before, after) in rows.iter().zip(&changed) {
        assert_eq!(before.0, after.0);
        assert_ne!(before.2, after.2, "another topic of the same name");
    }
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
