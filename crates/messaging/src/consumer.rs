//! A member of a consumer group: messages go to a handler, and what it handled is committed.
//!
//! At least once: the offset follows the handler's success, so whatever comes in between repeats.
//! A message that the handler cannot handle pauses its partition, and so does a dependency that is
//! down, for as long as it is; polling goes on meanwhile, the member stays in the group, and the
//! other partitions flow.

mod context;
mod handler;
mod partition;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::Kafka;
use crate::backoff::Backoff;
use crate::client::{apart, note};
use crate::failure::chain;
use context::GroupContext;
pub use handler::{HandleError, Handler, Received};
use partition::{BATCH, BATCH_BYTES, Partition, TopicPartition, Work};

/// How often it says what it is at, when nothing comes.
const TELLING: Duration = Duration::from_secs(5);
/// How long it may take to leave the group at the end.
const LEAVING_PATIENCE: Duration = Duration::from_millis(800);
/// The pauses before a new client, after one was lost.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The shortest session that brokers grant by default.
const SHORTEST_SESSION: Duration = Duration::from_secs(6);

/// What a consumer reads, and as whom.
#[derive(Debug, Clone)]
pub struct ConsumerOptions {
    /// Where the messages come from.
    pub kafka: Kafka,
    /// The group's name.
    pub group: String,
    /// The topics.
    pub topics: Vec<String>,
    /// After how long a dead member's partitions go to others; six seconds at least.
    pub session: Duration,
}

/// What a consumer is at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsumerState {
    /// Partitions that wait behind a message which cannot be handled.
    pub stuck: Vec<StuckPartition>,
    /// The number of partitions that wait for a dependency which is down.
    pub waiting: usize,
}

/// A partition that waits behind a message which cannot be handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckPartition {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The message.
    pub offset: i64,
    /// What is wrong with it, in a word that stays the same.
    pub code: String,
    /// What is wrong with it, in a sentence.
    pub detail: String,
}

/// Hands a group's messages to a handler.
pub struct Consumer<H> {
    options: ConsumerOptions,
    handler: H,
    state: watch::Sender<ConsumerState>,
}

type Client = StreamConsumer<GroupContext>;
type Partitions = BTreeMap<TopicPartition, Partition>;

impl<H: Handler> Consumer<H> {
    /// A consumer that has not started.
    #[must_use]
    pub fn new(options: ConsumerOptions, handler: H) -> Self {
        Self {
            options,
            handler,
            state: watch::Sender::default(),
        }
    }

    /// What it is at, for health and tests.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<ConsumerState> {
        self.state.subscribe()
    }

    /// Consumes until `stop`. What is being handled then is finished and committed.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE);
        while !stop.is_cancelled() {
            let started = Instant::now();
            if let Err(failure) = self.consume(&stop).await {
                warn!(
                    group = self.options.group,
                    error = chain(&failure),
                    "consumer.failed"
                );
                self.state.send_replace(ConsumerState::default());
            }
            if started.elapsed() > LONGEST_PAUSE {
                backoff.reset();
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(backoff.pause()) => {}
            }
        }
    }

    /// Consumes with one client, until told to stop or until the client is lost.
    async fn consume(&self, stop: &CancellationToken) -> Result<(), KafkaError> {
        let session = self.options.session.max(SHORTEST_SESSION);
        let config = self
            .options
            .kafka
            .consumer_config(&self.options.group, session);
        let context = GroupContext::new(self.options.group.clone());
        let client = Client::from_config_and_context(&config, context)?;
        let topics: Vec<&str> = self.options.topics.iter().map(String::as_str).collect();
        client.subscribe(&topics)?;
        info!(group = self.options.group, "consumer.started");
        let outcome = self.poll(&client, stop).await;
        // Leaving hands the partitions to others at once.
        drop(timeout(LEAVING_PATIENCE, apart(move || drop(client))).await);
        outcome
    }

    async fn poll(&self, client: &Client, stop: &CancellationToken) -> Result<(), KafkaError> {
        let mut partitions = Partitions::new();
        loop {
            let tell = Instant::now() + TELLING;
            let due = partitions.values().filter_map(Partition::due).min();
            let due = due.map_or(tell, |due| due.min(tell));
            let received = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                received = client.recv() => Some(received),
                () = tokio::time::sleep_until(due) => None,
            };
            forget_revoked(client, &mut partitions);
            if let Some(received) = received {
                take_all(client, &mut partitions, received)?;
            }
            let now = Instant::now();
            for (of, partition) in &mut partitions {
                while partition.is_ready(now) && !stop.is_cancelled() {
                    self.work(client, of, partition).await;
                }
            }
            self.tell(&partitions);
        }
    }

    /// Hands a partition's messages to the handler, and notes what came of it.
    async fn work(&self, client: &Client, of: &TopicPartition, partition: &mut Partition) {
        let TopicPartition {
            topic,
            partition: number,
        } = of;
        let was_paused = partition.is_paused();
        match partition.work(&self.handler).await {
            Work::Done { next } => {
                if let Some(next) = next {
                    self.commit(client, of, next);
                }
                if was_paused {
                    info!(topic, partition = number, "consumer.resumed");
                    report("resume", client.resume(&of.list()));
                }
            }
            Work::Retry { source, pause } => {
                warn!(
                    topic,
                    partition = number,
                    pause.seconds = pause.as_secs_f64(),
                    error = chain(&*source),
                    "consumer.dependency_down"
                );
                report("pause", client.pause(&of.list()));
            }
            Work::Stuck {
                offset,
                code,
                detail,
            } => {
                self.commit(client, of, offset);
                error!(
                    topic,
                    partition = number,
                    offset,
                    code,
                    detail,
                    "consumer.stuck: the partition waits behind this message"
                );
                metrics::counter!(
                    "atlas_consumer_unhandled_total",
                    "group" => self.options.group.clone(), "code" => code
                )
                .increment(1);
                report("pause", client.pause(&of.list()));
            }
        }
    }

    /// Commits that everything before `next` is handled. The answer comes to the context; a commit
    /// that is lost is made up for by the next one, or by repeats.
    fn commit(&self, client: &Client, of: &TopicPartition, next: i64) {
        let mut list = TopicPartitionList::new();
        let committed = list
            .add_partition_offset(&of.topic, of.partition, Offset::Offset(next))
            .and_then(|()| client.commit(&list, CommitMode::Async));
        report("commit", committed);
    }

    fn tell(&self, partitions: &Partitions) {
        let state = ConsumerState {
            stuck: partitions
                .iter()
                .filter_map(|(of, partition)| partition.stuck(of))
                .collect(),
            waiting: partitions.values().filter_map(Partition::due).count(),
        };
        let group = &self.options.group;
        for (cause, count) in [
            ("unhandled", state.stuck.len()),
            ("dependency", state.waiting),
        ] {
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
            metrics::gauge!(
                "atlas_consumer_paused_partitions", "group" => group.clone(), "cause" => cause
            )
            .set(count as f64);
        }
        self.state.send_if_modified(|now| {
            let changed = *now != state;
            *now = state;
            changed
        });
    }
}

/// Forgets what was taken away by a rebalance, which happens inside a poll: before the message that
/// the same poll returned is put into its partition, which may have come back already.
fn forget_revoked(client: &Client, partitions: &mut Partitions) {
    for revoked in client.context().take_revoked() {
        partitions.remove(&revoked);
    }
}

/// Takes a message that was received, and those that wait behind it, up to a batch altogether:
/// what is taken is kept in memory until it is handled.
fn take_all(
    client: &Client,
    partitions: &mut Partitions,
    received: KafkaResult<BorrowedMessage<'_>>,
) -> Result<(), KafkaError> {
    let mut bytes = take(partitions, received)?;
    for _ in 1..BATCH {
        // The last one may go beyond: it is not known before it is there.
        if bytes >= BATCH_BYTES {
            break;
        }
        let Some(more) = client.recv().now_or_never() else {
            break;
        };
        forget_revoked(client, partitions);
        bytes += take(partitions, more)?;
    }
    forget_revoked(client, partitions);
    Ok(())
}

/// Puts a message into its partition, and returns its size in bytes. Errors of the transport pass
/// by themselves.
fn take(
    partitions: &mut Partitions,
    received: KafkaResult<BorrowedMessage<'_>>,
) -> Result<usize, KafkaError> {
    match received {
        Ok(message) => {
            let message = Received::from_message(&message);
            let bytes = message.size();
            partitions
                .entry(TopicPartition::of(&message))
                .or_default()
                .push(message);
            Ok(bytes)
        }
        Err(fatal @ KafkaError::MessageConsumptionFatal(_)) => Err(fatal),
        Err(error) => {
            note(&error, "while polling");
            Ok(0)
        }
    }
}

/// Logs what an orderly client refuses only when its partition has just been taken away.
fn report(what: &str, outcome: KafkaResult<()>) {
    if let Err(error) = outcome {
        warn!(%error, what, "consumer.refused");
    }
}
