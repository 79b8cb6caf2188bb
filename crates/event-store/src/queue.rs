//! Commands on one stream stand in line within the process, so that twenty workshops that answer
//! one order at once do not race each other for its version.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::StreamId;

/// How many commands may hold or wait for one stream.
const DEPTH: usize = 64;
/// How many of them may come in without being asked what business they have there.
const OPEN_TO_ALL: usize = 32;
/// How many may be asked at once.
const ASKED_AT_ONCE: usize = 32;

/// The lines of all streams that have one.
#[derive(Debug, Default, Clone)]
pub(crate) struct Queues {
    lines: Arc<Mutex<HashMap<StreamId, Line>>>,
}

#[derive(Debug, Default)]
struct Line {
    turn: Arc<tokio::sync::Mutex<()>>,
    members: usize,
    asked: usize,
}

/// The line of this stream is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// A place in line. Dropping it leaves the line.
#[derive(Debug)]
pub(crate) struct Place {
    queues: Queues,
    stream: StreamId,
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Where one stands who has come to a line.
#[derive(Debug)]
pub(crate) enum Standing {
    /// In it.
    In(Place),
    /// Before it, for it is long: who has business with the stream may join.
    Before(Anteroom),
}

/// A place before the line. Dropping it leaves.
#[derive(Debug)]
pub(crate) struct Anteroom {
    queues: Queues,
    stream: StreamId,
}

impl Queues {
    /// Comes to the line of `stream`.
    pub(crate) fn come(&self, stream: StreamId) -> Result<Standing, Full> {
        if let Ok(place) = self.join(&stream, OPEN_TO_ALL) {
            return Ok(Standing::In(place));
        }
        let mut lines = self.lock();
        let line = lines.entry(stream.clone()).or_default();
        if line.members >= DEPTH || line.asked >= ASKED_AT_ONCE {
            return Err(Full);
        }
        line.asked += 1;
        Ok(Standing::Before(Anteroom {
            queues: self.clone(),
            stream,
        }))
    }

    fn join(&self, stream: &StreamId, longest: usize) -> Result<Place, Full> {
        let mut lines = self.lock();
        let line = lines.entry(stream.clone()).or_default();
        if line.members >= longest {
            return Err(Full);
        }
        line.members += 1;
        Ok(Place {
            queues: self.clone(),
            stream: stream.clone(),
            turn: Arc::clone(&line.turn),
        })
    }

    fn leave(&self, stream: &StreamId, leave: impl FnOnce(&mut Line)) {
        let mut lines = self.lock();
        if let Some(line) = lines.get_mut(stream) {
            leave(line);
            if line.members == 0 && line.asked == 0 {
                lines.remove(stream);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StreamId, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Anteroom {
    /// Joins the line, if it has not become full.
    pub(crate) fn join(self) -> Result<Place, Full> {
        self.queues.join(&self.stream, DEPTH)
    }
}

impl Drop for Anteroom {
    fn drop(&mut self) {
        self.queues.leave(&self.stream, |line| line.asked -= 1);
    }
}

impl Place {
    /// The turn, if nobody came before.
    pub(crate) fn turn_now(&self) -> Option<OwnedMutexGuard<()>> {
        Arc::clone(&self.turn).try_lock_owned().ok()
    }

    /// Waits until everybody who came before has left; first come, first served.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queues.leave(&self.stream, |line| line.members -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> StreamId {
        StreamId::from_parts(StreamId::ORDER, "o")
    }

    fn joined(queues: &Queues) -> Result<Place, Full> {
        match queues.come(stream())? {
            Standing::In(place) => Ok(place),
            Standing::Before(anteroom) => anteroom.join(),
        }
    }

    #[tokio::test]
    async fn a_full_line_refuses_and_an_empty_one_is_forgotten() {
        let queues = Queues::default();
        let mut places: Vec<_> = (0..DEPTH).map(|_| joined(&queues).unwrap()).collect();
        assert_eq!(joined(&queues).unwrap_err(), Full);
        places.pop();
        places.push(joined(&queues).unwrap());
        drop(places);
        assert!(queues.lock().is_empty());
    }

    #[tokio::test]
    async fn a_long_line_asks_those_who_come_and_only_so_many_at_once() {
        let queues = Queues::default();
        let come = || queues.come(stream());
        let line: Vec<_> = (0..OPEN_TO_ALL).map(|_| come().unwrap()).collect();
        assert!(line.iter().all(|it| matches!(it, Standing::In(_))));
        let mut asked: Vec<_> = (0..ASKED_AT_ONCE).map(|_| come().unwrap()).collect();
        assert!(asked.iter().all(|it| matches!(it, Standing::Before(_))));
        assert_eq!(come().unwrap_err(), Full);
        asked.pop();
        assert!(matches!(come().unwrap(), Standing::Before(_)));
        drop((line, asked));
        assert!(queues.lock().is_empty());
    }

    #[tokio::test]
    async fn turns_are_taken_in_order_of_arrival() {
        let queues = Queues::default();
        let first = joined(&queues).unwrap();
        let held = first.turn().await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for number in 0..5 {
            let place = joined(&queues).unwrap();
            let order = Arc::clone(&order);
            let mut turn = Box::pin(async move {
                let _turn = place.turn().await;
                order.lock().unwrap().push(number);
            });
            // Polled once, it stands in line.
            assert!(futures::poll!(&mut turn).is_pending());
            waiting.push(turn);
        }
        drop(held);
        futures::future::join_all(waiting).await;
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
    }
}
