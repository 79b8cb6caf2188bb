//! Group commit: what waits while the database is at work is done together.
//!
//! Jobs go into a bounded queue, and one worker at a time has the turn to take from it. Who finds
//! it idle goes at once, alone; what gathers while a batch is under way goes next, in one round
//! trip and, where it writes, with one commit. The worker keeps the turn meanwhile, for larger
//! batches cost less each; it passes the turn on when a whole batch waits.
//!
//! Nobody waits long for another: what cannot go together goes alone, and a worker that is held
//! up, by a lock or a server that does not answer, passes the turn on too.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{PgConnection, PgPool};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard, oneshot};

mod batch;
pub(crate) mod jobs;

/// When a worker counts as held up.
const HELD_UP_AFTER: Duration = Duration::from_millis(50);
/// How many jobs go together at most.
const LONGEST_BATCH: usize = 16;
/// How much they bring together at most; one alone may bring more.
const LARGEST_BATCH: usize = 4 << 20;
/// How many jobs may wait; who comes then waits before the queue.
const QUEUE: usize = 1024;
/// How long a worker with nothing to do keeps its connection: giving it back costs a round trip.
const IDLE_CONNECTION: Duration = Duration::from_millis(5);
/// After how many batches it gives it back, for the pool to look after it.
const BATCHES_A_CONNECTION: usize = 64;

/// Something to do on a connection.
pub(crate) trait Job: Send + Sync + Sized + 'static {
    /// What comes of it.
    type Done: Send + 'static;

    /// What its metrics call it.
    const KIND: &'static str;

    /// It is about to be sent; false when nobody waits for it any more, and it is not.
    fn start(&self) -> bool;

    /// It was sent, and nothing was done.
    fn undone(&self);

    /// What it brings, about.
    fn bytes(&self) -> usize;

    /// Whether the two cannot go together.
    fn clashes_with(&self, other: &Self) -> bool;

    /// Whether a failure says that nothing was done.
    fn did_nothing(error: &sqlx::Error) -> bool;

    /// Does it.
    fn alone(
        &self,
        connection: &mut PgConnection,
    ) -> impl Future<Output = Result<Self::Done, sqlx::Error>> + Send;

    /// Does several in one statement. One that comes back undone has to be done alone.
    fn together(
        jobs: &[&Self],
        connection: &mut PgConnection,
    ) -> impl Future<Output = Result<Vec<Option<Self::Done>>, sqlx::Error>> + Send;
}

/// Why a job was not done.
#[derive(Debug)]
pub(crate) enum Undone {
    /// Nobody waited for it when its turn came.
    Abandoned,
    /// It was not sent.
    NotSent(Arc<sqlx::Error>),
    /// It was sent, and failed.
    Failed(Arc<sqlx::Error>),
    /// The worker died: a bug.
    Died,
}

/// A job that waits for its answer.
struct Ticket<J: Job> {
    job: J,
    /// It was tried with others, and has to go without them.
    alone: bool,
    since: Instant,
    answer: oneshot::Sender<Result<J::Done, Undone>>,
}

impl<J: Job> Ticket<J> {
    fn answer(self, answer: Result<J::Done, Undone>) {
        // Who waited may have left.
        self.answer.send(answer).ok();
    }
}

/// Does jobs of one kind in batches. Its workers end when the last clone is dropped.
pub(crate) struct Batcher<J: Job> {
    jobs: Sender<Ticket<J>>,
    whole_batch: Arc<Notify>,
}

impl<J: Job> Clone for Batcher<J> {
    fn clone(&self) -> Self {
        Self {
            jobs: self.jobs.clone(),
            whole_batch: Arc::clone(&self.whole_batch),
        }
    }
}

impl<J: Job> fmt::Debug for Batcher<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.waiting();
        f.debug_struct("Batcher")
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}

impl<J: Job> Batcher<J> {
    /// A batcher of so many workers, each with a connection of `pool` while it works.
    pub(crate) fn new(pool: &PgPool, workers: usize) -> Self {
        let (jobs, new) = mpsc::channel(QUEUE);
        // A worker brings no more back before it has seen to what is there: this is never full.
        let (back, again) = mpsc::channel(workers * LONGEST_BATCH);
        let queue = Queue {
            new,
            next: None,
            again,
        };
        let worker = Worker {
            pool: pool.clone(),
            queue: Arc::new(Mutex::new(queue)),
            back,
            whole_batch: Arc::new(Notify::new()),
        };
        let whole_batch = Arc::clone(&worker.whole_batch);
        for _ in 0..workers {
            tokio::spawn(worker.clone().supervise());
        }
        Self { jobs, whole_batch }
    }

    /// Does a job, with others where they wait too. Dropping the future does not undo it.
    pub(crate) async fn run(&self, job: J) -> Result<J::Done, Undone> {
        let (answer, done) = oneshot::channel();
        let ticket = Ticket {
            job,
            alone: false,
            since: Instant::now(),
            answer,
        };
        if self.jobs.send(ticket).await.is_err() {
            return Err(Undone::Died);
        }
        if self.waiting() >= LONGEST_BATCH {
            self.whole_batch.notify_one();
        }
        done.await.unwrap_or(Err(Undone::Died))
    }

    fn waiting(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }
}

/// What waits, in order.
struct Queue<J: Job> {
    /// What went with others and was not done.
    again: Receiver<Ticket<J>>,
    /// What could not go with the batch before.
    next: Option<Ticket<J>>,
    new: Receiver<Ticket<J>>,
}

/// The right to take from the queue.
type Turn<J> = OwnedMutexGuard<Queue<J>>;

impl<J: Job> Queue<J> {
    /// Waits for the first job of a batch; none when there will be no more.
    async fn first(&mut self) -> Option<Ticket<J>> {
        if let Ok(again) = self.again.try_recv() {
            return Some(again);
        }
        if let Some(next) = self.next.take() {
            return Some(next);
        }
        tokio::select! {
            Some(again) = self.again.recv() => Some(again),
            new = self.new.recv() => new.or_else(|| self.again.try_recv().ok()),
        }
    }

    /// What goes with `first`: what waits, in order, up to the first that cannot.
    fn batch(&mut self, first: Ticket<J>) -> Vec<Ticket<J>> {
        let mut bytes = first.job.bytes();
        let mut batch = vec![first];
        if batch.iter().any(|first| first.alone) {
            return batch;
        }
        while batch.len() < LONGEST_BATCH {
            let Some(next) = self.next.take().or_else(|| self.new.try_recv().ok()) else {
                break;
            };
            bytes += next.job.bytes();
            if bytes > LARGEST_BATCH || batch.iter().any(|b| b.job.clashes_with(&next.job)) {
                self.next = Some(next);
                break;
            }
            batch.push(next);
        }
        batch
    }

    fn has_a_whole_batch(&self) -> bool {
        self.new.len() >= LONGEST_BATCH
    }

    /// Takes what has waited since then.
    fn waiting_since(&mut self, since: Instant) -> Vec<Ticket<J>> {
        let mut waiting: Vec<_> = std::iter::from_fn(|| self.again.try_recv().ok()).collect();
        while let Some(next) = self.next.take().or_else(|| self.new.try_recv().ok()) {
            if next.since > since {
                self.next = Some(next);
                break;
            }
            waiting.push(next);
        }
        waiting
    }
}

struct Worker<J: Job> {
    pool: PgPool,
    queue: Arc<Mutex<Queue<J>>>,
    back: Sender<Ticket<J>>,
    whole_batch: Arc<Notify>,
}

impl<J: Job> Clone for Worker<J> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            queue: Arc::clone(&self.queue),
            back: self.back.clone(),
            whole_batch: Arc::clone(&self.whole_batch),
        }
    }
}

impl<J: Job> Worker<J> {
    /// Works until there will be no more jobs; who dies is replaced.
    async fn supervise(self) {
        while let Err(died) = tokio::spawn(self.clone().work()).await
            && died.is_panic()
        {
            tracing::error!(kind = J::KIND, "group_commit.worker_died");
        }
    }

    async fn work(self) {
        loop {
            let mut turn = Arc::clone(&self.queue).lock_owned().await;
            let Some(first) = turn.first().await else {
                return;
            };
            self.serve(turn, first).await;
        }
    }

    /// Does batch after batch on one connection, as long as it has the turn and there is work.
    async fn serve(&self, turn: Turn<J>, first: Ticket<J>) {
        let since = Instant::now();
        let (acquired, mut turn) = self.acquire(turn).await;
        let mut connection = match acquired {
            Ok(connection) => connection,
            Err(error) => return self.refuse(turn, first, since, error).await,
        };
        let mut first = Some(first);
        let mut left = BATCHES_A_CONNECTION;
        while let Some(next) = first {
            let batch = match &mut turn {
                Some(turn) => turn.batch(next),
                None => vec![next],
            };
            let work = batch::run(&mut connection, batch, &self.back);
            let (connection_is_good, kept) = self.keeping(turn, work).await;
            if !connection_is_good {
                drop(connection.detach());
                return;
            }
            left -= 1;
            turn = kept;
            first = match &mut turn {
                Some(turn) if left > 0 => tokio::time::timeout(IDLE_CONNECTION, turn.first())
                    .await
                    .unwrap_or(None),
                Some(_) | None => None,
            };
        }
    }

    async fn acquire(&self, turn: Turn<J>) -> (AcquiredConnection, Option<Turn<J>>) {
        let mut acquire = pin!(self.pool.acquire());
        match tokio::time::timeout(HELD_UP_AFTER, &mut acquire).await {
            Ok(acquired) => (acquired, Some(turn)),
            Err(_) => {
                drop(turn);
                (acquire.await, None)
            }
        }
    }

    /// Works and keeps the turn, unless it is held up or a whole batch waits.
    async fn keeping<T>(
        &self,
        turn: Option<Turn<J>>,
        work: impl Future<Output = T>,
    ) -> (T, Option<Turn<J>>) {
        let mut work = pin!(work);
        let mut held_up = pin!(tokio::time::sleep(HELD_UP_AFTER));
        if let Some(turn) = turn {
            while !turn.has_a_whole_batch() {
                tokio::select! {
                    biased;
                    done = &mut work => return (done, Some(turn)),
                    () = &mut held_up => break,
                    () = self.whole_batch.notified() => {}
                }
            }
        }
        (work.await, None)
    }

    /// Nobody who has waited as long as this worker has for a connection waits once more.
    async fn refuse(
        &self,
        turn: Option<Turn<J>>,
        first: Ticket<J>,
        since: Instant,
        error: sqlx::Error,
    ) {
        let error = Arc::new(error);
        first.answer(Err(Undone::NotSent(Arc::clone(&error))));
        let mut turn = match turn {
            Some(turn) => turn,
            None => Arc::clone(&self.queue).lock_owned().await,
        };
        for ticket in turn.waiting_since(since) {
            ticket.answer(Err(Undone::NotSent(Arc::clone(&error))));
        }
    }
}

type AcquiredConnection = Result<sqlx::pool::PoolConnection<sqlx::Postgres>, sqlx::Error>;
