//! One partition as this member sees it: the messages that wait, and why they do.

use std::error::Error;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use tokio::time::Instant;

use super::StuckPartition;
use super::handler::{HandleError, Handler, Received};
use crate::backoff::Backoff;

/// The pauses while a dependency is down.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

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

/// Why a partition waits.
#[derive(Debug)]
enum Pause {
    Until(Instant),
    Stuck { code: String, detail: String },
}

/// What handling came to.
#[derive(Debug)]
pub(super) enum Work {
    /// Everything before offset `next` is handled.
    Done { next: Option<i64> },
    /// A dependency is down; nothing was handled.
    Retry {
        source: Box<dyn Error + Send + Sync>,
        pause: Duration,
    },
    /// The message at `offset` cannot be handled; what is before it was.
    Stuck {
        offset: i64,
        code: String,
        detail: String,
    },
}

/// The messages that were taken from a partition and are not handled yet. They are kept, not
/// fetched again: a paused client goes on after the last message that it gave.
#[derive(Debug)]
pub(super) struct Partition {
    messages: Vec<Received>,
    pause: Option<Pause>,
    backoff: Backoff,
}

impl Default for Partition {
    fn default() -> Self {
        Self {
            messages: Vec::new(),
            pause: None,
            backoff: Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE),
        }
    }
}

impl Partition {
    pub(super) fn push(&mut self, message: Received) {
        self.messages.push(message);
    }

    pub(super) const fn is_paused(&self) -> bool {
        self.pause.is_some()
    }

    /// When it is to be tried again, if it waits for that.
    pub(super) const fn due(&self) -> Option<Instant> {
        match self.pause {
            Some(Pause::Until(due)) => Some(due),
            Some(Pause::Stuck { .. }) | None => None,
        }
    }

    /// Whether there is something to be handled now.
    pub(super) fn is_ready(&self, now: Instant) -> bool {
        let waits = match self.pause {
            None => false,
            Some(Pause::Until(due)) => now < due,
            Some(Pause::Stuck { .. }) => true,
        };
        !waits && !self.messages.is_empty()
    }

    /// The message that it waits behind, if it does.
    pub(super) fn stuck(&self, of: &TopicPartition) -> Option<StuckPartition> {
        match (&self.pause, self.messages.first()) {
            (Some(Pause::Stuck { code, detail }), Some(message)) => Some(StuckPartition {
                topic: of.topic.clone(),
                partition: of.partition,
                offset: message.offset,
                code: code.clone(),
                detail: detail.clone(),
            }),
            (None | Some(Pause::Until(_) | Pause::Stuck { .. }), _) => None,
        }
    }

    /// Hands the first messages to the handler, as many as go together, and if one cannot be
    /// handled, those before it. Where it succeeds there may be more.
    pub(super) async fn work(&mut self, handler: &impl Handler) -> Work {
        self.pause = None;
        let mut count = self.batch();
        let mut unhandled = None;
        while let Some(batch) = self.messages.get(..count).filter(|batch| !batch.is_empty()) {
            match handler.handle(batch).await {
                Ok(()) => break,
                Err(HandleError::Retry(source)) => {
                    let pause = self.backoff.pause();
                    self.pause = Some(Pause::Until(Instant::now() + pause));
                    return Work::Retry { source, pause };
                }
                Err(HandleError::Unhandled {
                    index,
                    code,
                    detail,
                }) => {
                    // An index beyond the batch would never come to an end.
                    count = index.min(count - 1);
                    unhandled = Some((code, detail));
                }
            }
        }
        self.backoff.reset();
        let last = self.messages.drain(..count).next_back();
        match (unhandled, self.messages.first()) {
            (Some((code, detail)), Some(message)) => {
                self.pause = Some(Pause::Stuck {
                    code: code.clone(),
                    detail: detail.clone(),
                });
                Work::Stuck {
                    offset: message.offset,
                    code,
                    detail,
                }
            }
            (Some(_) | None, _) => Work::Done {
                next: last.map(|message| message.offset + 1),
            },
        }
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
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn message(offset: i64) -> Received {
        Received {
            topic: "t".to_owned(),
            partition: 0,
            offset,
            key: None,
            headers: Vec::new(),
            value: None,
        }
    }

    fn partition(offsets: impl IntoIterator<Item = i64>) -> Partition {
        let mut partition = Partition::default();
        for offset in offsets {
            partition.push(message(offset));
        }
        partition
    }

    fn sized(offset: i64, bytes: usize) -> Received {
        Received {
            value: Some(vec![0; bytes]),
            ..message(offset)
        }
    }

    /// Handles everything but one offset, and nothing while its dependency is down.
    #[derive(Default)]
    struct Picky {
        poison: Option<i64>,
        down: bool,
        handled: Mutex<Vec<i64>>,
    }

    impl Handler for Picky {
        async fn handle(&self, messages: &[Received]) -> Result<(), HandleError> {
            if self.down {
                return Err(HandleError::Retry("no database".into()));
            }
            let index = messages.iter().position(|m| Some(m.offset) == self.poison);
            if let Some(index) = index {
                return Err(HandleError::Unhandled {
                    index,
                    code: "INVALID_JSON".to_owned(),
                    detail: "no JSON".to_owned(),
                });
            }
            let mut handled = self.handled.lock().unwrap();
            handled.extend(messages.iter().map(|m| m.offset));
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_is_handled_is_done_up_to_the_offset_after_it() {
        let handler = Picky::default();
        let mut partition = partition([4, 5, 9]);
        let work = partition.work(&handler).await;
        assert!(matches!(work, Work::Done { next: Some(10) }), "{work:?}");
        assert!(!partition.is_ready(Instant::now()));
    }

    #[tokio::test]
    async fn what_lies_before_a_message_that_cannot_be_handled_is_handled() {
        let handler = Picky {
            poison: Some(6),
            ..Picky::default()
        };
        let mut partition = partition(4..9);
        let work = partition.work(&handler).await;
        assert!(matches!(work, Work::Stuck { offset: 6, .. }), "{work:?}");
        assert_eq!(*handler.handled.lock().unwrap(), [4, 5]);
        let stuck = partition.stuck(&TopicPartition::of(&message(0))).unwrap();
        assert_eq!((stuck.offset, stuck.code.as_str()), (6, "INVALID_JSON"));
        assert!(!partition.is_ready(Instant::now()));
    }

    #[tokio::test]
    async fn a_first_message_that_cannot_be_handled_is_given_once() {
        let handler = Picky {
            poison: Some(4),
            ..Picky::default()
        };
        let mut partition = partition([4]);
        let work = partition.work(&handler).await;
        assert!(matches!(work, Work::Stuck { offset: 4, .. }), "{work:?}");
        assert!(handler.handled.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn while_a_dependency_is_down_the_same_messages_wait() {
        let mut handler = Picky {
            down: true,
            ..Picky::default()
        };
        let mut partition = partition([4, 5]);
        let work = partition.work(&handler).await;
        let Work::Retry { pause, .. } = work else {
            panic!("{work:?}");
        };
        let due = partition.due().unwrap();
        assert!(!partition.is_ready(due - pause / 2));
        assert!(partition.is_ready(due));

        handler.down = false;
        let work = partition.work(&handler).await;
        assert!(matches!(work, Work::Done { next: Some(6) }), "{work:?}");
        assert_eq!(*handler.handled.lock().unwrap(), [4, 5]);
        assert!(!partition.is_paused());
    }
    /// The `next` offsets of all batches, until nothing is left.
    async fn batches(partition: &mut Partition, handler: &Picky) -> Vec<i64> {
        let mut ends = Vec::new();
        while partition.is_ready(Instant::now()) {
            match partition.work(handler).await {
                Work::Done { next } => ends.extend(next),
                work @ (Work::Retry { .. } | Work::Stuck { .. }) => panic!("{work:?}"),
            }
        }
        ends
    }

    #[tokio::test]
    async fn a_batch_ends_with_its_number() {
        let handler = Picky::default();
        let mut partition = partition(0..1_001);
        assert_eq!(batches(&mut partition, &handler).await, [500, 1_000, 1_001]);
        let all: Vec<i64> = (0..1_001).collect();
        assert_eq!(*handler.handled.lock().unwrap(), all);
    }

    #[tokio::test]
    async fn a_batch_ends_with_its_bytes_and_what_is_larger_goes_alone() {
        let half = BATCH_BYTES / 2;
        let handler = Picky::default();
        let mut partition = Partition::default();
        for (offset, bytes) in [half, half, 1, BATCH_BYTES + 1, 1, half, half]
            .into_iter()
            .enumerate()
        {
            partition.push(sized(i64::try_from(offset).unwrap(), bytes));
        }
        assert_eq!(batches(&mut partition, &handler).await, [2, 3, 4, 6, 7]);
    }

    #[tokio::test]
    async fn what_cannot_be_handled_is_found_in_a_later_batch_too() {
        let handler = Picky {
            poison: Some(700),
            ..Picky::default()
        };
        let mut partition = partition(0..1_000);
        let work = partition.work(&handler).await;
        assert!(matches!(work, Work::Done { next: Some(500) }), "{work:?}");
        let work = partition.work(&handler).await;
        assert!(matches!(work, Work::Stuck { offset: 700, .. }), "{work:?}");
        assert_eq!(handler.handled.lock().unwrap().len(), 700);
    }
}
