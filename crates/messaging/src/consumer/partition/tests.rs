//! Steps of one partition, with a handler that is picky and a yard that may be away.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use kernel::EventId;

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
    partition.append(offsets.into_iter().map(message));
    partition
}

fn sized(offset: i64, bytes: usize) -> Received {
    Received {
        value: Some(vec![0; bytes]),
        ..message(offset)
    }
}

/// Handles everything but what it refuses or fails at, and nothing while its dependency is down.
#[derive(Default)]
struct Picky {
    poison: Vec<i64>,
    breaks: Vec<i64>,
    down: bool,
    handled: Mutex<Vec<i64>>,
    calls: Mutex<Vec<usize>>,
}

impl Picky {
    fn refusing(poison: &[i64]) -> Self {
        Self {
            poison: poison.to_vec(),
            ..Self::default()
        }
    }

    fn breaking(breaks: &[i64]) -> Self {
        Self {
            breaks: breaks.to_vec(),
            ..Self::default()
        }
    }

    fn handled(&self) -> Vec<i64> {
        self.handled.lock().unwrap().clone()
    }
}

impl Handler for Picky {
    async fn handle(&self, messages: &[Received]) -> Result<(), HandleError> {
        self.calls.lock().unwrap().push(messages.len());
        if self.down {
            return Err(HandleError::Retry("no database".into()));
        }
        let poison = |m: &Received| self.poison.contains(&m.offset);
        if let Some(index) = messages.iter().position(poison) {
            return Err(HandleError::Unhandled {
                index,
                code: DeadLetterCode::InvalidJson,
                detail: "no JSON".to_owned(),
            });
        }
        if messages.iter().any(|m| self.breaks.contains(&m.offset)) {
            return Err(HandleError::Failed("a row was refused".into()));
        }
        let mut handled = self.handled.lock().unwrap();
        handled.extend(messages.iter().map(|m| m.offset));
        Ok(())
    }

    async fn handled(&self, _events: &[EventId]) -> Result<Vec<EventId>, BoxedError> {
        Ok(Vec::new())
    }
}

/// Notes what was given up and what was closed; takes nothing while it is away.
#[derive(Default)]
struct Yard {
    away: AtomicBool,
    buried: Mutex<Vec<(i64, DeadLetterCode, u32)>>,
    closed: Mutex<Vec<i64>>,
}

impl Yard {
    fn buried(&self) -> Vec<(i64, DeadLetterCode, u32)> {
        self.buried.lock().unwrap().clone()
    }

    fn check(&self) -> Result<(), BoxedError> {
        if self.away.load(Ordering::SeqCst) {
            return Err("the dead-letter topic is away".into());
        }
        Ok(())
    }
}

impl Burial for Yard {
    async fn bury(&self, _handler: &impl Handler, condemned: &Condemned) -> Result<(), BoxedError> {
        self.check()?;
        assert!(condemned.trial.first_failed_at <= condemned.trial.last_failed_at);
        let buried = (
            condemned.message.offset,
            condemned.code,
            condemned.trial.attempts,
        );
        self.buried.lock().unwrap().push(buried);
        Ok(())
    }

    async fn close(&self, handled: &[Received]) -> Result<(), BoxedError> {
        self.check()?;
        let mut closed = self.closed.lock().unwrap();
        closed.extend(handled.iter().map(|m| m.offset));
        Ok(())
    }
}

/// Works until nothing is left, and waits for nothing; the offsets that may be committed.
async fn exhaust(partition: &mut Partition, handler: &Picky, yard: &Yard) -> Vec<i64> {
    let mut ends = Vec::new();
    while partition.load().messages > 0 {
        match partition.work(handler, yard).await {
            Work::Handled { next, .. } => ends.extend(next),
            Work::Buried { next, .. } => ends.push(next),
            Work::Failed { .. } => {}
            Work::Retry { source, .. } => panic!("{source}"),
        }
    }
    ends
}

#[tokio::test]
async fn what_is_handled_is_closed_and_done_up_to_the_offset_after_it() {
    let (handler, yard) = (Picky::default(), Yard::default());
    let mut partition = partition([4, 5, 9]);
    let work = partition.work(&handler, &yard).await;
    assert!(
        matches!(work, Work::Handled { next: Some(10), .. }),
        "{work:?}"
    );
    assert!(!partition.is_ready(Instant::now()));
    assert_eq!(*yard.closed.lock().unwrap(), [4, 5, 9]);
}

#[tokio::test]
async fn what_cannot_be_handled_is_given_up_at_once_and_its_neighbours_are_handled() {
    let (handler, yard) = (Picky::refusing(&[4, 6, 8]), Yard::default());
    let mut partition = partition(4..10);
    let ends = exhaust(&mut partition, &handler, &yard).await;
    assert_eq!(ends, [5, 6, 7, 8, 9, 10]);
    assert_eq!(handler.handled(), [5, 7, 9]);
    let code = DeadLetterCode::InvalidJson;
    assert_eq!(yard.buried(), [(4, code, 1), (6, code, 1), (8, code, 1)]);
}

#[tokio::test]
async fn what_fails_alone_is_tried_five_times_and_its_neighbours_are_handled() {
    let (handler, yard) = (Picky::breaking(&[33]), Yard::default());
    let mut partition = partition(0..100);
    let ends = exhaust(&mut partition, &handler, &yard).await;
    assert_eq!(yard.buried(), [(33, DeadLetterCode::RepeatedFailure, 5)]);
    let expected: Vec<i64> = (0..100).filter(|offset| *offset != 33).collect();
    assert_eq!(handler.handled(), expected);
    assert_eq!(ends.last(), Some(&100));
    let alone = handler
        .calls
        .lock()
        .unwrap()
        .iter()
        .filter(|n| **n == 1)
        .count();
    assert!(alone >= 5, "alone {alone} times");
}

#[tokio::test]
async fn between_two_attempts_at_one_message_there_is_a_pause() {
    let (handler, yard) = (Picky::breaking(&[4]), Yard::default());
    let mut partition = partition([4]);
    let work = partition.work(&handler, &yard).await;
    assert!(matches!(work, Work::Failed { .. }), "{work:?}");
    let due = partition.due().unwrap();
    assert!(!partition.is_ready(Instant::now()) && partition.is_ready(due));
}

#[tokio::test]
async fn a_message_that_heals_between_two_attempts_is_handled() {
    let (mut handler, yard) = (Picky::breaking(&[4]), Yard::default());
    let mut partition = partition([4, 5]);
    for _ in 0..3 {
        let work = partition.work(&handler, &yard).await;
        assert!(matches!(work, Work::Failed { .. }), "{work:?}");
    }
    handler.breaks.clear();
    exhaust(&mut partition, &handler, &yard).await;
    assert_eq!(handler.handled(), [4, 5]);
    assert_eq!(yard.buried(), []);
}

#[tokio::test]
async fn while_a_dependency_is_down_the_same_messages_wait() {
    let mut handler = Picky {
        down: true,
        ..Picky::default()
    };
    let yard = Yard::default();
    let mut partition = partition([4, 5]);
    for _ in 0..10 {
        let work = partition.work(&handler, &yard).await;
        let Work::Retry { pause, .. } = work else {
            panic!("{work:?}");
        };
        let due = partition.due().unwrap();
        assert!(!partition.is_ready(due - pause / 2));
        assert!(partition.is_ready(due));
    }
    handler.down = false;
    let work = partition.work(&handler, &yard).await;
    assert!(
        matches!(work, Work::Handled { next: Some(6), .. }),
        "{work:?}"
    );
    assert_eq!(handler.handled(), [4, 5]);
    assert_eq!(yard.buried(), []);
}

#[tokio::test]
async fn while_nothing_can_be_given_up_the_verdict_stands_and_nothing_moves() {
    let (handler, yard) = (Picky::refusing(&[4]), Yard::default());
    let mut partition = partition([4, 5]);
    yard.away.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let work = partition.work(&handler, &yard).await;
        assert!(matches!(work, Work::Retry { .. }), "{work:?}");
        assert_eq!(partition.load().messages, 2);
    }
    yard.away.store(false, Ordering::SeqCst);
    let work = partition.work(&handler, &yard).await;
    assert!(matches!(work, Work::Buried { next: 5, .. }), "{work:?}");
    assert_eq!(yard.buried(), [(4, DeadLetterCode::InvalidJson, 1)]);
    exhaust(&mut partition, &handler, &yard).await;
    assert_eq!(handler.handled(), [5]);
}

#[tokio::test]
async fn what_was_handled_and_not_closed_comes_again() {
    let (handler, yard) = (Picky::default(), Yard::default());
    let mut partition = partition([4]);
    yard.away.store(true, Ordering::SeqCst);
    let work = partition.work(&handler, &yard).await;
    assert!(matches!(work, Work::Retry { .. }), "{work:?}");
    yard.away.store(false, Ordering::SeqCst);
    exhaust(&mut partition, &handler, &yard).await;
    assert_eq!(handler.handled(), [4, 4]);
    assert_eq!(*yard.closed.lock().unwrap(), [4]);
}

#[tokio::test]
async fn a_batch_ends_with_its_number() {
    let (handler, yard) = (Picky::default(), Yard::default());
    let mut partition = partition(0..1_001);
    let ends = exhaust(&mut partition, &handler, &yard).await;
    assert_eq!(ends, [500, 1_000, 1_001]);
    let all: Vec<i64> = (0..1_001).collect();
    assert_eq!(handler.handled(), all);
}

#[tokio::test]
async fn a_batch_ends_with_its_bytes_and_what_is_larger_goes_alone() {
    let half = BATCH_BYTES / 2;
    let (handler, yard) = (Picky::default(), Yard::default());
    let mut partition = Partition::default();
    let sizes = [half, half, 1, BATCH_BYTES + 1, 1, half, half];
    partition.append((0..).zip(sizes).map(|(offset, bytes)| sized(offset, bytes)));
    let ends = exhaust(&mut partition, &handler, &yard).await;
    assert_eq!(ends, [2, 3, 4, 6, 7]);
}
