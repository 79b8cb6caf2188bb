//! The same promises, and those that a mock cannot keep, on Apache Kafka itself: the one that
//! `ATLAS_TEST_KAFKA` names. Without it these tests say so, and prove nothing.

use contracts::topics::all;
use messaging::topics;
use test_support::TestDatabase;

use crate::broker::{Endpoint, first_occurrences, fresh_topic_name};
use crate::store::Store;
use crate::{consumer, relay};

fn kafka() -> Option<Endpoint> {
    let kafka = Endpoint::real();
    if kafka.is_none() {
        eprintln!("skipped: ATLAS_TEST_KAFKA names no Apache Kafka");
    }
    kafka
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_topics_are_made_and_recorded() {
    let Some(kafka) = kafka() else { return };
    let database = TestDatabase::create().await;
    let pool = database.pool_app().await;
    topics::prepare(&kafka.kafka(), &pool).await.unwrap();
    // What is there already is left alone.
    topics::prepare(&kafka.kafka(), &pool).await.unwrap();

    for topic in all() {
        let settings = kafka.settings(&topic.name).await;
        let size = topic.max_message_bytes.to_string();
        for (name, value) in [
            ("retention.ms", "-1"),
            ("unclean.leader.election.enable", "false"),
            ("min.insync.replicas", "1"),
            ("max.message.bytes", size.as_str()),
        ] {
            assert_eq!(settings[name], value, "{} of {}", name, topic.name);
        }
        let (partitions, topic_id): (i32, Option<String>) =
            sqlx::query_as("SELECT partitions, topic_id FROM ops.kafka_topics WHERE topic = $1")
                .bind(&topic.name)
                .fetch_one(&pool)
                .await
                .unwrap();
        assert_eq!(partitions, 6, "{}", topic.name);
        assert_eq!(topic_id.map(|id| id.len()), Some(22), "{}", topic.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_killed_again_and_again_leaves_no_hole() {
    let Some(kafka) = kafka() else { return };
    let topic = kafka.make_topic(&[]).await;
    relay::survives_being_killed(&kafka, topic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_before_a_message_that_is_too_large() {
    let Some(kafka) = kafka() else { return };
    let topic = kafka.make_topic(&[("max.message.bytes", "20000")]).await;
    let mut store = Store::empty().await;
    store.append(1, 9).await;
    let (key, stream) = store.appended.pop_first().unwrap();
    let large = stream[5].clone();
    let running = relay::Running::start_with(&store, &kafka, "a", move |event| {
        let mut messages = relay::id_on(topic, event)?;
        if event.event_id.to_string() == large {
            // What cannot be compressed: the digits of a sum that never comes round.
            messages[0].payload = (0_u64..8_000)
                .map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
                .flat_map(u64::to_be_bytes)
                .collect();
        }
        Ok(messages)
    });

    store.parks(&[(key, 6)]).await;
    let reason = store.reason().await;
    let size: Option<usize> = reason.split(' ').find_map(|word| word.parse().ok());
    assert!(size.is_some_and(|size| size > 64_000), "{reason}");
    running.stop().await;
    let sent = first_occurrences(&kafka.read(topic));
    assert_eq!(sent.values().next().unwrap(), &stream[..5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_larger_than_the_topic_takes_goes_in_parts() {
    let Some(kafka) = kafka() else { return };
    let topic = kafka.make_topic(&[("max.message.bytes", "400")]).await;
    let mut store = Store::empty().await;
    store.append(2, 20).await;
    let running =
        relay::Running::start_with(&store, &kafka, "a", |event| relay::id_on(topic, event));
    store.relayed_to(store.last_position().await).await;
    running.stop().await;
    assert_eq!(first_occurrences(&kafka.read(topic)), store.appended);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_goes_on_after_what_was_handled() {
    let Some(kafka) = kafka() else { return };
    let topic = kafka.make_topic(&[]).await;
    consumer::goes_on_after_what_was_handled(&kafka, topic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_holds_a_partition_behind_poison() {
    let Some(kafka) = kafka() else { return };
    let topic = kafka.make_topic(&[]).await;
    consumer::holds_a_partition_behind_poison(&kafka, topic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_shares_with_members_that_come_and_go() {
    let Some(kafka) = kafka() else { return };
    let topic = kafka.make_topic(&[]).await;
    consumer::shares_with_members_that_come_and_go(&kafka, topic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_finds_a_topic_that_is_made_after_its_start() {
    let Some(kafka) = kafka() else { return };
    let topic = kafka.make_topic(&[]).await;
    let later = fresh_topic_name();
    let comes = kafka.make_topic_named(later, &[]);
    consumer::finds_what_comes_later(&kafka, topic, later, comes).await;
}
