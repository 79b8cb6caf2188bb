//! What the consumer promises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use contracts::DeadLetterCode;
use kernel::EventId;
use messaging::{
    BoxedError, Consumer, ConsumerOptions, ConsumerState, HandleError, Handler, Received,
};
use sqlx::PgPool;
use test_support::eventually;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, Endpoint};

pub(crate) const TOPIC: &str = "facts";
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Notes what it handled; cannot handle `poison` until it is healed, and nothing while it is down.
#[derive(Clone, Default)]
pub(crate) struct Notebook {
    handled: Arc<Mutex<Vec<(String, String)>>>,
    events: Arc<Mutex<BTreeSet<EventId>>>,
    down: Arc<AtomicBool>,
    healed: Arc<AtomicBool>,
}

impl Notebook {
    fn by_key(&self) -> BTreeMap<String, Vec<String>> {
        let mut by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, value) in self.handled.lock().unwrap().iter() {
            by_key.entry(key.clone()).or_default().push(value.clone());
        }
        by_key
    }

    /// From now on `poison` is handled too.
    pub(crate) fn heal(&self) {
        self.healed.store(true, Ordering::SeqCst);
    }

    /// The values that were handled.
    pub(crate) fn values(&self) -> Vec<String> {
        let handled = self.handled.lock().unwrap();
        handled.iter().map(|(_, value)| value.clone()).collect()
    }

    async fn holds(&self, expected: &BTreeMap<String, Vec<String>>) {
        eventually("the messages to be handled", PATIENCE, || async {
            let seen = self.by_key();
            if seen == *expected {
                Ok(())
            } else {
                Err(format!("{seen:?}"))
            }
        })
        .await;
    }
}

impl Handler for Notebook {
    async fn handle(&self, messages: &[Received]) -> Result<(), HandleError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(HandleError::Retry("the notebook is away".into()));
        }
        let text =
            |bytes: &Option<Vec<u8>>| String::from_utf8(bytes.clone().unwrap_or_default()).unwrap();
        let is_poison = |m: &Received| {
            !self.healed.load(Ordering::SeqCst) && text(&m.value).starts_with("poison")
        };
        if let Some(index) = messages.iter().position(is_poison) {
            return Err(HandleError::Unhandled {
                index,
                code: DeadLetterCode::InvalidJson,
                detail: "poison is no JSON at column 7".to_owned(),
            });
        }
        let mut handled = self.handled.lock().unwrap();
        handled.extend(messages.iter().map(|m| (text(&m.key), text(&m.value))));
        let ids = messages.iter().filter_map(|m| m.incoming().event_id().ok());
        self.events.lock().unwrap().extend(ids);
        Ok(())
    }

    async fn handled(&self, events: &[EventId]) -> Result<Vec<EventId>, BoxedError> {
        let known = self.events.lock().unwrap();
        Ok(events
            .iter()
            .filter(|id| known.contains(id))
            .copied()
            .collect())
    }
}

/// Notes the sizes of the values that it is given together.
#[derive(Clone, Default)]
struct Scale(Arc<Mutex<Vec<Vec<usize>>>>);

impl Handler for Scale {
    async fn handle(&self, messages: &[Received]) -> Result<(), HandleError> {
        let sizes = messages
            .iter()
            .map(|m| m.value.as_ref().map_or(0, Vec::len));
        self.0.lock().unwrap().push(sizes.collect());
        Ok(())
    }

    async fn handled(&self, _events: &[EventId]) -> Result<Vec<EventId>, BoxedError> {
        Ok(Vec::new())
    }
}

pub(crate) struct Running {
    task: JoinHandle<()>,
    stop: CancellationToken,
    pub(crate) state: watch::Receiver<ConsumerState>,
}

impl Running {
    fn start(broker: &Endpoint, notebook: &Notebook) -> Self {
        Self::start_on(broker, &[TOPIC], notebook)
    }

    /// The group is named as the first topic. It gives nothing up.
    fn start_on(
        broker: &Endpoint,
        topics: &[&str],
        handler: &(impl Handler + Clone + 'static),
    ) -> Self {
        let nowhere = PgPool::connect_lazy("postgres://127.0.0.1:1/none").unwrap();
        Self::start_with(broker, &nowhere, topics, handler)
    }

    /// The same, with a place for what it gives up.
    pub(crate) fn start_with(
        broker: &Endpoint,
        database: &PgPool,
        topics: &[&str],
        handler: &(impl Handler + Clone + 'static),
    ) -> Self {
        let options = ConsumerOptions {
            kafka: broker.kafka(),
            database: database.clone(),
            group: topics[0].to_owned(),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            session: Duration::from_secs(6),
        };
        let consumer = Consumer::new(options, handler.clone());
        let state = consumer.state();
        let stop = CancellationToken::new();
        let task = tokio::spawn(consumer.run(stop.clone()));
        Self { task, stop, state }
    }

    pub(crate) async fn becomes(
        &mut self,
        what: &str,
        wanted: impl Fn(&ConsumerState) -> bool,
    ) -> ConsumerState {
        let waited = tokio::time::timeout(PATIENCE, self.state.wait_for(|state| wanted(state)));
        let found = waited.await.map(|state| *state.unwrap());
        found.unwrap_or_else(|_| panic!("waited for {what}; it is {:?}", *self.state.borrow()))
    }

    pub(crate) async fn stop(self) -> Duration {
        let told = Instant::now();
        self.stop.cancel();
        self.task.await.unwrap();
        told.elapsed()
    }
}

fn expected(rows: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    rows.iter()
        .map(|(key, values)| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            ((*key).to_owned(), values)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_handled_does_not_come_again() {
    let broker = Broker::with_topics(&[TOPIC]);
    goes_on_after_what_was_handled(&broker, TOPIC).await;
}

pub(crate) async fn goes_on_after_what_was_handled(broker: &Endpoint, topic: &str) {
    broker.write(topic, "a", &["1", "2", "3"]);
    broker.write(topic, "b", &["1", "2"]);
    let notebook = Notebook::default();
    let consumer = Running::start_on(broker, &[topic], &notebook);
    notebook
        .holds(&expected(&[("a", &["1", "2", "3"]), ("b", &["1", "2"])]))
        .await;
    let took = consumer.stop().await;
    assert!(took < Duration::from_secs(1), "{took:?}");

    broker.write(topic, "a", &["4"]);
    let consumer = Running::start_on(broker, &[topic], &notebook);
    notebook
        .holds(&expected(&[
            ("a", &["1", "2", "3", "4"]),
            ("b", &["1", "2"]),
        ]))
        .await;
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_dependency_is_down_nothing_is_committed_or_lost() {
    let broker = Broker::with_topics(&[TOPIC]);
    let notebook = Notebook::default();
    notebook.down.store(true, Ordering::SeqCst);
    let mut consumer = Running::start(&broker, &notebook);
    broker.write(TOPIC, "a", &["1", "2"]);
    consumer
        .becomes("waiting", |state| state.waiting == 1)
        .await;
    broker.write(TOPIC, "a", &["3"]);
    assert_eq!(broker.committed(TOPIC), BTreeMap::new());

    notebook.down.store(false, Ordering::SeqCst);
    notebook.holds(&expected(&[("a", &["1", "2", "3"])])).await;
    consumer
        .becomes("well", |state| *state == ConsumerState::default())
        .await;
    consumer.stop().await;
    let committed: Vec<_> = broker.committed(TOPIC).into_values().collect();
    assert_eq!(committed, [3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_kafka_passes() {
    let broker = Broker::with_topics(&[TOPIC]);
    let notebook = Notebook::default();
    let consumer = Running::start(&broker, &notebook);
    broker.write(TOPIC, "a", &["1"]);
    notebook.holds(&expected(&[("a", &["1"])])).await;

    broker.down();
    broker.up();
    broker.write(TOPIC, "a", &["2"]);
    eventually("what came after the outage", PATIENCE, || async {
        let seen = notebook.by_key();
        let found = seen["a"].contains(&"2".to_owned());
        if found {
            Ok(())
        } else {
            Err(format!("{seen:?}"))
        }
    })
    .await;
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_kafka_it_ends_when_told_to() {
    let broker = Broker::with_topics(&[TOPIC]);
    let notebook = Notebook::default();
    let consumer = Running::start(&broker, &notebook);
    broker.write(TOPIC, "a", &["1"]);
    notebook.holds(&expected(&[("a", &["1"])])).await;
    broker.down();
    let took = consumer.stop().await;
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go_and_every_message_is_handled() {
    let broker = Broker::with_topics(&[TOPIC]);
    shares_with_members_that_come_and_go(&broker, TOPIC).await;
}

pub(crate) async fn shares_with_members_that_come_and_go(broker: &Endpoint, topic: &str) {
    let notebook = Notebook::default();
    let first = Running::start_on(broker, &[topic], &notebook);
    let keys = ["a", "b", "c", "d", "e", "f"];
    for key in keys {
        broker.write(topic, key, &["1"]);
    }
    let second = Running::start_on(broker, &[topic], &notebook);
    for key in keys {
        broker.write(topic, key, &["2"]);
    }
    first.stop().await;
    for key in keys {
        broker.write(topic, key, &["3"]);
    }
    eventually("everything to be handled", PATIENCE, || async {
        let seen = notebook.by_key();
        let whole = keys.iter().all(|key| {
            let mut values = seen.get(*key).cloned().unwrap_or_default();
            values.dedup();
            let first: BTreeSet<_> = values.iter().cloned().collect();
            first.len() == 3
        });
        if whole {
            Ok(())
        } else {
            Err(format!("{seen:?}"))
        }
    })
    .await;
    second.stop().await;
}

/// Lets `comes` bring the topic `later`, once it must have been seen that only `topic` is there.
pub(crate) async fn finds_what_comes_later(
    broker: &Endpoint,
    topic: &str,
    later: &str,
    comes: impl Future<Output = ()>,
) {
    let notebook = Notebook::default();
    let consumer = Running::start_on(broker, &[topic, later], &notebook);
    broker.write(topic, "a", &["1"]);
    notebook.holds(&expected(&[("a", &["1"])])).await;
    comes.await;
    broker.write(later, "a", &["2"]);
    notebook.holds(&expected(&[("a", &["1", "2"])])).await;
    consumer.stop().await;
}

/// A batch has 4 MiB at most, and a larger message goes alone. The mock keeps less than that.
pub(crate) async fn cuts_batches_by_bytes(broker: &Endpoint, topic: &str) {
    const MIB: usize = 1024 * 1024;
    let (small, large) = ("x".repeat(MIB / 4), "x".repeat(5 * MIB));
    let mut values = vec![small.as_str(); 40];
    values.insert(20, &large);
    broker.write(topic, "a", &values);
    let scale = Scale::default();
    let consumer = Running::start_on(broker, &[topic], &scale);
    eventually("all of it", PATIENCE, || async {
        match scale.0.lock().unwrap().concat().len() {
            41 => Ok(()),
            handled => Err(handled),
        }
    })
    .await;
    consumer.stop().await;
    let batches = scale.0.lock().unwrap().clone();
    let sizes: Vec<usize> = values.iter().map(|value| value.len()).collect();
    assert_eq!(batches.concat(), sizes, "all, once and in order");
    for batch in &batches {
        let bytes: usize = batch.iter().sum();
        assert!(bytes <= 4 * MIB || *batch == [5 * MIB], "{batch:?}");
    }
    let together = batches.iter().any(|batch| batch.len() > 8);
    assert!(together, "what is small goes together: {batches:?}");
}
