//! A place at the feed: the connection, the lease and the checkpoint, held together.
//!
//! Whoever reads the feed, into rows or onto Kafka, opens one, and drops it at the first error: a
//! new one begins at the checkpoint.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use crate::feed::{Batch, Feed};
use crate::held_back::{self, HeldBack};
use crate::lease::{Asked, Lease, LeaseError};
use crate::{Checkpoint, Position, StoredEvent, StreamId, checkpoint};

/// How a reader presents itself.
#[derive(Debug, Clone)]
pub struct ReaderOptions {
    /// The name of its checkpoint.
    pub name: String,
    /// Who reads: shown to operators while the lease is held.
    pub owner: String,
    /// How long the lease outlives a dead owner.
    pub lease: Duration,
}

/// What opening a place came to.
#[derive(Debug)]
pub enum Opened {
    /// It is ours.
    Reader(Box<FeedReader>),
    /// Another owner has it for so much longer.
    Held {
        /// Who.
        owner: String,
        /// Until the lease would run out.
        remaining: Duration,
    },
}

/// Why a reader stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// Somebody else has taken over.
    #[error("the lease was lost to another owner")]
    LeaseLost,
    /// The store is another one than the checkpoint was made in.
    #[error(
        "checkpoint {name} of generation {from} does not hold in generation {to}: \
         run `projector store adopt`"
    )]
    ForeignCheckpoint {
        /// The checkpoint.
        name: String,
        /// The generation that it was moved in.
        from: i64,
        /// The generation that the server is in.
        to: i64,
    },
    /// The database did not answer for as long as a lease lasts.
    #[error("the database does not answer")]
    Silent,
    /// The database failed.
    #[error("the feed could not be read")]
    Database(#[from] sqlx::Error),
}

impl From<LeaseError> for ReaderError {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Lost => Self::LeaseLost,
            LeaseError::Database(error) => Self::Database(error),
        }
    }
}

/// An open place at the feed.
#[derive(Debug)]
pub struct FeedReader {
    feed: Feed,
    lease: Lease,
    checkpoint: Checkpoint,
    renewed_at: Instant,
}

impl FeedReader {
    /// Connects, asks for the lease, and makes sure that the checkpoint holds in this generation.
    ///
    /// # Errors
    /// [`ReaderError::ForeignCheckpoint`] when it does not; else what the database said.
    pub async fn open(
        connect: &PgConnectOptions,
        options: &ReaderOptions,
    ) -> Result<Opened, ReaderError> {
        let length = options.lease;
        let mut feed = within(length, Feed::connect(connect)).await?;
        let generation = feed.generation();
        let mut renewed_at = Instant::now();
        let ask = Lease::ask(feed.connection(), &options.name, &options.owner, length);
        let asked = within(length, ask).await?;
        let (lease, leased) = match asked {
            Asked::Granted(lease, leased) => (lease, leased),
            Asked::Held { owner, remaining } => {
                within(length, feed.close()).await?;
                return Ok(Opened::Held { owner, remaining });
            }
        };
        if leased.generation != generation {
            let found = recompute(&mut feed, &lease, leased.checkpoint.position).await?;
            if found != leased.checkpoint {
                within(length, lease.release(feed.connection())).await?;
                return Err(ReaderError::ForeignCheckpoint {
                    name: options.name.clone(),
                    from: leased.generation,
                    to: generation,
                });
            }
            renewed_at = Instant::now();
            within(length, lease.enter(feed.connection(), generation)).await?;
        }
        Ok(Opened::Reader(Box::new(Self {
            feed,
            lease,
            checkpoint: leased.checkpoint,
            renewed_at,
        })))
    }

    /// How far it has come.
    #[must_use]
    pub const fn checkpoint(&self) -> Checkpoint {
        self.checkpoint
    }

    /// The feed's own connection, for what is committed beside the checkpoint.
    pub const fn feed(&mut self) -> &mut Feed {
        &mut self.feed
    }

    /// The next events after the checkpoint, at most `limit` of them; the lease is renewed when
    /// less than half of it is left.
    ///
    /// # Errors
    /// See [`ReaderError`]; the reader is not to be used again then.
    pub async fn next_batch(&mut self, limit: i64) -> Result<Batch, ReaderError> {
        if self.renewed_at.elapsed() * 2 > self.lease.length() {
            self.renew().await?;
        }
        let next = self.feed.next_batch(self.checkpoint.position, limit);
        within(self.lease.length(), next).await
    }

    /// Makes the lease good for its whole length again.
    ///
    /// # Errors
    /// See [`ReaderError`]; the reader is not to be used again then.
    pub async fn renew(&mut self) -> Result<(), ReaderError> {
        let now = Instant::now();
        let renewal = self.lease.renew(self.feed.connection());
        within(self.lease.length(), renewal).await?;
        self.renewed_at = now;
        Ok(())
    }

    /// Moves the checkpoint over `events`, which have had their effect elsewhere.
    ///
    /// # Errors
    /// See [`ReaderError`]; the reader is not to be used again then.
    pub async fn pass(&mut self, events: &[StoredEvent]) -> Result<(), ReaderError> {
        let to = self.checkpoint.after(events);
        let now = Instant::now();
        let move_on = self.lease.advance(self.feed.connection(), to);
        within(self.lease.length(), move_on).await?;
        self.moved(to, now);
        Ok(())
    }

    /// Moves the checkpoint over `events`, which have had their effect elsewhere but for those that
    /// `held` says wait: their streams are held back with the same commit.
    ///
    /// # Errors
    /// See [`ReaderError`]; the reader is not to be used again then.
    pub async fn pass_holding(
        &mut self,
        events: &[StoredEvent],
        held: &[HeldBack],
    ) -> Result<(), ReaderError> {
        let to = self.checkpoint.after(events);
        self.move_with(to, async |connection, name| {
            held_back::hold(connection, name, held).await
        })
        .await
    }

    /// Those of the streams of `events` that it holds back.
    ///
    /// # Errors
    /// See [`ReaderError`]; the reader is not to be used again then.
    pub async fn held_among(
        &mut self,
        events: &[StoredEvent],
    ) -> Result<BTreeSet<StreamId>, ReaderError> {
        let length = self.lease.length();
        let look = held_back::among(self.feed.connection(), self.lease.name(), events);
        within(length, look).await
    }

    /// A page of the streams that it holds back, those after `after`, in their order.
    ///
    /// # Errors
    /// See [`ReaderError`]; the reader is not to be used again then.
    pub async fn held_back(
        &mut self,
        after: Option<&StreamId>,
        limit: i64,
    ) -> Result<Vec<HeldBack>, ReaderError> {
        let length = self.lease.length();
        let look = held_back::page(self.feed.connection(), self.lease.name(), after, limit);
        within(length, look).await
    }

    /// What a stream that is held back waits with: its events from that one on, as far as the
    /// checkpoint; the feed delivers what comes later.
    ///
    /// # Errors
    /// See [`ReaderError`]; the reader is not to be used again then.
    pub async fn waiting(&mut self, held: &HeldBack) -> Result<Vec<StoredEvent>, ReaderError> {
        let (length, position) = (self.lease.length(), self.checkpoint.position);
        let read = held_back::delivered(self.feed.connection(), &held.stream, position);
        let mut events = within(length, read).await?;
        events.retain(|event| event.version >= held.version);
        Ok(events)
    }

    /// Lets a stream flow again, all that waited having had its effect.
    ///
    /// # Errors
    /// See [`ReaderError`]; the reader is not to be used again then.
    pub async fn release(&mut self, stream: &StreamId) -> Result<(), ReaderError> {
        self.move_with(self.checkpoint, async |connection, name| {
            held_back::release(connection, name, stream).await
        })
        .await
    }

    /// Moves the checkpoint in one transaction with what `also` does, under the lease.
    async fn move_with(
        &mut self,
        to: Checkpoint,
        also: impl AsyncFnOnce(&mut PgConnection, &str) -> Result<(), sqlx::Error>,
    ) -> Result<(), ReaderError> {
        let started = Instant::now();
        let lease = self.lease.clone();
        let transaction = async {
            let mut transaction = self.feed.connection().begin().await?;
            also(&mut transaction, lease.name()).await?;
            lease.advance(&mut transaction, to).await?;
            transaction.commit().await?;
            Ok::<(), ReaderError>(())
        };
        within(lease.length(), transaction).await?;
        self.moved(to, started);
        Ok(())
    }

    /// The lease, to move the checkpoint inside a transaction on the feed's connection.
    pub(crate) fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// Notes that a transaction which moved the checkpoint has been committed.
    pub(crate) const fn moved(&mut self, to: Checkpoint, at: Instant) {
        self.checkpoint = to;
        self.renewed_at = at;
    }

    /// Counts what lies before the checkpoint, for the gauges.
    ///
    /// # Errors
    /// See [`ReaderError`]; the reader is not to be used again then.
    pub async fn lag(&mut self) -> Result<checkpoint::Lag, ReaderError> {
        let position: Position = self.checkpoint.position;
        let count = checkpoint::lag(self.feed.connection(), position);
        within(self.lease.length(), count).await
    }

    /// Gives the place back at once.
    ///
    /// # Errors
    /// What the database said.
    pub async fn close(mut self) -> Result<(), ReaderError> {
        let length = self.lease.length();
        within(length, self.lease.release(self.feed.connection())).await?;
        within(length, self.feed.close()).await
    }
}

/// Whatever the lease, the database is given this long to answer.
const SHORTEST_BOUND: Duration = Duration::from_secs(1);

/// How long a call to the database may take: what takes longer than a lease has lost it anyway.
pub(crate) fn bound(lease: Duration) -> Duration {
    lease.max(SHORTEST_BOUND)
}

/// Bounds a call to the database.
async fn within<T, E>(
    lease: Duration,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, ReaderError>
where
    ReaderError: From<E>,
{
    match tokio::time::timeout(bound(lease), call).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(ReaderError::Silent),
    }
}

/// What the events say of a checkpoint, page by page; the lease is kept meanwhile.
async fn recompute(
    feed: &mut Feed,
    lease: &Lease,
    position: Position,
) -> Result<Checkpoint, ReaderError> {
    let length = lease.length();
    let mut found = Checkpoint::default();
    loop {
        let page = checkpoint::recompute_page(feed.connection(), found, position);
        match within(length, page).await? {
            Some(next) => found = next,
            None => return Ok(found),
        }
        within(length, lease.renew(feed.connection())).await?;
    }
}
