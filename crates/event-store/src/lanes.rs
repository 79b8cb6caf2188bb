//! Lanes to the database: what waits while they are busy is done together.
//!
//! Who finds a lane free goes at once, alone. Under load it is busy, and what has gathered meanwhile
//! goes in one round trip and, where it writes, with one commit; another lane opens for each whole
//! batch that waits. Nobody waits long for another: what cannot go together goes alone, and a lane that
//! is held up, by a lock or a server that does not answer, is replaced by another one.

use std::collections::VecDeque;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, PgConnection, PgPool, Postgres};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::failure::{SqlFailure, classify};

/// When a lane counts as held up.
const HELD_UP_AFTER: Duration = Duration::from_millis(50);
/// How many jobs go together at most.
const LONGEST_BATCH: usize = 16;
/// After how many batches a lane gives its connection back, for the pool to look after it.
const BATCHES_A_CONNECTION: usize = 64;
/// How long one statement may take: a little more than the server lets it run. Only a server that
/// is cut off takes longer; its connection is given up, so that the line behind it goes on.
const STATEMENT_BOUND: Duration = Duration::from_secs(10);

/// Something to do on a connection.
pub(crate) trait Job: Send + Sync + Sized + 'static {
    /// What comes of it.
    type Done: Send + 'static;

    /// How many lanes there are at most, those that are held up among them.
    const MOST_LANES: usize;

    /// It is about to be sent; false when nobody waits for it any more, and it is not.
    fn start(&self) -> bool;

    /// It was sent, and nothing was done.
    fn undone(&self);

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
    /// The lane's task died: a bug.
    Died,
}

/// The lanes for jobs of one kind.
pub(crate) struct Lanes<J: Job>(Arc<Shared<J>>);

struct Shared<J: Job> {
    pool: PgPool,
    tasks: TaskTracker,
    line: Mutex<Line<J>>,
}

struct Line<J: Job> {
    waiting: VecDeque<Waiting<J>>,
    /// Lanes that are not held up.
    open: usize,
    held_up: usize,
}

struct Waiting<J: Job> {
    job: J,
    /// It was tried with others, and has to go without them.
    alone: bool,
    since: Instant,
    answer: oneshot::Sender<Result<J::Done, Undone>>,
}

impl<J: Job> Waiting<J> {
    fn answer(self, answer: Result<J::Done, Undone>) {
        // Who waited may have left.
        self.answer.send(answer).ok();
    }
}

impl<J: Job> fmt::Debug for Lanes<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.lock();
        f.debug_struct("Lanes")
            .field("waiting", &line.waiting.len())
            .field("open", &line.open)
            .field("held_up", &line.held_up)
            .finish_non_exhaustive()
    }
}

impl<J: Job> Clone for Lanes<J> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<J: Job> Lanes<J> {
    /// Lanes over `pool`; `tasks` lets a shutdown wait for what is under way.
    pub(crate) fn new(pool: PgPool, tasks: TaskTracker) -> Self {
        let line = Line {
            waiting: VecDeque::new(),
            open: 0,
            held_up: 0,
        };
        Self(Arc::new(Shared {
            pool,
            tasks,
            line: Mutex::new(line),
        }))
    }

    /// Does a job, with others where they wait too. Dropping the future does not undo it.
    pub(crate) async fn run(&self, job: J) -> Result<J::Done, Undone> {
        let (answer, done) = oneshot::channel();
        self.lock().waiting.push_back(Waiting {
            job,
            alone: false,
            since: Instant::now(),
            answer,
        });
        self.open_where_wanted();
        done.await.unwrap_or(Err(Undone::Died))
    }

    fn open_where_wanted(&self) {
        if self.lock().opens() {
            let lane = Lane {
                lanes: self.clone(),
                standing: Standing::Open,
            };
            self.0.tasks.spawn(lane.drive());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Line<J>> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J: Job> Line<J> {
    /// Counts another lane, if what waits wants one.
    fn opens(&mut self) -> bool {
        let opens = !self.waiting.is_empty()
            && self.open < self.wanted()
            && self.open + self.held_up < J::MOST_LANES;
        if opens {
            self.open += 1;
        }
        opens
    }

    /// How many lanes should be open: one, and one more for each batch that another leaves behind.
    fn wanted(&self) -> usize {
        1 + self.waiting.len() / LONGEST_BATCH
    }

    /// Whether a lane that has nothing in hand is one too many.
    fn spares_one(&self) -> bool {
        self.waiting.is_empty() || self.open > self.wanted()
    }

    /// A lane's next batch: what waits, in order, up to the first that cannot go with the others;
    /// empty when there are lanes enough without it.
    fn next_batch(&mut self) -> Vec<Waiting<J>> {
        let mut batch: Vec<Waiting<J>> = Vec::new();
        if self.spares_one() {
            return batch;
        }
        while batch.len() < LONGEST_BATCH {
            let alone = batch.iter().any(|b| b.alone);
            let fits = |next: &Waiting<J>| {
                let together = !alone && !next.alone;
                batch.is_empty() || together && !batch.iter().any(|b| b.job.clashes_with(&next.job))
            };
            if !self.waiting.front().is_some_and(fits) {
                break;
            }
            batch.extend(self.waiting.pop_front());
        }
        batch
    }

    /// What went with others and was not done goes next, by itself.
    fn put_back(&mut self, batch: Vec<Waiting<J>>) {
        for mut waiting in batch.into_iter().rev() {
            waiting.job.undone();
            waiting.alone = true;
            self.waiting.push_front(waiting);
        }
    }

    fn waiting_since(&mut self, since: Instant) -> Vec<Waiting<J>> {
        let (longer, others) = self.waiting.drain(..).partition(|w| w.since <= since);
        self.waiting = others;
        VecDeque::into(longer)
    }
}

/// One lane. However it ends, it is no longer counted.
struct Lane<J: Job> {
    lanes: Lanes<J>,
    standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Open,
    HeldUp,
    Closed,
}

impl<J: Job> Lane<J> {
    async fn drive(mut self) {
        while !self.closes() {
            let since = Instant::now();
            let acquire = self.lanes.0.pool.acquire();
            match self.watched(acquire).await {
                Ok(connection) => self.serve(connection).await,
                Err(error) => self.refuse(since, error),
            }
        }
    }

    /// Closes in one step with the look at what waits: what comes later opens a lane of its own.
    fn closes(&mut self) -> bool {
        let mut line = self.lanes.lock();
        let closes = line.spares_one();
        if closes {
            line.open -= 1;
            self.standing = Standing::Closed;
        }
        closes
    }

    /// Nobody who has waited as long as this lane has for a connection waits once more.
    fn refuse(&self, since: Instant, error: sqlx::Error) {
        let waiting = self.lanes.lock().waiting_since(since);
        answer_all(waiting, error, Undone::NotSent);
    }

    async fn serve(&mut self, mut connection: PoolConnection<Postgres>) {
        for _ in 0..BATCHES_A_CONNECTION {
            let batch = self.lanes.lock().next_batch();
            if batch.is_empty() {
                return;
            }
            let lanes = self.lanes.clone();
            if !self.watched(do_all(&lanes, &mut connection, batch)).await {
                drop(connection.detach());
                return;
            }
        }
    }

    /// Opens another lane in its place while this one is held up.
    async fn watched<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        if let Ok(done) = tokio::time::timeout(HELD_UP_AFTER, &mut work).await {
            return done;
        }
        self.stand(Standing::HeldUp);
        self.lanes.open_where_wanted();
        let done = work.await;
        self.stand(Standing::Open);
        done
    }

    fn stand(&mut self, standing: Standing) {
        let mut line = self.lanes.lock();
        if let Some(count) = line.count(self.standing) {
            *count -= 1;
        }
        if let Some(count) = line.count(standing) {
            *count += 1;
        }
        drop(line);
        self.standing = standing;
    }
}

impl<J: Job> Line<J> {
    fn count(&mut self, standing: Standing) -> Option<&mut usize> {
        match standing {
            Standing::Open => Some(&mut self.open),
            Standing::HeldUp => Some(&mut self.held_up),
            Standing::Closed => None,
        }
    }
}

impl<J: Job> Drop for Lane<J> {
    fn drop(&mut self) {
        self.stand(Standing::Closed);
    }
}

/// Does a batch, and answers each that is done or will not be; whether the connection is still
/// good.
async fn do_all<J: Job>(
    lanes: &Lanes<J>,
    connection: &mut PgConnection,
    batch: Vec<Waiting<J>>,
) -> bool {
    let (mut batch, left): (Vec<_>, Vec<_>) = batch.into_iter().partition(|w| w.job.start());
    for waiting in left {
        waiting.answer(Err(Undone::Abandoned));
    }
    match batch.len() {
        0 => true,
        1 => match batch.pop() {
            Some(waiting) => do_alone(connection, waiting).await,
            None => true,
        },
        _ => do_together(lanes, connection, batch).await,
    }
}

async fn do_alone<J: Job>(connection: &mut PgConnection, waiting: Waiting<J>) -> bool {
    let error = match bounded(waiting.job.alone(connection)).await {
        Ok(done) => {
            waiting.answer(Ok(done));
            return true;
        }
        Err(error) => error,
    };
    let whole = !is_lost(&error) && forget_stale_plans(connection, &error).await.is_ok();
    answer_all([waiting], error, Undone::Failed);
    whole
}

async fn do_together<J: Job>(
    lanes: &Lanes<J>,
    connection: &mut PgConnection,
    batch: Vec<Waiting<J>>,
) -> bool {
    let jobs: Vec<&J> = batch.iter().map(|w| &w.job).collect();
    match bounded(J::together(&jobs, connection)).await {
        Ok(done) => {
            let undone = answer_those_done(batch, done);
            lanes.lock().put_back(undone);
            true
        }
        // One has spoiled it for the others, or the plan is stale.
        Err(error) if J::did_nothing(&error) => {
            lanes.lock().put_back(batch);
            forget_stale_plans(connection, &error).await.is_ok()
        }
        Err(error) => {
            let whole = !is_lost(&error);
            answer_all(batch, error, Undone::Failed);
            whole
        }
    }
}

/// Answers those that were done together; the others remain.
fn answer_those_done<J: Job>(
    batch: Vec<Waiting<J>>,
    done: Vec<Option<J::Done>>,
) -> Vec<Waiting<J>> {
    let mut done = done.into_iter();
    let mut undone = Vec::new();
    for waiting in batch {
        match done.next().flatten() {
            Some(done) => waiting.answer(Ok(done)),
            None => undone.push(waiting),
        }
    }
    undone
}

fn answer_all<J: Job>(
    batch: impl IntoIterator<Item = Waiting<J>>,
    error: sqlx::Error,
    undone: fn(Arc<sqlx::Error>) -> Undone,
) {
    let error = Arc::new(error);
    for waiting in batch {
        waiting.answer(Err(undone(Arc::clone(&error))));
    }
}

async fn bounded<T>(
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(STATEMENT_BOUND, statement)
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
}

fn is_lost(error: &sqlx::Error) -> bool {
    classify(error) == SqlFailure::Unreachable
}

async fn forget_stale_plans(
    connection: &mut PgConnection,
    error: &sqlx::Error,
) -> Result<(), sqlx::Error> {
    match classify(error) {
        SqlFailure::StalePlan => bounded(connection.clear_cached_statements()).await,
        SqlFailure::VersionConflict
        | SqlFailure::Retryable
        | SqlFailure::Unreachable
        | SqlFailure::GaveUp
        | SqlFailure::Other => Ok(()),
    }
}
