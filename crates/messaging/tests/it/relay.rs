//! What the relay promises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use contracts::Outbound;
use contracts::topics::{Topic, all};
use event_store::{Condition, Ended, Reader, ReaderOptions, Sink as _, Standing, StoredEvent};
use messaging::Relay;
use messaging::topics::{Retention, TopicGuard};
use rdkafka::types::RDKafkaRespErr;
use test_support::eventually;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, Endpoint, first_occurrences};
use crate::store::Store;

const TOPIC: &str = "facts";
const LEASE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(30);
/// How often these relays look at parked streams again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

#[derive(Debug, thiserror::Error)]
#[error("nobody knows what this means")]
pub(crate) struct Meaningless;

/// Every event becomes one message, which tells its id.
fn id_of(event: &StoredEvent) -> Result<Vec<Outbound>, Meaningless> {
    id_on(TOPIC, event)
}

pub(crate) fn id_on(
    topic: &'static str,
    event: &StoredEvent,
) -> Result<Vec<Outbound>, Meaningless> {
    Ok(vec![Outbound {
        topic,
        key: event.stream.key().to_owned(),
        headers: vec![("ce_id", event.event_id.to_string())],
        payload: event.event_id.to_string().into_bytes(),
    }])
}

fn is_relaying(standing: &Standing) -> bool {
    *standing == Standing::Leading(Condition::Running)
}

fn is_waiting(standing: &Standing) -> bool {
    let reason = "kafka does not answer".to_owned();
    *standing == Standing::Leading(Condition::Waiting { reason })
}

pub(crate) struct Running {
    task: JoinHandle<Ended>,
    stop: CancellationToken,
    standing: tokio::sync::watch::Receiver<Standing>,
}

impl Running {
    fn start(store: &Store, broker: &Endpoint, owner: &str) -> Self {
        Self::start_with(store, broker, owner, id_of)
    }

    pub(crate) fn start_with<M>(
        store: &Store,
        broker: &Endpoint,
        owner: &str,
        messages_of: M,
    ) -> Self
    where
        M: Fn(&StoredEvent) -> Result<Vec<Outbound>, Meaningless> + Send + Sync + 'static,
    {
        let options = ReaderOptions {
            look_again_every: LOOK_AGAIN,
            ..ReaderOptions::new("relay", owner, LEASE)
        };
        let reader = Reader::new(store.database.options("atlas_app"), options);
        let mut relay = Relay::new(broker.kafka(), messages_of);
        let (standing, stop) = (reader.standing(), CancellationToken::new());
        let told = stop.clone();
        let task = tokio::spawn(async move { reader.drive(&mut relay, &told).await });
        Self {
            task,
            stop,
            standing,
        }
    }

    pub(crate) async fn becomes(&mut self, what: &str, wanted: impl Fn(&Standing) -> bool) {
        let wait = self.standing.wait_for(wanted);
        let waited = tokio::time::timeout(PATIENCE, wait).await.is_ok();
        assert!(
            waited,
            "waited for {what}; it is {:?}",
            *self.standing.borrow()
        );
    }

    pub(crate) async fn stop(self) -> Duration {
        let told = Instant::now();
        self.stop.cancel();
        self.task.await.unwrap();
        told.elapsed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_once_and_in_order_per_key() {
    let broker = Broker::with_topics(&[TOPIC]);
    let mut store = Store::empty().await;
    store.append(5, 300).await;

    let relay = Running::start(&store, &broker, "a");
    store.append(5, 10).await;
    store.relayed_to(store.last_position().await).await;
    relay.stop().await;

    let records = broker.read(TOPIC);
    assert_eq!(first_occurrences(&records), store.appended);
    assert_eq!(records.len(), 5 * 310, "nothing failed, so nothing repeats");
    for record in records {
        assert_eq!(record.headers, [("ce_id".to_owned(), record.value)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_kafka_is_sat_out_with_the_lease_held() {
    let broker = Broker::with_topics(&[TOPIC]);
    let mut store = Store::empty().await;
    let mut relay = Running::start(&store, &broker, "a");
    store.append(3, 5).await;
    store.relayed_to(store.last_position().await).await;
    let before = store.checkpoint().await;

    broker.down();
    store.append(3, 50).await;
    relay.becomes("waiting", is_waiting).await;
    let mut other = Running::start(&store, &broker, "b");
    // Several leases long, the one who waits keeps the place.
    other
        .becomes("standby", |state| {
            *state
                == Standing::Standby {
                    owner: "a".to_owned(),
                }
        })
        .await;
    let since = Instant::now();
    eventually("three leases to pass", PATIENCE, || async {
        if since.elapsed() > LEASE * 3 {
            Ok(())
        } else {
            Err("not yet")
        }
    })
    .await;
    assert!(is_waiting(&relay.standing.borrow()));
    assert_eq!(store.checkpoint().await, before);

    broker.up();
    store.relayed_to(store.last_position().await).await;
    relay.becomes("relaying", is_relaying).await;
    relay.stop().await;
    other.stop().await;
    assert_eq!(first_occurrences(&broker.read(TOPIC)), store.appended);
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_without_kafka_it_hands_over_within_a_second() {
    let broker = Broker::with_topics(&[TOPIC]);
    let mut store = Store::empty().await;
    let mut relay = Running::start(&store, &broker, "a");
    relay.becomes("relaying", is_relaying).await;
    let mut other = Running::start(&store, &broker, "b");
    broker.down();
    store.append(3, 50).await;
    relay.becomes("waiting", is_waiting).await;

    let took = relay.stop().await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    let told = Instant::now();
    other
        .becomes("taken over", |state| {
            is_relaying(state) || is_waiting(state)
        })
        .await;
    assert!(
        told.elapsed() < Duration::from_secs(1),
        "{:?}",
        told.elapsed()
    );

    broker.up();
    store.relayed_to(store.last_position().await).await;
    other.stop().await;
    assert_eq!(first_occurrences(&broker.read(TOPIC)), store.appended);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_repeats_and_leaves_no_hole() {
    let broker = Broker::with_topics(&[TOPIC]);
    survives_being_killed(&broker, TOPIC).await;
}

pub(crate) async fn survives_being_killed(broker: &Endpoint, topic: &'static str) {
    let mut store = Store::empty().await;
    for life in 0..4 {
        store.append(4, 200).await;
        let before = store.checkpoint().await;
        let owner = format!("life {life}");
        let relay = Running::start_with(&store, broker, &owner, |event| id_on(topic, event));
        // Somewhere in the middle: the lease is left lying, and the producer with what it holds.
        eventually("the first batch", PATIENCE, || async {
            let now = store.checkpoint().await;
            if now > before { Ok(()) } else { Err(now) }
        })
        .await;
        relay.task.abort();
        assert!(relay.task.await.unwrap_err().is_cancelled());
    }
    let last = Running::start_with(&store, broker, "the last", |event| id_on(topic, event));
    store.relayed_to(store.last_position().await).await;
    last.stop().await;
    assert_eq!(first_occurrences(&broker.read(topic)), store.appended);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_lost_the_lease_stops_sending_and_stands_by() {
    let broker = Broker::with_topics(&[TOPIC]);
    let mut store = Store::empty().await;
    let mut relay = Running::start(&store, &broker, "a");
    relay.becomes("relaying", is_relaying).await;
    broker.down();
    store.append(2, 20).await;
    relay.becomes("waiting", is_waiting).await;

    sqlx::query(
        "UPDATE store.checkpoints SET owner = 'thief', epoch = epoch + 1, \
         expires_at = clock_timestamp() + interval '3 seconds' WHERE name = 'relay'",
    )
    .execute(&store.pool)
    .await
    .unwrap();
    let thief = Standing::Standby {
        owner: "thief".to_owned(),
    };
    relay.becomes("standby", |state| *state == thief).await;

    broker.up();
    store.relayed_to(store.last_position().await).await;
    relay.stop().await;
    assert_eq!(first_occurrences(&broker.read(TOPIC)), store.appended);
}

/// Tells ids, but not of an event that means nothing, for as long as it does.
pub(crate) fn but_not(
    odd: &str,
    means_nothing: &Arc<AtomicBool>,
) -> impl Fn(&StoredEvent) -> Result<Vec<Outbound>, Meaningless> + Send + Sync + use<> {
    let (odd, means_nothing) = (odd.to_owned(), Arc::clone(means_nothing));
    move |event| {
        if event.event_id.to_string() == odd && means_nothing.load(Ordering::Relaxed) {
            Err(Meaningless)
        } else {
            id_of(event)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_means_nothing_parks_its_stream_and_no_other() {
    let broker = Broker::with_topics(&[TOPIC]);
    let mut store = Store::empty().await;
    store.append(3, 20).await;
    let odd_key = store.appended.keys().next().unwrap().clone();
    let odd = store.appended[&odd_key][4].clone();
    let means_nothing = Arc::new(AtomicBool::new(true));
    let relay = Running::start_with(&store, &broker, "a", but_not(&odd, &means_nothing));
    store.relayed_to(store.last_position().await).await;
    store.append(3, 20).await;
    store.relayed_to(store.last_position().await).await;

    let mut expected = store.appended.clone();
    expected.get_mut(&odd_key).unwrap().truncate(4);
    assert_eq!(first_occurrences(&broker.read(TOPIC)), expected);
    assert_eq!(store.parked().await, [(odd_key, 5)]);
    relay.stop().await;

    // The next release knows what it means, and looks when it starts.
    means_nothing.store(false, Ordering::Relaxed);
    let relay = Running::start_with(&store, &broker, "b", but_not(&odd, &means_nothing));
    store.parks(&[]).await;
    store.append(3, 10).await;
    store.relayed_to(store.last_position().await).await;
    relay.stop().await;
    let records = broker.read(TOPIC);
    assert_eq!(first_occurrences(&records), store.appended);
    assert_eq!(records.len(), 3 * 50, "nothing failed, so nothing repeats");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_parked_is_looked_at_again_while_it_runs_and_moves_as_far_as_it_can() {
    let broker = Broker::with_topics(&[TOPIC]);
    let mut store = Store::empty().await;
    store.append(1, 20).await;
    let (key, told) = store.appended.first_key_value().unwrap();
    let (key, first, second) = (key.clone(), told[4].clone(), told[11].clone());
    let (first_means, second_means) = (
        Arc::new(AtomicBool::new(true)),
        Arc::new(AtomicBool::new(true)),
    );
    let (one, other) = (
        but_not(&first, &first_means),
        but_not(&second, &second_means),
    );
    let relay = Running::start_with(&store, &broker, "a", move |event| {
        one(event).and_then(|_| other(event))
    });
    store.relayed_to(store.last_position().await).await;
    assert_eq!(store.parked().await, [(key.clone(), 5)]);

    first_means.store(false, Ordering::Relaxed);
    store.parks(&[(key.clone(), 12)]).await;
    second_means.store(false, Ordering::Relaxed);
    store.parks(&[]).await;
    relay.stop().await;
    assert_eq!(first_occurrences(&broker.read(TOPIC)), store.appended);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kafka_refuses_together_it_is_offered_one_by_one() {
    let broker = Broker::with_topics(&[TOPIC]);
    let mut store = Store::empty().await;
    store.append(3, 20).await;
    broker.refuse(&[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);

    let relay = Running::start(&store, &broker, "a");
    store.relayed_to(store.last_position().await).await;
    relay.stop().await;
    assert_eq!(first_occurrences(&broker.read(TOPIC)), store.appended);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_before_a_message_that_kafka_refuses_for_good() {
    let broker = Broker::with_topics(&[TOPIC]);
    let mut store = Store::empty().await;
    store.append(1, 3).await;
    let key = store.appended.keys().next().unwrap().clone();
    broker.refuse(&[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE; 12]);

    let relay = Running::start(&store, &broker, "a");
    store.parks(&[(key, 1)]).await;
    // Key and value, and the one header's name and value, are UUIDs and `ce_id`.
    let size = 36 * 3 + 5;
    let reason = store.reason().await;
    assert!(
        reason.contains(&format!("the message of {size} bytes")),
        "{reason}"
    );
    assert_eq!(broker.read(TOPIC), []);

    // It is offered again until Kafka takes it, and then the rest comes after it.
    store.parks(&[]).await;
    relay.stop().await;
    assert_eq!(first_occurrences(&broker.read(TOPIC)), store.appended);
}

/// No client may send as much as this at once.
const TOO_LARGE: usize = 17 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_refused_again_and_again_parks_its_stream_and_no_other() {
    const LOOKS: usize = 5;
    let broker = Broker::with_topics(&[TOPIC]);
    let mut store = Store::empty().await;
    store.append(3, 10).await;
    let large_key = store.appended.keys().next().unwrap().clone();
    let large = store.appended[&large_key][4].clone();
    let (is_too_large, tried) = (
        Arc::new(AtomicBool::new(true)),
        Arc::new(AtomicUsize::new(0)),
    );
    let (grows, counts) = (Arc::clone(&is_too_large), Arc::clone(&tried));
    let relay = Running::start_with(&store, &broker, "a", move |event| {
        let mut messages = id_of(event)?;
        if event.event_id.to_string() == large && grows.load(Ordering::Relaxed) {
            counts.fetch_add(1, Ordering::Relaxed);
            messages[0].payload = vec![b'a'; TOO_LARGE];
        }
        Ok(messages)
    });
    store.relayed_to(store.last_position().await).await;
    store.parks(&[(large_key.clone(), 5)]).await;

    let (since, before) = (Instant::now(), tried.load(Ordering::Relaxed));
    store.append(3, 10).await;
    store.relayed_to(store.last_position().await).await;
    eventually("some looks at it", PATIENCE, || async {
        let tried = tried.load(Ordering::Relaxed) - before;
        if tried >= LOOKS { Ok(()) } else { Err(tried) }
    })
    .await;
    // A look offers sixteen events, eight, four, two and one at most, and comes once a time.
    let looks = since.elapsed().as_millis() / LOOK_AGAIN.as_millis() + 1;
    let tries = (tried.load(Ordering::Relaxed) - before) as u128;
    assert!(tries <= 5 * looks, "{tries} in {looks} looks");
    let mut expected = store.appended.clone();
    expected.get_mut(&large_key).unwrap().truncate(4);
    assert_eq!(first_occurrences(&broker.read(TOPIC)), expected);

    is_too_large.store(false, Ordering::Relaxed);
    store.parks(&[]).await;
    relay.stop().await;
    assert_eq!(first_occurrences(&broker.read(TOPIC)), store.appended);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passing_error_of_the_broker_changes_no_order() {
    let broker = Broker::with_topics(&[TOPIC]);
    let mut store = Store::empty().await;
    store.append(3, 100).await;
    broker.refuse(&[
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    ]);
    let relay = Running::start(&store, &broker, "a");
    store.relayed_to(store.last_position().await).await;
    relay.stop().await;
    assert_eq!(first_occurrences(&broker.read(TOPIC)), store.appended);
}

/// Partitions are added to a topic in use: until an operator accepts them, every key stays where it
/// is, also with a producer that has heard of them; and at the next look nothing is sent at all.
pub(crate) async fn keeps_keys_where_they_are(kafka: &Endpoint) {
    const KEYS: u128 = 30;
    const GROWN: i32 = 9;
    let name = kafka.make_topic(&[]).await;
    let mut store = Store::empty().await;
    let pool = store.pool.clone();
    let guard = |every| {
        let topic = Topic {
            name: name.to_owned(),
            ..all().swap_remove(0)
        };
        TopicGuard::new(kafka.kafka(), pool.clone(), Retention::of_days(30))
            .of_topics(vec![topic])
            .looking_again_every(every)
    };
    let options = ReaderOptions::new("relay", "a", LEASE);
    let reader = Reader::new(store.database.options("atlas_app"), options);
    let rarely = guard(Duration::from_secs(3600));
    let mut relay = Relay::new(kafka.kafka(), move |event| id_on(name, event)).guarded_by(rarely);
    store.append(KEYS, 3).await;
    reader.catch_up(&mut relay).await.unwrap();

    kafka
        .grow_topic(name, usize::try_from(GROWN).unwrap())
        .await;
    // The next producer counts the partitions that there are now.
    relay.abandon();
    store.append(KEYS, 3).await;
    reader.catch_up(&mut relay).await.unwrap();
    let records = kafka.read_all(name, GROWN);
    assert_eq!(first_occurrences(&records), store.appended);
    let mut places: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for record in &records {
        places
            .entry(&record.key)
            .or_default()
            .insert(record.partition);
    }
    let moved = places.values().filter(|places| places.len() > 1).count();
    assert_eq!(moved, 0, "{places:?}");

    store.append(KEYS, 1).await;
    let looking = guard(Duration::ZERO);
    let mut relay = Relay::new(kafka.kafka(), move |event| id_on(name, event)).guarded_by(looking);
    let refused = reader.catch_up(&mut relay).await.unwrap_err();
    let told = format!("{refused:?}");
    assert!(told.contains("recorded: 3, found: 9"), "{told}");
    assert_eq!(kafka.read_all(name, GROWN).len(), records.len());
}
