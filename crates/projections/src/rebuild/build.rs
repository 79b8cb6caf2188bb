//! Filling the new version: a reader with the same sink, on the new version's search path.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use event_store::{
    Condition, Ended, Position, Reader, ReaderError, ReaderOptions, Standing, checkpoint,
};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgPool};
use tokio::sync::watch;

use super::show::{State, delivered};
use super::{Hears, Rebuild, RebuildError, Told};
use crate::Version;

/// The new version has come close enough once a round takes no longer than this.
const CLOSE: Duration = Duration::from_secs(1);
/// How often it is told how far it is.
const TELL: Duration = Duration::from_millis(250);
/// What a crash of the server takes from a version that nobody reads is filled in again: rows and
/// checkpoint are lost together.
const UNSYNCED: [(&str, &str); 1] = [("synchronous_commit", "off")];
/// An index of many rows takes its time.
const UNBOUNDED: [(&str, &str); 1] = [("statement_timeout", "0")];

impl Rebuild {
    /// Fills the new version until it is close behind the served one, at most so many events a
    /// second.
    ///
    /// # Errors
    /// See [`RebuildError`].
    pub async fn build(
        &mut self,
        max_rate: Option<NonZeroU32>,
        hears: Hears<'_>,
    ) -> Result<(), RebuildError> {
        loop {
            let began = Instant::now();
            let to = self.served_at().await?;
            self.bring_up(to, max_rate, hears).await?;
            if began.elapsed() < CLOSE {
                return Ok(());
            }
        }
    }

    /// Makes the indexes that filling the version did not need, one by one, and the statistics. The
    /// rebuild is then checked.
    ///
    /// # Errors
    /// See [`RebuildError`]; what was made stays.
    pub async fn index(&mut self, hears: Hears<'_>) -> Result<(), RebuildError> {
        let options = self.by.connect.clone().options(UNBOUNDED);
        let mut connection = options.connect().await?;
        loop {
            self.goes_on()?;
            let made = sqlx::query_scalar!("SELECT read.make_index($1)", self.id)
                .fetch_one(&mut connection)
                .await?;
            match made {
                Some(name) => hears(Told::Indexed(&name)),
                None => break,
            }
        }
        connection.close().await?;
        self.enter(State::Checking).await
    }

    /// How far the served version is. One that is ahead of the store after a restore cannot be
    /// come up to.
    pub(super) async fn served_at(&self) -> Result<Position, RebuildError> {
        let mut connection = self.by.pool.acquire().await?;
        let reached = checkpoint::reached(&mut connection, &self.from.to_string()).await?;
        let position = reached.unwrap_or_default().checkpoint.position;
        if checkpoint::is_beyond(&mut connection, position).await? {
            let reason = format!(
                "{} is at position {position}, which the store has not come to: run `projector \
                 store adopt` first",
                self.from
            );
            return Err(RebuildError::Halted { reason });
        }
        Ok(position)
    }

    /// Brings the new version exactly to a position that the served one has passed.
    pub(super) async fn bring_up(
        &mut self,
        to: Position,
        max_rate: Option<NonZeroU32>,
        hears: Hears<'_>,
    ) -> Result<(), RebuildError> {
        let (connect, options) = self.reader(to, max_rate);
        let reader = Reader::new(connect, options);
        let halt = self.halt.child_token();
        let pool = self.by.pool.clone();
        let (from, version) = (self.from, self.to);
        let mut standing = reader.standing();
        let (ended, halted) = tokio::join!(
            async {
                let ended = reader.drive(&mut *self.sink.0, &halt).await;
                halt.cancel();
                ended
            },
            async {
                let halted = tokio::select! {
                    () = halt.cancelled() => None,
                    () = tell(&pool, from, version, hears) => None,
                    halted = halted(&mut standing) => halted,
                };
                halt.cancel();
                halted
            }
        );
        match (ended, halted) {
            (Ended::Reached, _) => Ok(()),
            (Ended::Stopped, Some(reason)) => Err(RebuildError::Halted { reason }),
            (Ended::Stopped, None) => Err(self.why_stopped()),
        }
    }

    /// The same in one go, for a few events, while others wait.
    pub(super) async fn catch_up(&mut self, to: Position) -> Result<(), ReaderError> {
        let (connect, options) = self.reader(to, None);
        Reader::new(connect, options)
            .catch_up(&mut *self.sink.0)
            .await
    }

    fn reader(
        &self,
        to: Position,
        max_rate: Option<NonZeroU32>,
    ) -> (PgConnectOptions, ReaderOptions) {
        let connect = self.to.connect(self.by.connect.clone().options(UNSYNCED));
        let name = self.to.to_string();
        let options = ReaderOptions {
            to: Some(to),
            max_rate,
            ..ReaderOptions::new(&name, &self.by.owner, self.by.lease)
        };
        (connect, options)
    }
}

/// Tells how far the new version is, again and again.
async fn tell(pool: &PgPool, from: Version, to: Version, hears: Hears<'_>) {
    loop {
        let look = async {
            let mut connection = pool.acquire().await?;
            let done = delivered(&mut connection, to).await?;
            let total = delivered(&mut connection, from).await?;
            Ok::<_, sqlx::Error>((done.cast_unsigned(), total.cast_unsigned()))
        };
        // That the database is away is seen by the reader.
        if let Ok((done, total)) = look.await {
            hears(Told::Built { done, total });
        }
        tokio::time::sleep(TELL).await;
    }
}

/// Comes once the reader cannot go on until somebody acts; says why.
async fn halted(standing: &mut watch::Receiver<Standing>) -> Option<String> {
    let is_halted = |now: &Standing| matches!(now, Standing::Leading(Condition::Halted { .. }));
    match standing.wait_for(is_halted).await.as_deref() {
        Ok(Standing::Leading(Condition::Halted { reason, .. })) => Some(reason.clone()),
        Ok(Standing::Starting | Standing::Standby { .. } | Standing::Leading(_)) | Err(_) => None,
    }
}
