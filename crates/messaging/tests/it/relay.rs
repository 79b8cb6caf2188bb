//! What the relay promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use contracts::Outbound;
use event_store::StoredEvent;
use messaging::{Relay, RelayOptions, RelayState};
use rdkafka::types::RDKafkaRespErr;
use test_support::eventually;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, Endpoint, first_occurrences};
use crate::store::Store;

const TOPIC: &str = "facts";
const LEASE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(30);
/// How often these relays look again at what they hold back.
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

pub(crate) struct Running {
    task: JoinHandle<()>,
    stop: CancellationToken,
    state: tokio::sync::watch::Receiver<RelayState>,
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
        let options = RelayOptions {
            connect: store.database.options("atlas_app"),
            kafka: broker.kafka(),
            owner: owner.to_owned(),
            lease: LEASE,
        };
        let relay = Relay::new(options, messages_of).looking_again_every(LOOK_AGAIN);
        let state = relay.state();
        let stop = CancellationToken::new();
        let task = tokio::spawn(relay.run(stop.clone()));
        Self { task, stop, state }
    }

    pub(crate) async fn becomes(
        &mut self,
        what: &str,
        wanted: impl Fn(&RelayState) -> bool,
    ) -> RelayState {
        let waited = tokio::time::timeout(PATIENCE, self.state.wait_for(|state| wanted(state)));
        let found = waited.await.map(|state| state.unwrap().clone());
        found.unwrap_or_else(|_| panic!("waited for {what}; it is {:?}", *self.state.borrow()))
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
    relay
        .becomes("waiting", |state| *state == RelayState::Waiting)
        .await;
    let mut other = Running::start(&store, &broker, "b");
    // Several leases long, the one who waits keeps the place.
    other
        .becomes("standby", |state| {
            *state
                == RelayState::Standby {
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
    assert_eq!(*relay.state.borrow(), RelayState::Waiting);
    assert_eq!(store.checkpoint().await, before);

    broker.up();
    store.relayed_to(store.last_position().await).await;
    relay
        .becomes("relaying", |state| *state == RelayState::Relaying)
        .await;
    relay.stop().await;
    other.stop().await;
    assert_eq!(first_occurrences(&broker.read(TOPIC)), store.appended);
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_without_kafka_it_hands_over_within_a_second() {
    let broker = Broker::with_topics(&[TOPIC]);
    let mut store = Store::empty().await;
    let mut relay = Running::start(&store, &broker, "a");
    relay
        .becomes("relaying", |state| *state == RelayState::Relaying)
        .await;
    let mut other = Running::start(&store, &broker, "b");
    broker.down();
    store.append(3, 50).await;
    relay
        .becomes("waiting", |state| *state == RelayState::Waiting)
        .await;

    let took = relay.stop().await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    let told = Instant::now();
    other
        .becomes("taken over", |state| {
            matches!(state, RelayState::Relaying | RelayState::Waiting)
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
    relay
        .becomes("relaying", |state| *state == RelayState::Relaying)
        .await;
    broker.down();
    store.append(2, 20).await;
    relay
        .becomes("waiting", |state| *state == RelayState::Waiting)
        .await;

    sqlx::query(
        "UPDATE store.checkpoints SET owner = 'thief', epoch = epoch + 1, \
         expires_at = clock_timestamp() + interval '3 seconds' WHERE name = 'relay'",
    )
    .execute(&store.pool)
    .await
    .unwrap();
    let thief = RelayState::Standby {
        owner: "thief".to_owned(),
    };
    relay.becomes("standby", |state| *state == thief).await;

    broker.up();
    store.relayed_to(store.last_position().await).await;
    relay.stop().await;
    assert_eq!(first_occurrences(&broker.read(TOPIC)), store.appended);
}

/// Tells ids, but not of an event that means nothing, for as long as it does.
fn but_not(
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
async fn an_event_that_means_nothing_holds_back_its_stream_and_no_other() {
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
    assert_eq!(store.held_back().await, [(odd_key, 5)]);
    relay.stop().await;

    // The next release knows what it means, and looks when it starts.
    means_nothing.store(false, Ordering::Relaxed);
    let relay = Running::start_with(&store, &broker, "b", but_not(&odd, &means_nothing));
    eventually("the stream to flow again", PATIENCE, async || {
        match store.held_back().await {
            held if held.is_empty() => Ok(()),
            held => Err(format!("{held:?}")),
        }
    })
    .await;
    store.append(3, 10).await;
    store.relayed_to(store.last_position().await).await;
    relay.stop().await;
    let records = broker.read(TOPIC);
    assert_eq!(first_occurrences(&records), store.appended);
    assert_eq!(records.len(), 3 * 50, "nothing failed, so nothing repeats");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_back_is_looked_at_again_while_it_runs_and_moves_as_far_as_it_can() {
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
    assert_eq!(store.held_back().await, [(key.clone(), 5)]);

    first_means.store(false, Ordering::Relaxed);
    eventually(
        "the second event to be what is waited for",
        PATIENCE,
        async || match store.held_back().await {
            held if held == [(key.clone(), 12)] => Ok(()),
            held => Err(format!("{held:?}")),
        },
    )
    .await;
    second_means.store(false, Ordering::Relaxed);
    eventually("the stream to flow again", PATIENCE, async || {
        match store.held_back().await {
            held if held.is_empty() => Ok(()),
            held => Err(format!("{held:?}")),
        }
    })
    .await;
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
    let first = store.appended.values().next().unwrap()[0].clone();
    broker.refuse(&[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE; 50]);

    let mut relay = Running::start(&store, &broker, "a");
    let state = relay
        .becomes("stopped", |state| matches!(state, RelayState::Stopped(_)))
        .await;
    let RelayState::Stopped(halt) = state else {
        panic!("{state:?}");
    };
    assert_eq!(halt.event_id.to_string(), first);
    // Key and value, and the one header's name and value, are UUIDs and `ce_id`.
    assert_eq!(halt.size, 36 * 3 + 5);
    assert_eq!(broker.read(TOPIC), []);
    relay.stop().await;
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
