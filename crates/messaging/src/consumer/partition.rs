//! One partition as this member sees it: the messages that wait, and why they do.

use std::time::Duration;

use chrono::{DateTime, Utc};
use contracts::{DeadLetterCode, header};
use kernel::{Clock as _, SystemClock};
use rdkafka::TopicPartitionList;
use tokio::time::Instant;

use super::handler::{BoxedError, HandleError, Handler, Received};
use crate::backoff::Backoff;
use crate::failure::chain;

/// The pauses while a dependency is down, and between two attempts at one message.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often a message is tried that fails alone.
const ATTEMPTS: u32 = 5;

/// Messages that the handler is given at once, at most.
pub(super) const BATCH: usize = 500;
/// Their keys, headers and values in bytes, at most; a larger message goes alone.
pub(super) const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TopicPartition {
    pub(super) topic: String,
    pub(super) partition: i32,
}

impl TopicPartition {
    pub(super) fn of(message: &Received) -> Self {
        Self {
            topic: message.topic.clone(),
            partition: message.partition,
        }
    }

    /// The partition alone, as the client wants it.
    pub(super) fn list(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, self.partition);
        list
    }
}

/// When what a message tells happened, if it says so in its header.
fn told_at(message: &Received) -> Option<DateTime<Utc>> {
    let time = message.incoming().header(header::TIME)?;
    let time = DateTime::parse_from_rfc3339(time).ok()?;
    Some(time.to_utc())
}

/// What a step came to.
#[derive(Debug)]
pub(super) enum Work {
    /// Everything before offset `next` is handled.
    Handled {
        next: Option<i64>,
        /// When what was handled had happened, as far as the messages say so.
        told_at: Vec<DateTime<Utc>>,
    },
    /// So is the message before offset `next`, which was given up.
    Buried {
        next: i64,
        code: DeadLetterCode,
        detail: String,
    },
    /// A dependency is down; nothing was handled.
    Retry { source: BoxedError, pause: Duration },
    /// The first message failed alone, and is tried again.
    Failed { source: BoxedError, pause: Duration },
}

/// A message that is to be given up, and why.
#[derive(Debug)]
pub(super) struct Condemned {
    pub(super) message: Received,
    pub(super) trial: Trial,
    pub(super) code: DeadLetterCode,
    pub(super) detail: String,
}

/// How a message has failed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trial {
    pub(super) attempts: u32,
    pub(super) first_failed_at: DateTime<Utc>,
    pub(super) last_failed_at: DateTime<Utc>,
}

impl Trial {
    /// With one more failure, or the first.
    fn failed(so_far: Option<Self>) -> Self {
        let now = SystemClock.now();
        let first_failed_at = so_far.map_or(now, |trial| trial.first_failed_at);
        Self {
            attempts: so_far.map_or(0, |trial| trial.attempts) + 1,
            first_failed_at,
            // A clock may have been set back.
            last_failed_at: now.max(first_failed_at),
        }
    }
}

/// How much waits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Load {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Load {
    pub(super) fn of(message: &Received) -> Self {
        Self {
            messages: 1,
            bytes: message.size(),
        }
    }

    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            messages: self.messages + other.messages,
            bytes: self.bytes + other.bytes,
        }
    }

    /// As many batches as this, or more.
    pub(super) const fn has_batches(self, count: usize) -> bool {
        self.messages >= count * BATCH || self.bytes >= count * BATCH_BYTES
    }
}

/// Where messages go that are given up, and what is known there of those that are handled.
pub(super) trait Burial: Send + Sync {
    /// Gives a message up.
    fn bury(
        &self,
        handler: &impl Handler,
        condemned: &Condemned,
    ) -> impl Future<Output = Result<(), BoxedError>> + Send;

    /// Closes what is open about messages that were handled.
    fn close(&self, handled: &[Received]) -> impl Future<Output = Result<(), BoxedError>> + Send;
}

/// The messages that were taken from a partition and are not handled yet. They are kept, not
/// fetched again: a paused client goes on after the last message that it gave.
#[derive(Debug)]
pub(super) struct Partition {
    messages: Vec<Received>,
    /// Of the first of them.
    trial: Option<Trial>,
    /// Lay before all of them.
    condemned: Option<Condemned>,
    due: Option<Instant>,
    backoff: Backoff,
}

impl Default for Partition {
    fn default() -> Self {
        Self {
            messages: Vec::new(),
            trial: None,
            condemned: None,
            due: None,
            backoff: Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE),
        }
    }
}

impl Partition {
    pub(super) fn append(&mut self, messages: impl IntoIterator<Item = Received>) {
        self.messages.extend(messages);
    }

    /// How much waits.
    pub(super) fn load(&self) -> Load {
        let condemned = self.condemned.iter().map(|condemned| &condemned.message);
        let messages = self.messages.iter().chain(condemned);
        messages.fold(Load::default(), |load, message| {
            load.plus(Load::of(message))
        })
    }

    /// When it is to be tried again, if it waits for that.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether there is something to be done now.
    pub(super) fn is_ready(&self, now: Instant) -> bool {
        let is_empty = self.messages.is_empty() && self.condemned.is_none();
        self.due.is_none_or(|due| now >= due) && !is_empty
    }

    /// One step: the first messages are handled, as many as go together without one that is at
    /// fault, or the first one is given up. Afterwards there may be more to do.
    pub(super) async fn work(&mut self, handler: &impl Handler, burial: &impl Burial) -> Work {
        self.due = None;
        let done = match self.condemned.take() {
            Some(condemned) => self.bury(condemned, handler, burial).await,
            None => self.handle(handler, burial).await,
        };
        done.unwrap_or_else(|source| Work::Retry {
            source,
            pause: self.pause(),
        })
    }

    /// Hands the first messages to the handler, ever fewer until none is at fault.
    async fn handle(
        &mut self,
        handler: &impl Handler,
        burial: &impl Burial,
    ) -> Result<Work, BoxedError> {
        let mut count = if self.trial.is_some() {
            1
        } else {
            self.batch()
        };
        while let Some(batch) = self.messages.get(..count).filter(|batch| !batch.is_empty()) {
            match handler.handle(batch).await {
                Ok(()) => {
                    burial.close(batch).await?;
                    break;
                }
                Err(HandleError::Retry(source)) => return Err(source),
                Err(HandleError::Failed(_)) if count > 1 => count /= 2,
                Err(HandleError::Failed(source)) => {
                    let trial = Trial::failed(self.trial);
                    if trial.attempts < ATTEMPTS {
                        self.trial = Some(trial);
                        let pause = self.pause();
                        return Ok(Work::Failed { source, pause });
                    }
                    let condemned =
                        self.condemn(trial, DeadLetterCode::RepeatedFailure, chain(&*source));
                    return self.bury(condemned, handler, burial).await;
                }
                Err(HandleError::Unhandled {
                    index,
                    code,
                    detail,
                }) => {
                    // An index beyond the batch would never come to an end.
                    count = index.min(count - 1);
                    if count == 0 {
                        let condemned = self.condemn(Trial::failed(self.trial), code, detail);
                        return self.bury(condemned, handler, burial).await;
                    }
                }
            }
        }
        self.trial = None;
        self.backoff.reset();
        let handled: Vec<Received> = self.messages.drain(..count).collect();
        Ok(Work::Handled {
            next: handled.last().map(|message| message.offset + 1),
            told_at: handled.iter().filter_map(told_at).collect(),
        })
    }

    /// Takes the first message out, to be given up.
    fn condemn(&mut self, trial: Trial, code: DeadLetterCode, detail: String) -> Condemned {
        self.trial = None;
        Condemned {
            message: self.messages.remove(0),
            trial,
            code,
            detail,
        }
    }

    async fn bury(
        &mut self,
        condemned: Condemned,
        handler: &impl Handler,
        burial: &impl Burial,
    ) -> Result<Work, BoxedError> {
        if let Err(source) = burial.bury(handler, &condemned).await {
            self.condemned = Some(condemned);
            return Err(source);
        }
        self.backoff.reset();
        let Condemned {
            message,
            code,
            detail,
            trial: _,
        } = condemned;
        Ok(Work::Buried {
            next: message.offset + 1,
            code,
            detail,
        })
    }

    fn pause(&mut self) -> Duration {
        let pause = self.backoff.pause();
        self.due = Some(Instant::now() + pause);
        pause
    }

    /// The number of messages that go to the handler together.
    fn batch(&self) -> usize {
        let mut bytes = 0;
        let fit = self.messages.iter().take(BATCH).take_while(|message| {
            bytes += message.size();
            bytes <= BATCH_BYTES
        });
        fit.count().max(1).min(self.messages.len())
    }
}

#[cfg(test)]
mod tests;
