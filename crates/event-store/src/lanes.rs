//! Lanes to the database: what waits while they are busy is done together.
//!
//! Who finds a lane free goes at once, alone. Under load it is busy, and what has gathered meanwhile
//! goes in one round trip and, where it writes, with one commit; another lane opens for each whole
//! batch that waits. A lane that is held up, by a lock or a server that does not answer, no longer
//! counts: another one opens in its place.

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

/// How many there are at most, those that are held up among them: half of what the pool lends, for
/// loads and appends each.
const MOST_LANES: usize = 8;
/// When a lane counts as held up.
const HELD_UP_AFTER: Duration = Duration::from_millis(50);
/// How many jobs go together at most.
const LONGEST_BATCH: usize = 32;
/// After how many batches a lane gives its connection back, for the pool to look after it.
const BATCHES_A_CONNECTION: usize = 64;
/// How long one statement may take: a little more than the server lets it run. Only a server that
/// is cut off takes longer; its connection is given up, so that the line behind it goes on.
const STATEMENT_BOUND: Duration = Duration::from_secs(10);

/// Something to do on a connection.
pub(crate) trait Job: Send + Sync + Sized + 'static {
    /// What comes of it.
    type Done: Send + 'static;

    /// It is about to be sent; false when nobody waits for it any more, and it is not.
    fn start(&self) -> bool;

    /// Whether the two cannot go together.
    fn clashes_with(&self, other: &Self) -> bool;

    /// Does it.
    fn alone(
        &self,
        connection: &mut PgConnection,
    ) -> impl Future<Output = Result<Self::Done, sqlx::Error>> + Send;

    /// Does several in one statement, none of them if it fails. One that comes back undone has to
    /// be done alone.
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
            && self.open + self.held_up < MOST_LANES;
        if opens {
            self.open += 1;
        }
        opens
    }

    /// How many lanes should be open: one, and one more for each batch that another leaves behind.
    fn wanted(&self) -> usize {
        1 + self.waiting.len() / LONGEST_BATCH
    }

    /// A lane's next batch; empty when nothing waits, or there are lanes enough without it.
    fn next_batch(&mut self) -> Vec<Waiting<J>> {
        let mut batch = Vec::new();
        if self.open <= self.wanted() {
            self.join(&mut batch);
        }
        batch
    }

    /// Adds what waits to a batch, in order, up to the first that cannot go with the others.
    fn join(&mut self, batch: &mut Vec<Waiting<J>>) {
        while batch.len() < LONGEST_BATCH {
            let fits = |next: &Waiting<J>| !batch.iter().any(|b| b.job.clashes_with(&next.job));
            if !self.waiting.front().is_some_and(fits) {
                return;
            }
            batch.extend(self.waiting.pop_front());
        }
    }

    fn waiting_since(&mut self, since: Instant) -> Vec<Waiting<J>> {
        let longer = self.waiting.partition_point(|w| w.since <= since);
        self.waiting.drain(..longer).collect()
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
        while let Some(batch) = self.next_or_close() {
            let since = Instant::now();
            match self.lanes.0.pool.acquire().await {
                Ok(connection) => self.serve(connection, batch).await,
                Err(error) => self.refuse(batch, since, error),
            }
        }
    }

    fn next_or_close(&mut self) -> Option<Vec<Waiting<J>>> {
        let mut line = self.lanes.lock();
        let batch = line.next_batch();
        if !batch.is_empty() {
            return Some(batch);
        }
        // In one step: what comes from here on opens a lane of its own.
        line.open -= 1;
        drop(line);
        self.standing = Standing::Closed;
        None
    }

    /// Nobody who has waited as long as this lane has for a connection waits once more.
    fn refuse(&self, batch: Vec<Waiting<J>>, since: Instant, error: sqlx::Error) {
        let behind = self.lanes.lock().waiting_since(since);
        answer_all(batch.into_iter().chain(behind), error, Undone::NotSent);
    }

    async fn serve(
        &mut self,
        mut connection: PoolConnection<Postgres>,
        mut batch: Vec<Waiting<J>>,
    ) {
        self.lanes.lock().join(&mut batch);
        let mut served = 0;
        while !batch.is_empty() {
            if !self.watched(do_all(&mut connection, batch)).await {
                drop(connection.detach());
                return;
            }
            served += 1;
            batch = Vec::new();
            if served < BATCHES_A_CONNECTION {
                batch = self.lanes.lock().next_batch();
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

/// Does a batch, all at once if that goes, and answers each; whether the connection is still good.
async fn do_all<J: Job>(connection: &mut PgConnection, batch: Vec<Waiting<J>>) -> bool {
    let (mut batch, left): (Vec<_>, Vec<_>) = batch.into_iter().partition(|w| w.job.start());
    for waiting in left {
        waiting.answer(Err(Undone::Abandoned));
    }
    if batch.len() > 1 {
        let jobs: Vec<&J> = batch.iter().map(|w| &w.job).collect();
        match bounded(J::together(&jobs, connection)).await {
            Ok(done) => batch = answer_those_done(batch, done),
            Err(error) if is_lost(&error) => {
                answer_all(batch, error, Undone::Failed);
                return false;
            }
            // Nothing was done for any: one has spoiled it for the others, or the plan is stale.
            Err(error) => {
                if let Err(error) = forget_stale_plans(connection, &error).await {
                    answer_all(batch, error, Undone::NotSent);
                    return false;
                }
            }
        }
    }
    do_each(connection, batch).await
}

/// Does one after the other.
async fn do_each<J: Job>(connection: &mut PgConnection, batch: Vec<Waiting<J>>) -> bool {
    let mut batch = batch.into_iter();
    while let Some(waiting) = batch.next() {
        let error = match bounded(waiting.job.alone(connection)).await {
            Ok(done) => {
                waiting.answer(Ok(done));
                continue;
            }
            Err(error) => error,
        };
        let whole = !is_lost(&error) && forget_stale_plans(connection, &error).await.is_ok();
        let lost = error.to_string();
        answer_all([waiting], error, Undone::Failed);
        if !whole {
            let error = sqlx::Error::Protocol(format!("the connection was lost before: {lost}"));
            answer_all(batch, error, Undone::NotSent);
            return false;
        }
    }
    true
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
