//! The same promises, and those that a mock cannot keep, on Apache Kafka itself: the one that
//! `ATLAS_TEST_KAFKA` names. Without it these tests say so, and prove nothing.

use contracts::topics::dead_letters_of;

use crate::broker::{Endpoint, first_occurrences, fresh_topic_name};
use crate::store::Store;
use crate::{consumer, dead_letters, redrive, relay, topics};

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
    topics::are_made_where_missing(&kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_topic_is_made_again_and_is_another() {
    let Some(kafka) = kafka() else { return };
    topics::count_as_others_once_deleted(&kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_of_partitions_is_refused() {
    let Some(kafka) = kafka() else { return };
    topics::count_as_others_once_grown(&kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_stay_where_they_are_when_partitions_are_added() {
    let Some(kafka) = kafka() else { return };
    relay::keeps_keys_where_they_are(&kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_on_another_cluster() {
    let Some(kafka) = kafka() else { return };
    topics::are_not_made_on_another_cluster(&kafka).await;
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
async fn a_consumer_gives_up_poison_and_goes_on() {
    let Some(kafka) = kafka() else { return };
    let topic = kafka.make_topic(&[]).await;
    kafka.make_topic_named(&dead_letters_of(topic), &[]).await;
    dead_letters::gives_up_poison_and_goes_on(&kafka, topic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_that_is_redriven_again_and_again_has_one_row_and_each_header_once() {
    let Some(kafka) = kafka() else { return };
    let topic = kafka.make_topic(&[]).await;
    kafka.make_topic_named(&dead_letters_of(topic), &[]).await;
    redrive::of_one_poison_again_and_again(&kafka, topic, 30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_whose_cause_is_gone_closes_what_it_sent() {
    let Some(kafka) = kafka() else { return };
    let topic = kafka.make_topic(&[]).await;
    kafka.make_topic_named(&dead_letters_of(topic), &[]).await;
    redrive::closes_once_the_cause_is_gone(&kafka, topic, 200).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_hands_over_no_more_bytes_than_a_batch_has() {
    let Some(kafka) = kafka() else { return };
    let topic = kafka.make_topic(&[("max.message.bytes", "16777216")]).await;
    consumer::cuts_batches_by_bytes(&kafka, topic).await;
}
