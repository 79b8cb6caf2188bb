//! Commands on one stream stand in line within the process, so that twenty workshops that answer
//! one order at once do not race each other for its version.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::StreamId;

/// How many commands may hold or wait for one stream.
const DEPTH: usize = 64;

/// The lines of all streams that have one.
#[derive(Debug, Default, Clone)]
pub(crate) struct Queues {
    lines: Arc<Mutex<HashMap<StreamId, Line>>>,
}

#[derive(Debug, Default)]
struct Line {
    turn: Arc<tokio::sync::Mutex<()>>,
    members: usize,
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

impl Queues {
    /// Joins the line of `stream`.
    pub(crate) fn join(&self, stream: StreamId) -> Result<Place, Full> {
        let mut lines = self.lock();
        let line = lines.entry(stream.clone()).or_default();
        if line.members >= DEPTH {
            return Err(Full);
        }
        line.members += 1;
        Ok(Place {
            queues: self.clone(),
            stream,
            turn: Arc::clone(&line.turn),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StreamId, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut lines = self.queues.lock();
        if let Some(line) = lines.get_mut(&self.stream) {
            line.members -= 1;
            if line.members == 0 {
                lines.remove(&self.stream);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> StreamId {
        StreamId::from_parts(StreamId::ORDER, "o")
    }

    #[tokio::test]
    async fn a_full_line_refuses_and_an_empty_one_is_forgotten() {
        let queues = Queues::default();
        let mut places: Vec<_> = (0..DEPTH).map(|_| queues.join(stream()).unwrap()).collect();
        assert_eq!(queues.join(stream()).unwrap_err(), Full);
        places.pop();
        places.push(queues.join(stream()).unwrap());
        drop(places);
        assert!(queues.lock().is_empty());
    }

    #[tokio::test]
    async fn turns_are_taken_in_order_of_arrival() {
        let queues = Queues::default();
        let first = queues.join(stream()).unwrap();
        let held = first.turn().await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for number in 0..5 {
            let place = queues.join(stream()).unwrap();
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
