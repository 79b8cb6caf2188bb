//! A member of a consumer group: messages go to a handler, and what it handled is committed.
//!
//! At least once: the offset follows the handler's success, so whatever comes in between repeats.
//! A message that the handler cannot handle is given up: it becomes a dead letter, and what lies
//! behind it goes on. A dependency that is down pauses its partitions for as long as it is, and
//! gives nothing up; polling goes on meanwhile, the member stays in the group, and no partition
//! waits for another.

mod bury;
mod context;
mod handler;
mod headers;
mod partition;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use kernel::{Clock as _, SystemClock};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::backoff::Backoff;
use crate::client::{apart, note};
use crate::failure::chain;
use crate::instruments::{
    CONSUMER_BATCH_SECONDS, CONSUMER_DEAD_LETTERS, CONSUMER_LATENCY_SECONDS, CONSUMER_PAUSED,
};
use crate::{Kafka, instruments};
use bury::Undertaker;
use context::GroupContext;
pub use handler::{BoxedError, HandleError, Handler, Received};
use partition::{BATCH, BATCH_BYTES, Load, Partition, TopicPartition, Work};

/// How many batches of one partition are held, at most: the client brings no more until one is left.
const MOST_BATCHES: usize = 4;
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
    /// Where the messages come from, and where those go that are given up.
    pub kafka: Kafka,
    /// Where dead letters are recorded.
    pub database: PgPool,
    /// The group's name.
    pub group: String,
    /// The topics.
    pub topics: Vec<String>,
    /// After how long a dead member's partitions go to others; six seconds at least.
    pub session: Duration,
}

/// What a consumer is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConsumerState {
    /// The number of partitions that wait: for a dependency which is down, or to try a message
    /// again.
    pub waiting: usize,
}

/// Hands a group's messages to a handler.
pub struct Consumer<H> {
    options: ConsumerOptions,
    handler: H,
    state: watch::Sender<ConsumerState>,
}

type Client = StreamConsumer<GroupContext>;

/// A partition of ours: what was taken from it, and whether it is being worked on.
struct Assigned {
    /// Tells it from one that was taken away, and came back, meanwhile.
    number: u64,
    /// None while it is being worked on.
    partition: Option<Partition>,
    /// What came meanwhile.
    inbox: Vec<Received>,
    load: Load,
    /// Whether the client was told to bring nothing more of it.
    is_paused: bool,
}

/// A step that is done.
struct Done {
    of: TopicPartition,
    number: u64,
    partition: Partition,
    work: Work,
}

/// What one client consumes.
struct Member<'a, H> {
    group: &'a str,
    handler: &'a H,
    undertaker: &'a Undertaker,
    client: &'a Client,
    assigned: BTreeMap<TopicPartition, Assigned>,
    next_number: u64,
}

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
        let ConsumerOptions {
            kafka,
            database,
            group,
            ..
        } = self.options.clone();
        let undertaker = Undertaker::new(kafka, database, group);
        let mut backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE);
        instruments::prepare_consumer(&self.options.group, &self.options.topics);
        while !stop.is_cancelled() {
            let started = Instant::now();
            if let Err(failure) = self.consume(&undertaker, &stop).await {
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
    async fn consume(
        &self,
        undertaker: &Undertaker,
        stop: &CancellationToken,
    ) -> Result<(), KafkaError> {
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
        let mut member = Member {
            group: &self.options.group,
            handler: &self.handler,
            undertaker,
            client: &client,
            assigned: BTreeMap::new(),
            next_number: 0,
        };
        let outcome = self.poll(&mut member, stop).await;
        drop(member);
        // Leaving hands the partitions to others at once.
        drop(timeout(LEAVING_PATIENCE, apart(move || drop(client))).await);
        outcome
    }

    /// Polls on and on, while the partitions are worked on beside it, each by itself.
    async fn poll(
        &self,
        member: &mut Member<'_, H>,
        stop: &CancellationToken,
    ) -> Result<(), KafkaError> {
        let mut works = FuturesUnordered::new();
        while !stop.is_cancelled() {
            let tell = Instant::now() + TELLING;
            let due = member.due().map_or(tell, |due| due.min(tell));
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                Some(done) = works.next(), if !works.is_empty() => member.settle(done),
                received = member.client.recv() => {
                    member.forget_revoked();
                    member.take_all(received)?;
                }
                () = tokio::time::sleep_until(due) => {}
            }
            member.forget_revoked();
            if !stop.is_cancelled() {
                works.extend(member.start());
            }
            self.tell(member);
        }
        while let Some(done) = works.next().await {
            member.settle(done);
        }
        Ok(())
    }

    fn tell(&self, member: &Member<'_, H>) {
        let waiting = member.assigned.values().filter_map(Assigned::due).count();
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        CONSUMER_PAUSED
            .of([&self.options.group])
            .set(waiting as f64);
        self.state.send_if_modified(|now| {
            let state = ConsumerState { waiting };
            std::mem::replace(now, state) != state
        });
    }
}

impl Assigned {
    fn due(&self) -> Option<Instant> {
        self.partition.as_ref().and_then(Partition::due)
    }
}

impl<'a, H: Handler> Member<'a, H> {
    /// When the first partition that waits is to be tried again.
    fn due(&self) -> Option<Instant> {
        self.assigned.values().filter_map(Assigned::due).min()
    }

    /// Starts a step of every partition that has something to do.
    fn start(&mut self) -> Vec<impl Future<Output = Done> + Send + use<'a, H>> {
        let now = Instant::now();
        let (handler, undertaker) = (self.handler, self.undertaker);
        let mut started = Vec::new();
        for (of, assigned) in &mut self.assigned {
            let is_ready = |partition: &mut Partition| partition.is_ready(now);
            if let Some(mut partition) = assigned.partition.take_if(is_ready) {
                let (of, number) = (of.clone(), assigned.number);
                let took = CONSUMER_BATCH_SECONDS.of([self.group]);
                started.push(async move {
                    let began = Instant::now();
                    let work = partition.work(handler, undertaker).await;
                    took.record(began.elapsed());
                    Done {
                        of,
                        number,
                        partition,
                        work,
                    }
                });
            }
        }
        started
    }

    /// Notes what came of a step; of a partition that was taken away meanwhile, nothing: whoever
    /// has it now does the same again.
    fn settle(&mut self, done: Done) {
        let Done {
            of,
            number,
            mut partition,
            work,
        } = done;
        let current = self.assigned.get_mut(&of);
        let Some(assigned) = current.filter(|assigned| assigned.number == number) else {
            return;
        };
        partition.append(std::mem::take(&mut assigned.inbox));
        assigned.load = partition.load();
        let waits = partition.due().is_some();
        let (is_full, was_paused) = (assigned.load.has_batches(1), assigned.is_paused);
        assigned.partition = Some(partition);
        assigned.is_paused = waits || (was_paused && is_full);
        if assigned.is_paused && !was_paused {
            report("pause", self.client.pause(&of.list()));
        }
        if was_paused && !assigned.is_paused {
            report("resume", self.client.resume(&of.list()));
        }
        self.told(&of, work);
    }

    /// Commits, logs and counts what came of a step.
    fn told(&self, of: &TopicPartition, work: Work) {
        let (topic, partition) = (of.topic.as_str(), of.partition);
        match work {
            Work::Handled { next, told_at } => {
                let latency = CONSUMER_LATENCY_SECONDS.of([self.group]);
                let now = SystemClock.now();
                for told in told_at {
                    latency.record((now - told).to_std().unwrap_or_default());
                }
                if let Some(next) = next {
                    self.commit(of, next);
                }
            }
            Work::Buried { next, code, detail } => {
                self.commit(of, next);
                let offset = next - 1;
                error!(
                    topic,
                    partition,
                    offset,
                    %code,
                    detail,
                    "consumer.dead_letter: the message was given up, see projector dlq"
                );
                CONSUMER_DEAD_LETTERS
                    .of([&of.topic, code.as_str()])
                    .increment(1);
            }
            Work::Retry { source, pause } => warn!(
                topic,
                partition,
                pause.seconds = pause.as_secs_f64(),
                error = chain(&*source),
                "consumer.dependency_down"
            ),
            Work::Failed { source, pause } => warn!(
                topic,
                partition,
                pause.seconds = pause.as_secs_f64(),
                error = chain(&*source),
                "consumer.attempt_failed"
            ),
        }
    }

    /// Commits that everything before `next` is handled. The answer comes to the context; a commit
    /// that is lost is made up for by the next one, or by repeats.
    fn commit(&self, of: &TopicPartition, next: i64) {
        let mut list = TopicPartitionList::new();
        let committed = list
            .add_partition_offset(&of.topic, of.partition, Offset::Offset(next))
            .and_then(|()| self.client.commit(&list, CommitMode::Async));
        report("commit", committed);
    }

    /// Forgets what was taken away by a rebalance, which happens inside a poll: before the message
    /// that the same poll returned is put into its partition, which may have come back already.
    fn forget_revoked(&mut self) {
        for revoked in self.client.context().take_revoked() {
            self.assigned.remove(&revoked);
            self.undertaker.forget_topics();
        }
    }

    /// Takes a message that was received, and those that wait behind it, up to a batch altogether:
    /// what is taken is kept in memory until it is handled.
    fn take_all(&mut self, received: KafkaResult<BorrowedMessage<'_>>) -> Result<(), KafkaError> {
        let mut bytes = self.take(received)?;
        for _ in 1..BATCH {
            // The last one may go beyond: it is not known before it is there.
            if bytes >= BATCH_BYTES {
                break;
            }
            let client = self.client;
            let Some(more) = client.recv().now_or_never() else {
                break;
            };
            self.forget_revoked();
            bytes += self.take(more)?;
        }
        Ok(())
    }

    /// Puts a message into its partition, and returns its size in bytes. Errors of the transport
    /// pass by themselves.
    fn take(&mut self, received: KafkaResult<BorrowedMessage<'_>>) -> Result<usize, KafkaError> {
        let message = match received {
            Ok(message) => Received::from_message(&message),
            Err(fatal @ KafkaError::MessageConsumptionFatal(_)) => return Err(fatal),
            Err(error) => {
                note(&error, "while polling");
                return Ok(0);
            }
        };
        let load = Load::of(&message);
        let of = TopicPartition::of(&message);
        let number = self.next_number;
        let assigned = self.assigned.entry(of.clone()).or_insert_with(|| Assigned {
            number,
            partition: Some(Partition::default()),
            inbox: Vec::new(),
            load: Load::default(),
            is_paused: false,
        });
        if assigned.number == number {
            self.next_number += 1;
        }
        assigned.load = assigned.load.plus(load);
        match &mut assigned.partition {
            Some(partition) => partition.append([message]),
            None => assigned.inbox.push(message),
        }
        if assigned.load.has_batches(MOST_BATCHES) && !assigned.is_paused {
            assigned.is_paused = true;
            report("pause", self.client.pause(&of.list()));
        }
        Ok(load.bytes)
    }
}

/// Logs what an orderly client refuses only when its partition has just been taken away.
fn report(what: &str, outcome: KafkaResult<()>) {
    if let Err(error) = outcome {
        warn!(%error, what, "consumer.refused");
    }
}
