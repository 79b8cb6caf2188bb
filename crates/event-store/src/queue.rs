//! Commands on one stream queue within the process, so that twenty workshops that answer one order
//! at once do not race each other for its version.
//!
//! One rule: who does not get the turn at once visits first, and joins the queue once it is known
//! to have business there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::StreamId;

/// How many commands may have or wait for the turn on one stream.
const DEPTH: usize = 64;
/// How many may visit at once: as many as could join.
const VISITORS: usize = DEPTH - 1;

/// The queues of all streams that have one.
#[derive(Debug, Default, Clone)]
pub(crate) struct Queues {
    queues: Arc<Mutex<HashMap<StreamId, Queue>>>,
}

#[derive(Debug, Default)]
struct Queue {
    turn: Arc<tokio::sync::Mutex<()>>,
    members: usize,
    visitors: usize,
}

/// The queue of this stream is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// Where one stands who has come.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// Nobody was there.
    Turn(Turn),
    /// Others were.
    Visitor(Visitor),
}

/// The turn on a stream. Dropping it passes it on.
#[derive(Debug)]
pub(crate) struct Turn {
    _turn: OwnedMutexGuard<()>,
    _member: Member,
}

/// One who has not joined yet. Dropping it leaves.
#[derive(Debug)]
pub(crate) struct Visitor(Leaving);

/// One who is in the queue. Dropping it leaves.
#[derive(Debug)]
pub(crate) struct Member {
    turn: Arc<tokio::sync::Mutex<()>>,
    _leaving: Leaving,
}

/// Gives a place back when it is dropped.
#[derive(Debug)]
struct Leaving {
    queues: Queues,
    stream: StreamId,
    place: fn(&mut Queue) -> &mut usize,
}

impl Queues {
    /// Comes to the queue of `stream`.
    pub(crate) fn come(&self, stream: StreamId) -> Result<Arrival, Full> {
        let mut queues = self.lock();
        let queue = queues.entry(stream.clone()).or_default();
        if queue.members == 0
            && let Ok(turn) = Arc::clone(&queue.turn).try_lock_owned()
        {
            return Ok(Arrival::Turn(Turn {
                _turn: turn,
                _member: self.member(stream, queue),
            }));
        }
        if queue.members >= DEPTH || queue.visitors >= VISITORS {
            return Err(Full);
        }
        queue.visitors += 1;
        Ok(Arrival::Visitor(Visitor(Leaving {
            queues: self.clone(),
            stream,
            place: |queue| &mut queue.visitors,
        })))
    }

    fn member(&self, stream: StreamId, queue: &mut Queue) -> Member {
        queue.members += 1;
        Member {
            turn: Arc::clone(&queue.turn),
            _leaving: Leaving {
                queues: self.clone(),
                stream,
                place: |queue| &mut queue.members,
            },
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StreamId, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visitor {
    /// Joins the queue, if it has not become full.
    pub(crate) fn join(self) -> Result<Member, Full> {
        let Leaving { queues, stream, .. } = &self.0;
        let mut locked = queues.lock();
        match locked.get_mut(stream) {
            Some(queue) if queue.members < DEPTH => Ok(queues.member(stream.clone(), queue)),
            Some(_) | None => Err(Full),
        }
    }
}

impl Member {
    /// Waits until everybody who joined before has left; first come, first served.
    pub(crate) async fn turn(self) -> Turn {
        Turn {
            _turn: Arc::clone(&self.turn).lock_owned().await,
            _member: self,
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let mut queues = self.queues.lock();
        if let Some(queue) = queues.get_mut(&self.stream) {
            *(self.place)(queue) -= 1;
            if queue.members == 0 && queue.visitors == 0 {
                queues.remove(&self.stream);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn come(queues: &Queues) -> Result<Arrival, Full> {
        queues.come(StreamId::from_parts(StreamId::ORDER, "o"))
    }

    fn turn(queues: &Queues) -> Turn {
        match come(queues).unwrap() {
            Arrival::Turn(turn) => turn,
            Arrival::Visitor(_) => panic!("somebody is there"),
        }
    }

    fn visitor(queues: &Queues) -> Result<Visitor, Full> {
        match come(queues)? {
            Arrival::Turn(_) => panic!("nobody is there"),
            Arrival::Visitor(visitor) => Ok(visitor),
        }
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_an_empty_one_is_forgotten() {
        let queues = Queues::default();
        let first = turn(&queues);
        let mut members: Vec<_> = (1..DEPTH)
            .map(|_| visitor(&queues).unwrap().join().unwrap())
            .collect();
        assert_eq!(visitor(&queues).unwrap_err(), Full);
        members.pop();
        let (one, other) = (visitor(&queues).unwrap(), visitor(&queues).unwrap());
        members.push(one.join().unwrap());
        assert_eq!(other.join().unwrap_err(), Full);
        drop((first, members));
        assert!(queues.lock().is_empty());
    }

    #[tokio::test]
    async fn only_so_many_visit_at_once_and_they_fill_no_place() {
        let queues = Queues::default();
        let first = turn(&queues);
        let mut visitors: Vec<_> = (0..VISITORS).map(|_| visitor(&queues).unwrap()).collect();
        assert_eq!(visitor(&queues).unwrap_err(), Full);
        visitors.pop();
        visitors.push(visitor(&queues).unwrap());
        let members: Vec<_> = visitors.into_iter().map(|it| it.join().unwrap()).collect();
        assert_eq!(members.len(), DEPTH - 1);
        drop((first, members));
        assert!(queues.lock().is_empty());
    }

    #[tokio::test]
    async fn turns_are_taken_in_order_and_nobody_comes_between() {
        let queues = Queues::default();
        let first = turn(&queues);
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for number in 0..5 {
            let member = visitor(&queues).unwrap().join().unwrap();
            let order = Arc::clone(&order);
            let mut turn = Box::pin(async move {
                let _turn = member.turn().await;
                order.lock().unwrap().push(number);
            });
            // Polled once, it is in the queue.
            assert!(futures::poll!(&mut turn).is_pending());
            waiting.push(turn);
        }
        drop(first);
        assert!(visitor(&queues).is_ok());
        futures::future::join_all(waiting).await;
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
        drop(turn(&queues));
    }
}
