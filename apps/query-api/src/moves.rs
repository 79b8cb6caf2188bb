//! The last moves of the read models, and whom they concern: read once a move, however many streams
//! there are. A stream that a move does not concern is past it without a look at the database.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use event_store::PositionToken;
use projections::{Interest, Model, Snapshot, Touched, touched};
use service_runtime::chain;
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::positions::Positions;

/// How many moves are remembered: a stream that is woken too late for them looks for itself.
const REMEMBERED: usize = 64;
/// How often a watcher without a move looks whether it is still wanted; and its pause after a failure.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(5);

/// A step of a read model.
struct Move {
    from: PositionToken,
    touched: Touched,
}

/// Where a read model is, and its last steps, each from where the one before it led to.
pub(crate) struct Recent {
    here: PositionToken,
    moves: VecDeque<Arc<Move>>,
}

/// What the last moves are to a stream that has everything up to a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The read model is not further than the stream.
    Behind,
    /// There is nothing for it up to there.
    Nothing(PositionToken),
    /// It has to look.
    Something,
}

impl Recent {
    /// Where the read model is.
    pub(crate) const fn here(&self) -> PositionToken {
        self.here
    }

    /// What it is to who follows that, and has everything up to `stands`.
    pub(crate) fn means(&self, stands: PositionToken, interest: &Interest) -> Meaning {
        if self.here.generation != stands.generation {
            return Meaning::Something;
        }
        if self.here.position <= stands.position {
            return Meaning::Behind;
        }
        for step in self.moves.iter().rev() {
            if step.touched.concerns(interest) {
                return Meaning::Something;
            }
            if step.from.generation == stands.generation && step.from.position <= stands.position {
                return Meaning::Nothing(self.here);
            }
        }
        // It stands before everything that is remembered.
        Meaning::Something
    }

    /// The same after one more step.
    fn then(&self, to: PositionToken, touched: Touched) -> Self {
        let mut moves = self.moves.clone();
        moves.push_back(Arc::new(Move {
            from: self.here,
            touched,
        }));
        while moves.len() > REMEMBERED {
            moves.pop_front();
        }
        Self { here: to, moves }
    }
}

type Sender = watch::Sender<Option<Arc<Recent>>>;

/// The moves that somebody watches.
#[derive(Clone)]
pub(crate) struct Moves {
    pool: PgPool,
    positions: Positions,
    watched: Arc<Mutex<Vec<(Model, Sender)>>>,
}

impl Moves {
    pub(crate) fn new(pool: PgPool, positions: Positions) -> Self {
        Self {
            pool,
            positions,
            watched: Arc::default(),
        }
    }

    /// Has the moves of a read model told from now on.
    pub(crate) fn watch(&self, model: Model) -> watch::Receiver<Option<Arc<Recent>>> {
        let mut watched = self.lock();
        if let Some((_, sender)) = watched.iter().find(|(of, _)| *of == model) {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(None);
        watched.push((model, sender.clone()));
        let watching = Watching {
            moves: self.clone(),
            model,
            sender,
        };
        tokio::spawn(watching.follow());
        receiver
    }

    /// Where the read model is now, and how it came there.
    async fn step(&self, model: Model, before: Option<&Recent>) -> Result<Recent, sqlx::Error> {
        let mut snapshot = Snapshot::open(&self.pool, model).await?;
        let to = snapshot.freshness().token;
        let next = match before {
            Some(before) if is_next(before.here, to) => {
                let (after, up_to) = (before.here.position, to.position);
                before.then(to, touched(&mut snapshot, model, after, up_to).await?)
            }
            Some(_) | None => Recent {
                here: to,
                moves: VecDeque::new(),
            },
        };
        snapshot.close().await?;
        Ok(next)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Model, Sender)>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who tells the moves of a read model. Once it has ended, however that was, each stream looks for
/// itself, and has another begin.
struct Watching {
    moves: Moves,
    model: Model,
    sender: Sender,
}

impl Watching {
    async fn follow(self) {
        while !self.is_left() {
            let recent = self.sender.borrow().clone();
            let here = recent.as_ref().map(|recent| recent.here);
            let positions = &self.moves.positions;
            let moved = positions.reached(self.model, |now| Some(now) != here);
            if timeout(PATIENCE, moved).await.is_err() {
                continue;
            }
            match self.moves.step(self.model, recent.as_deref()).await {
                // The positions are behind what is read here.
                Ok(next) if Some(next.here) == here => tokio::time::sleep(PAUSE).await,
                Ok(next) => drop(self.sender.send_replace(Some(Arc::new(next)))),
                Err(error) => {
                    let model = self.model.as_str();
                    tracing::warn!(model, error = chain(&error), "moves.not_read");
                    tokio::time::sleep(PATIENCE).await;
                    return;
                }
            }
        }
    }

    /// Whether nobody watches; it is watched by nobody from then on, for somebody may come.
    fn is_left(&self) -> bool {
        let mut watched = self.moves.lock();
        let left = self.sender.receiver_count() == 0;
        if left {
            self.leave(&mut watched);
        }
        left
    }

    fn leave(&self, watched: &mut Vec<(Model, Sender)>) {
        watched.retain(|(_, sender)| !sender.same_channel(&self.sender));
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.leave(&mut self.moves.lock());
    }
}

/// Whether the one position follows from the other: after a swap or a restore it may not.
fn is_next(from: PositionToken, to: PositionToken) -> bool {
    from.generation == to.generation && from.position <= to.position
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use event_store::{Generation, Position};
    use kernel::CommissionerId;
    use projections::redaction::Viewer;
    use uuid::Uuid;

    use super::*;

    fn at(position: i64) -> PositionToken {
        PositionToken {
            generation: Generation {
                store: Uuid::from_u128(7),
                number: 1,
            },
            position: Position::new(position),
        }
    }

    fn of(commissioner: u128) -> Interest {
        let id = CommissionerId::from_uuid(Uuid::from_u128(commissioner));
        Interest::Orders(Viewer::Commissioner(id))
    }

    fn touching(commissioner: u128) -> Touched {
        Touched::Only {
            streams: BTreeSet::from(["order".to_owned()]),
            commissioners: BTreeSet::from([Uuid::from_u128(commissioner)]),
            workshops: BTreeSet::new(),
        }
    }

    #[test]
    fn who_is_not_concerned_is_past_it_and_who_came_too_late_looks() {
        let recent = Recent {
            here: at(10),
            moves: VecDeque::new(),
        };
        let recent = recent.then(at(12), touching(1)).then(at(15), touching(2));
        for (stands, interest, meaning) in [
            (15, of(1), Meaning::Behind),
            (20, of(1), Meaning::Behind),
            (12, of(1), Meaning::Nothing(at(15))),
            (11, of(1), Meaning::Something),
            (12, of(2), Meaning::Something),
            (10, of(3), Meaning::Nothing(at(15))),
            (9, of(3), Meaning::Something),
        ] {
            assert_eq!(recent.means(at(stands), &interest), meaning, "{stands}");
        }
        let anything = recent.then(at(16), Touched::Anything);
        assert_eq!(anything.means(at(15), &of(3)), Meaning::Something);
        let mut elsewhere = at(12);
        elsewhere.generation.number = 2;
        assert_eq!(recent.means(elsewhere, &of(3)), Meaning::Something);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut recent = Recent {
            here: at(0),
            moves: VecDeque::new(),
        };
        for position in 1..=100 {
            recent = recent.then(at(position), touching(1));
        }
        assert_eq!(recent.moves.len(), REMEMBERED);
        assert_eq!(recent.means(at(36), &of(2)), Meaning::Nothing(at(100)));
        assert_eq!(recent.means(at(35), &of(2)), Meaning::Something);
    }
}
