//! The one who reads for a checkpoint: connection, lease and checkpoint, held together.
//!
//! It is dropped at the first error of the database: a new one begins at the checkpoint.

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;

use super::lease::{Asked, Lease, LeaseError, LeasedCheckpoint};
use super::state::Condition;
use super::{ReaderError, ReaderOptions, condition_of};
use crate::checkpoint::{self, mark, nearest_mark, recompute_page};
use crate::feed::{Batch, BatchBound, Feed, Selection};
use crate::parked::{self, Parked};
use crate::{Checkpoint, Position, StoredEvent, StreamId};

/// Whatever the lease, the database is given this long to answer.
const SHORTEST_BOUND: Duration = Duration::from_secs(1);
/// The longest pause between two requests for a lease that another holds: it may be given back.
const STANDBY_PAUSE: Duration = Duration::from_millis(250);
const SHORTEST_STANDBY_PAUSE: Duration = Duration::from_millis(10);
/// The reader that all others wait for when history is to be verified.
pub(crate) const VERIFICATION: &str = "verification";

/// A checkpoint that did not hold in a generation: it is not looked into again until one of the two
/// is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    generation: i64,
    leased: LeasedCheckpoint,
}

/// Who leads, or who waits for it.
#[derive(Debug)]
pub(super) struct Leader {
    feed: Feed,
    lease: Lease,
    /// While batches are gathered, rows are written here, and the feed is read meanwhile.
    writer: Option<PgConnection>,
    checkpoint: Checkpoint,
    condition: Condition,
    renewed_at: Instant,
}

impl Leader {
    /// Connects and asks for the lease until it has it, on one connection all the while; none when
    /// told to stop before. `standby` is told who has it.
    pub(super) async fn elect(
        connect: &PgConnectOptions,
        options: &ReaderOptions,
        verdict: &mut Option<Verdict>,
        stop: &CancellationToken,
        standby: impl Fn(String),
    ) -> Result<Option<Self>, ReaderError> {
        let mut feed = within(options.lease, Feed::connect(connect)).await?;
        loop {
            let asked_at = Instant::now();
            let ask = Lease::ask(feed.connection(), options);
            let remaining = match within(options.lease, ask).await? {
                Asked::Granted(lease, leased) => {
                    let mut leader = Self {
                        feed,
                        writer: None,
                        lease,
                        checkpoint: leased.checkpoint,
                        condition: Condition::Running,
                        renewed_at: asked_at,
                    };
                    return match leader.verify(options, leased, verdict).await {
                        Ok(()) => Ok(Some(leader)),
                        Err(foreign @ ReaderError::ForeignCheckpoint { .. }) => {
                            leader.resign(&condition_of(&foreign)).await?;
                            Err(foreign)
                        }
                        Err(error) => Err(error),
                    };
                }
                Asked::Held { owner, remaining } => {
                    standby(owner);
                    remaining
                }
            };
            tokio::select! {
                () = stop.cancelled() => {
                    within(options.lease, feed.close()).await?;
                    return Ok(None);
                }
                () = tokio::time::sleep(remaining.clamp(SHORTEST_STANDBY_PAUSE, STANDBY_PAUSE)) => {}
            }
        }
    }

    /// Makes sure that the checkpoint holds in this generation. One that does not is remembered.
    async fn verify(
        &mut self,
        options: &ReaderOptions,
        leased: LeasedCheckpoint,
        verdict: &mut Option<Verdict>,
    ) -> Result<(), ReaderError> {
        let generation = self.feed.generation().number;
        if leased.generation == generation {
            return Ok(());
        }
        let foreign = Verdict { generation, leased };
        if *verdict != Some(foreign) {
            let found = self.recompute(options, leased).await?;
            if found == leased.checkpoint {
                let (length, lease) = (self.lease.length(), self.lease.clone());
                within(length, lease.enter(self.feed.connection(), generation)).await?;
                return self.renew().await;
            }
            *verdict = Some(foreign);
        }
        Err(ReaderError::ForeignCheckpoint {
            name: options.name.clone(),
            from: leased.generation,
            to: generation,
        })
    }

    /// What the events say of a checkpoint; the lease is kept meanwhile. History is read once for
    /// all readers: one verifies, and the others go on from its marks.
    async fn recompute(
        &mut self,
        options: &ReaderOptions,
        leased: LeasedCheckpoint,
    ) -> Result<Checkpoint, ReaderError> {
        let (generation, position) = (self.feed.generation().number, leased.checkpoint.position);
        let stream = options.stream.as_ref();
        let counts_all = leased.since == Position::START && stream.is_none();
        let owner = format!("{} {}", options.owner, options.name);
        let verification = ReaderOptions::new(VERIFICATION, &owner, options.lease);
        let mut found = Checkpoint::at(leased.since);
        let length = self.lease.length();
        loop {
            self.renew().await?;
            if counts_all {
                let ask = Lease::ask(self.feed.connection(), &verification);
                if let Asked::Held { .. } = within(length, ask).await? {
                    tokio::time::sleep(STANDBY_PAUSE).await;
                    continue;
                }
                let nearest = nearest_mark(self.feed.connection(), generation, position);
                let nearest = within(length, nearest).await?;
                if nearest.position > found.position {
                    found = nearest;
                }
            }
            let page = recompute_page(self.feed.connection(), found, position, stream);
            let next = within(length, page).await?;
            match next {
                Some(next)
                    if counts_all && next.delivered - found.delivered == checkpoint::PAGE =>
                {
                    within(length, mark(self.feed.connection(), generation, next)).await?;
                    found = next;
                }
                Some(next) => found = next,
                None => break,
            }
        }
        if counts_all {
            let ask = Lease::ask(self.feed.connection(), &verification);
            if let Asked::Granted(lease, _) = within(length, ask).await? {
                let release = lease.release(self.feed.connection(), &Condition::Idle);
                within(length, release).await?;
            }
        }
        Ok(found)
    }

    /// How far it has come.
    pub(super) const fn checkpoint(&self) -> Checkpoint {
        self.checkpoint
    }

    /// The next events after the checkpoint. Half of the lease is left at least when they are
    /// returned.
    pub(super) async fn next_batch(
        &mut self,
        selection: &Selection,
        bound: BatchBound,
    ) -> Result<Batch, ReaderError> {
        let next = self
            .feed
            .next_batch(self.checkpoint.position, selection, bound);
        let batch = within(self.lease.length(), next).await?;
        if self.renewed_at.elapsed() * 2 > self.lease.length() {
            self.renew().await?;
        }
        Ok(batch)
    }

    /// How the reader is from now on; said with the next renewal.
    pub(super) fn note(&mut self, condition: Condition) {
        self.condition = condition;
    }

    /// Makes the lease good for its whole length again.
    pub(super) async fn renew(&mut self) -> Result<(), ReaderError> {
        self.renew_at(0.0).await
    }

    /// The same, and says how many events a second are taken.
    pub(super) async fn renew_at(&mut self, rate: f64) -> Result<(), ReaderError> {
        let now = Instant::now();
        let renewal = self
            .lease
            .renew(self.feed.connection(), &self.condition, rate);
        within(self.lease.length(), renewal).await?;
        self.renewed_at = now;
        Ok(())
    }

    /// Notes that a transaction, begun at `at`, which moved the checkpoint has been committed.
    pub(super) const fn moved(&mut self, to: Checkpoint, at: Instant) {
        self.checkpoint = to;
        self.renewed_at = at;
    }

    /// Those of `events` whose streams are not parked.
    pub(super) async fn flowing(
        &mut self,
        mut events: Vec<StoredEvent>,
    ) -> Result<Vec<StoredEvent>, ReaderError> {
        let among = parked::among(self.feed.connection(), self.lease.name(), &events);
        let parked = within(self.lease.length(), among).await?;
        events.retain(|event| !parked.contains(&event.stream));
        Ok(events)
    }

    /// A page of the streams that are parked, those after `after`, in their order.
    pub(super) async fn parked(
        &mut self,
        after: Option<&StreamId>,
        limit: i64,
    ) -> Result<Vec<Parked>, ReaderError> {
        let page = parked::parked_page(self.feed.connection(), self.lease.name(), after, limit);
        within(self.lease.length(), page).await
    }

    /// What a parked stream waits with, as far as the checkpoint.
    pub(super) async fn waiting(
        &mut self,
        parked: &Parked,
        bound: BatchBound,
    ) -> Result<Vec<StoredEvent>, ReaderError> {
        let position = self.checkpoint.position;
        let waiting = parked::waiting(self.feed.connection(), parked, position, bound);
        within(self.lease.length(), waiting).await
    }

    /// Counts what lies before the checkpoint.
    pub(super) async fn lag(&mut self) -> Result<checkpoint::Lag, ReaderError> {
        let position = self.checkpoint.position;
        let count = checkpoint::lag(self.feed.connection(), self.lease.name(), position);
        within(self.lease.length(), count).await
    }

    /// Gives the lease back at once; the row says how the reader is from then on.
    pub(super) async fn resign(mut self, condition: &Condition) -> Result<(), ReaderError> {
        let length = self.lease.length();
        let release = self.lease.release(self.feed.connection(), condition);
        within(length, release).await?;
        within(length, self.feed.close()).await
    }

    /// Hands the lease over to another owner, who waits for it.
    pub(super) async fn hand_over(mut self, to: &str) -> Result<(), ReaderError> {
        let length = self.lease.length();
        let hand_over = self.lease.hand_over(self.feed.connection(), to);
        within(length, hand_over).await?;
        within(length, self.feed.close()).await
    }

    /// Runs `work` in a transaction, and moves the checkpoint with it to where it says, under the
    /// lease.
    pub(super) async fn commit<E>(
        &mut self,
        work: impl AsyncFnOnce(&mut PgConnection, &str) -> Result<Checkpoint, E>,
    ) -> Result<(), CommitError<E>> {
        let started = Instant::now();
        let lease = self.lease.clone();
        let transaction = transact(self.feed.connection(), &lease, async |connection| {
            work(connection, lease.name()).await
        });
        let to = within(lease.length(), transaction)
            .await?
            .map_err(CommitError::Refused)?;
        self.moved(to, started);
        Ok(())
    }

    /// The same, on a second connection: the feed can be read meanwhile.
    pub(super) async fn commit_beside<E>(
        &mut self,
        connect: &PgConnectOptions,
        work: impl AsyncFnOnce(&mut PgConnection, &mut Feed) -> Result<Checkpoint, E>,
    ) -> Result<(), CommitError<E>> {
        let length = self.lease.length();
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => within(length, connect.connect()).await?,
        };
        let started = Instant::now();
        let lease = self.lease.clone();
        let feed = &mut self.feed;
        let transaction = transact(&mut writer, &lease, async |connection| {
            work(connection, feed).await
        });
        let outcome = within(length, transaction).await?;
        self.writer = Some(writer);
        self.moved(outcome.map_err(CommitError::Refused)?, started);
        Ok(())
    }

    /// Lets the second connection go.
    pub(super) async fn write_alone(&mut self) -> Result<(), ReaderError> {
        match self.writer.take() {
            Some(writer) => within(self.lease.length(), writer.close()).await,
            None => Ok(()),
        }
    }
}

/// Runs `work` in a transaction that moves the checkpoint to where it says; nothing is kept where it
/// fails.
async fn transact<E>(
    connection: &mut PgConnection,
    lease: &Lease,
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<Checkpoint, E>,
) -> Result<Result<Checkpoint, E>, ReaderError> {
    let mut transaction = connection.begin().await?;
    let to = match work(&mut transaction).await {
        Ok(to) => to,
        Err(refusal) => {
            transaction.rollback().await?;
            return Ok(Err(refusal));
        }
    };
    lease.advance(&mut transaction, to).await?;
    transaction.commit().await?;
    Ok(Ok(to))
}

/// Why nothing was committed.
pub(super) enum CommitError<E> {
    /// What was to be done in the transaction failed; the connection is good.
    Refused(E),
    /// The lease or the connection failed.
    Reader(ReaderError),
}

impl<E> From<ReaderError> for CommitError<E> {
    fn from(error: ReaderError) -> Self {
        Self::Reader(error)
    }
}

impl From<LeaseError> for ReaderError {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Lost => Self::LeaseLost,
            LeaseError::Database(error) => Self::Database(error),
        }
    }
}

/// Bounds a call to the database: what takes longer than a lease has lost it anyway.
async fn within<T, E>(
    lease: Duration,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, ReaderError>
where
    ReaderError: From<E>,
{
    match tokio::time::timeout(lease.max(SHORTEST_BOUND), call).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(ReaderError::Silent),
    }
}

#[cfg(test)]
mod tests;
