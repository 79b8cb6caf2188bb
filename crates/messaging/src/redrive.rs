//! Dead letters are sent again: each once, those of a key one after the other and the oldest first,
//! and no more once one comes back.
//!
//! It begins with one, and sends twice as many together each time that all were handled: where the
//! cause is still there, one message says so. A letter is claimed before it is sent, and the claim
//! outlives this process by its lease; what another redrive has in hand is waited for. What one had
//! in hand that is gone it may have sent: that is known once the consumers have come to the ends of
//! the topics, and is waited for before any of it is sent.

mod settle;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use contracts::dead_letter_header;
use dead_letters::{DeadLetter, Headers, Selected, Standing, claim, find, foreign, look, release};
use rdkafka::error::KafkaError;
use rdkafka::producer::future_producer::DeliveryFuture;
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Kafka;
use crate::sender::{Bytes, Sender, acknowledged};
use settle::Ends;

/// The most that are under way together.
const WIDEST: usize = 256;
/// How many bytes of theirs are, before Kafka has them; one letter alone may have more.
const LARGEST: usize = 4 << 20;
/// How far behind the oldest letter others are looked for whose key is not under way.
const LOOKS_AHEAD: usize = 4 * WIDEST;
/// How long a topic may take to acknowledge a message.
const PATIENCE: Duration = Duration::from_secs(10);
/// Nobody handles what was sent for so long: they are left under way.
const STANDSTILL: Duration = Duration::from_secs(300);
/// The pauses between two looks at what became of them.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Sends dead letters again.
#[derive(Debug)]
pub struct Redrive {
    database: PgPool,
    kafka: Kafka,
    run: Uuid,
}

/// What came of it so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Were sent.
    pub sent: u64,
    /// Are closed: handled, after they were sent or in some other way.
    pub closed: u64,
    /// Came back: nothing was sent after the first of them did.
    pub returned: Vec<Uuid>,
    /// Were sent, and nobody has taken them up yet.
    pub under_way: u64,
    /// Were not sent.
    pub left: u64,
}

/// Why it ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum RedriveError {
    /// The rows were not read or written.
    #[error("the dead letters could not be read or written")]
    Database(#[from] sqlx::Error),
    /// Kafka did not take a message: it may have been sent, or not.
    #[error("kafka did not take dead letter {id}")]
    Kafka {
        /// Its dead letter.
        id: Uuid,
        /// What was said.
        source: KafkaError,
    },
}

/// Letters that are in hand now.
struct InHand {
    letters: Vec<Selected>,
    /// Those of them that a redrive which is gone had in hand.
    doubtful: BTreeSet<Uuid>,
}

/// A run.
struct Run<'a> {
    redrive: &'a Redrive,
    connection: PgConnection,
    sender: Sender,
    queue: VecDeque<Selected>,
    tally: Tally,
}

impl Redrive {
    /// One that has sent nothing. `run` is its act's id: by it others know what it has in hand.
    #[must_use]
    pub const fn new(database: PgPool, kafka: Kafka, run: Uuid) -> Self {
        Self {
            database,
            kafka,
            run,
        }
    }

    /// Sends the letters, which ascend, and waits for each until it was handled or came back; ends
    /// early when told to stop, or with the first that comes back. `tell` hears how it goes on.
    ///
    /// # Errors
    /// See [`RedriveError`]. What was closed stays so; the rest can be selected again.
    pub async fn run(
        &self,
        letters: Vec<Selected>,
        stop: &CancellationToken,
        mut tell: impl FnMut(&Tally),
    ) -> Result<Tally, RedriveError> {
        let sender = Sender::new(&self.kafka).map_err(|source| RedriveError::Kafka {
            id: self.run,
            source,
        })?;
        let mut run = Run {
            redrive: self,
            connection: self.database.acquire().await?.detach(),
            sender,
            queue: letters.into(),
            tally: Tally::default(),
        };
        let mut width = 1;
        while !run.queue.is_empty()
            && run.tally.returned.is_empty()
            && run.tally.under_way == 0
            && !stop.is_cancelled()
        {
            let claimed = run.claim(width).await?;
            if claimed.letters.is_empty() {
                // Another has in hand what comes next.
                pause(LONGEST_PAUSE, stop).await;
                continue;
            }
            let unsent = run.settle(&claimed, stop).await?;
            run.send(&unsent).await?;
            run.wait(claimed.letters, stop, &mut tell).await?;
            width = (width * 2).min(WIDEST);
        }
        run.tally.left = count(run.queue.len());
        Ok(run.tally)
    }
}

impl Run<'_> {
    /// Claims the next letters, one a key, `width` at most. Those that are closed already are
    /// counted; those in another's hand stay where they are.
    async fn claim(&mut self, width: usize) -> Result<InHand, RedriveError> {
        let mut keys = BTreeSet::new();
        let window = self.queue.iter().take(LOOKS_AHEAD).filter(|letter| {
            let key = letter.key_hash.as_ref();
            key.is_none_or(|key| keys.insert((letter.topic.clone(), key.clone())))
        });
        let window: Vec<Uuid> = window.map(|letter| letter.id).collect();
        let run = self.redrive.run;
        let width = i64::try_from(width).unwrap_or(i64::MAX);
        let claimed = claim(&mut self.connection, run, &window, width).await?;
        let mut others = window;
        others.retain(|id| !claimed.contains_key(id));
        let standings = look(&mut self.connection, run, &others).await?;
        let open = standings.iter().filter(|standing| standing.is_open);
        let open: BTreeSet<Uuid> = open.map(|standing| standing.id).collect();

        let mut taken = Vec::with_capacity(claimed.len());
        let mut kept = Vec::with_capacity(LOOKS_AHEAD);
        for letter in self.queue.drain(..LOOKS_AHEAD.min(self.queue.len())) {
            match claimed.get(&letter.id) {
                Some(claimed) => {
                    let returned = claimed.returned;
                    taken.push(Selected { returned, ..letter });
                }
                None if others.contains(&letter.id) && !open.contains(&letter.id) => {
                    self.tally.closed += 1;
                }
                None => kept.push(letter),
            }
        }
        for letter in kept.into_iter().rev() {
            self.queue.push_front(letter);
        }
        let doubtful = claimed.iter().filter(|(_, claimed)| claimed.was_in_hand);
        Ok(InHand {
            doubtful: doubtful.map(|(id, _)| *id).collect(),
            letters: taken,
        })
    }

    /// Waits until it is known which of them a redrive that is gone has sent; those that nobody has.
    /// After a stop that is none.
    async fn settle(
        &mut self,
        in_hand: &InHand,
        stop: &CancellationToken,
    ) -> Result<Vec<Selected>, RedriveError> {
        let InHand { letters, doubtful } = in_hand;
        let Some(id) = doubtful.first().copied() else {
            return Ok(letters.clone());
        };
        let failed = |source| RedriveError::Kafka { id, source };
        let ids: Vec<Uuid> = letters.iter().map(|letter| letter.id).collect();
        let mut standings = Vec::new();
        for (group, topics) in topics_by_group(in_hand) {
            let ends = Ends::of(&self.redrive.kafka, group, topics);
            let ends = ends.await.map_err(failed)?;
            loop {
                let are_passed = ends.are_passed().await.map_err(failed)?;
                // Whoever waits keeps what is in hand.
                standings = look(&mut self.connection, self.redrive.run, &ids).await?;
                if stop.is_cancelled() {
                    return Ok(Vec::new());
                }
                if are_passed {
                    break;
                }
                pause(LONGEST_PAUSE, stop).await;
            }
        }
        let is_unsent = |letter: &&Selected| {
            let standing = standings.iter().find(|standing| standing.id == letter.id);
            let became = standing.map(|standing| became(letter, standing));
            !doubtful.contains(&letter.id) || matches!(became, Some(Became::Nothing))
        };
        Ok(letters.iter().filter(is_unsent).cloned().collect())
    }

    /// Sends what was claimed, in order, and waits until Kafka has it.
    async fn send(&mut self, letters: &[Selected]) -> Result<(), RedriveError> {
        let mut deliveries = Vec::new();
        let mut bytes = 0;
        for letter in letters {
            let id = letter.id;
            let Some(whole) = find(&mut self.connection, id).await? else {
                continue;
            };
            let size = size(&whole);
            if bytes + size > LARGEST {
                all_acknowledged(std::mem::take(&mut deliveries)).await?;
                bytes = 0;
            }
            bytes += size;
            let sent = self.sender.send_bytes(Bytes {
                topic: &whole.summary.topic,
                key: whole.key.as_deref(),
                headers: &headers(&whole),
                value: whole.value.as_deref(),
            });
            deliveries.push((
                id,
                sent.map_err(|source| RedriveError::Kafka { id, source })?,
            ));
            self.tally.sent += 1;
        }
        all_acknowledged(deliveries).await
    }

    /// Waits until each was handled or came back; after a stop, or where nobody has handled any for
    /// a while, they are under way still.
    async fn wait(
        &mut self,
        letters: Vec<Selected>,
        stop: &CancellationToken,
        tell: &mut impl FnMut(&Tally),
    ) -> Result<(), RedriveError> {
        let run = self.redrive.run;
        let mut open = letters;
        let mut wait = SHORTEST_PAUSE;
        let mut changed = Instant::now();
        loop {
            let ids: Vec<Uuid> = open.iter().map(|letter| letter.id).collect();
            let standings = look(&mut self.connection, run, &ids).await?;
            let mut returned = Vec::new();
            let before = open.len();
            open.retain(|letter| {
                let standing = standings.iter().find(|standing| standing.id == letter.id);
                match standing.map(|standing| became(letter, standing)) {
                    Some(Became::Nothing) => true,
                    Some(Became::Returned) => {
                        returned.push(letter.id);
                        false
                    }
                    Some(Became::Closed) | None => {
                        self.tally.closed += 1;
                        false
                    }
                }
            });
            release(&mut self.connection, run, &returned).await?;
            self.tally.returned.append(&mut returned);
            self.tally.under_way = count(open.len());
            self.tally.left = count(self.queue.len());
            tell(&self.tally);
            if open.len() < before {
                changed = Instant::now();
            }
            if open.is_empty() || stop.is_cancelled() || changed.elapsed() > STANDSTILL {
                return Ok(());
            }
            pause(wait, stop).await;
            wait = (wait * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Whose consumers would have handled what is in doubt, and from which topics.
fn topics_by_group(in_hand: &InHand) -> BTreeMap<&str, BTreeSet<String>> {
    let mut topics: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for letter in &in_hand.letters {
        if in_hand.doubtful.contains(&letter.id) {
            let of_group = topics.entry(&letter.consumer).or_default();
            of_group.insert(letter.topic.clone());
        }
    }
    topics
}

/// Waits until Kafka has these.
async fn all_acknowledged(deliveries: Vec<(Uuid, DeliveryFuture)>) -> Result<(), RedriveError> {
    for (id, delivery) in deliveries {
        acknowledged(delivery, PATIENCE)
            .await
            .map_err(|source| RedriveError::Kafka { id, source })?;
    }
    Ok(())
}

/// What a letter measures.
fn size(letter: &DeadLetter) -> usize {
    let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
    let headers = letter.headers.iter();
    let headers: usize = headers
        .map(|(name, value)| name.len() + length(value))
        .sum();
    length(&letter.key) + headers + length(&letter.value)
}

/// What became of a letter that was sent.
enum Became {
    Nothing,
    Returned,
    Closed,
}

fn became(letter: &Selected, standing: &Standing) -> Became {
    match (standing.is_open, standing.returned > letter.returned) {
        (false, _) => Became::Closed,
        (true, true) => Became::Returned,
        (true, false) => Became::Nothing,
    }
}

/// The message's own headers, and whose redrive it is.
fn headers(letter: &DeadLetter) -> Headers {
    let id = letter.summary.id.to_string();
    let redrive_of = (
        dead_letter_header::REDRIVE_OF.to_owned(),
        Some(id.into_bytes()),
    );
    foreign(&letter.headers)
        .filter(|(name, _)| name != dead_letter_header::REDRIVE_OF)
        .cloned()
        .chain([redrive_of])
        .collect()
}

async fn pause(pause: Duration, stop: &CancellationToken) {
    stop.run_until_cancelled(tokio::time::sleep(pause)).await;
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
