//! What a replay promises.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use event_store::{Ended, Position, Reader, ReaderOptions, StoredEvent, StreamId, begin_anew};
use messaging::{Relay, Replay, Replayed};
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, Record, first_occurrences};
use crate::relay::{Running, but_not, id_on};
use crate::store::Store;

const TOPIC: &str = "facts";
const LEASE: Duration = Duration::from_secs(1);

/// Sends again what lies after `after` up to `to`, and says what was done.
async fn replay(store: &Store, broker: &Broker, with: ReaderOptions) -> Replayed {
    let mut connection = store.pool.acquire().await.unwrap();
    assert!(begin_anew(&mut connection, &with).await.unwrap());
    let relay = Relay::new(broker.kafka(), |event: &StoredEvent| id_on(TOPIC, event));
    let mut sink = Replay::new(relay, store.pool.clone(), |_| {});
    let reader = Reader::new(store.database.options("atlas_app"), with);
    let ended = reader.drive(&mut sink, &CancellationToken::new()).await;
    assert_eq!(ended, Ended::Reached);
    sink.replayed()
}

fn options(after: i64, to: Position) -> ReaderOptions {
    ReaderOptions {
        after: Position::new(after),
        to: Some(to),
        ..ReaderOptions::new("replay", "test", LEASE)
    }
}

/// How often each value lies on the topic, by key, in the order of first occurrence.
fn counts(records: &[Record]) -> BTreeMap<String, Vec<usize>> {
    let often = |value: &String| records.iter().filter(|it| it.value == *value).count();
    first_occurrences(records)
        .iter()
        .map(|(key, values)| (key.clone(), values.iter().map(often).collect()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_sent_again_in_order_and_the_relay_stays_where_it_is() {
    let broker = Broker::with_topics(&[TOPIC]);
    let mut store = Store::empty().await;
    store.append(2, 20).await;
    let relay = Running::start_with(&store, &broker, "a", |event| id_on(TOPIC, event));
    let end = store.last_position().await;
    store.relayed_to(end).await;
    relay.stop().await;

    // All but the first ten, which are of the first stream.
    let replayed = replay(&store, &broker, options(10, end)).await;
    assert_eq!((replayed.sent, replayed.passed_over), (30, 0));
    let records = broker.read(TOPIC);
    assert_eq!(first_occurrences(&records), store.appended);
    let (ten, twenty) = ([[1; 10], [2; 10]].concat(), vec![2; 20]);
    let found: Vec<_> = counts(&records).into_values().collect();
    assert_eq!(found, [ten, twenty]);
    assert_eq!(store.checkpoint().await, end);

    // And again, of one order alone.
    let key = store.appended.keys().next().unwrap().clone();
    let one = ReaderOptions {
        stream: Some(StreamId::from_parts(StreamId::ORDER, key)),
        ..options(0, end)
    };
    assert_eq!(replay(&store, &broker, one).await.sent, 20);
    assert_eq!(broker.read(TOPIC).len(), 40 + 30 + 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_relay_has_yet_to_send_is_passed_over() {
    let broker = Broker::with_topics(&[TOPIC]);
    let mut store = Store::empty().await;
    store.append(2, 10).await;
    let key = store.appended.keys().next().unwrap().clone();
    let odd = store.appended[&key][4].clone();
    let means_nothing = Arc::new(AtomicBool::new(true));
    let relay = Running::start_with(&store, &broker, "a", but_not(&odd, &means_nothing));
    let end = store.last_position().await;
    store.relayed_to(end).await;
    store.parks(&[(key.clone(), 5)]).await;
    relay.stop().await;

    let replayed = replay(&store, &broker, options(0, end)).await;
    assert_eq!((replayed.sent, replayed.passed_over), (14, 6));
    let mut expected = store.appended.clone();
    expected.get_mut(&key).unwrap().truncate(4);
    assert_eq!(first_occurrences(&broker.read(TOPIC)), expected);
}
