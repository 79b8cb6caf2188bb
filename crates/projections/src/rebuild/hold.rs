//! Both versions held where they are, from the last look at them to the commit of the swap: no
//! answer of the next one is older than any of the last one.
//!
//! The served version's checkpoint is held first; the other one comes as far, and is held too. Its
//! reader waits meanwhile, so all this is bounded. Analysts, whose queries may be long, are waited for
//! before that: the views that follow the swap are closed to them first.

use std::time::Duration;

use event_store::checkpoint::{self, Reached};
use event_store::failure::{SqlFailure, classify};
use sqlx::{PgPool, Postgres, Transaction};

use super::{Hears, Reading, RebuildError, Told};
use crate::{Version, analysts};

/// How long the served version's reader may wait for the other version.
pub(super) const LONGEST: Duration = Duration::from_secs(1);
/// How often a swap is tried, and the pause before each further time. It comes to longer than any
/// transaction of an analyst's may last.
pub(super) const TRIES: u32 = 600;
pub(super) const PAUSE: Duration = Duration::from_millis(250);

/// A transaction that holds the served version where it is.
pub(super) struct Hold {
    pub(super) transaction: Transaction<'static, Postgres>,
    /// How far the served version has come.
    pub(super) served: Reached,
}

impl Hold {
    /// Holds the served version, where `other` is to be served; none while somebody reads its views,
    /// or its checkpoint is not free.
    pub(super) async fn served(
        pool: &PgPool,
        served: Version,
        other: Version,
        hears: Hears<'_>,
    ) -> Result<Option<Self>, sqlx::Error> {
        let mut transaction = pool.begin().await?;
        sqlx::query!("SET LOCAL lock_timeout = '200ms'")
            .execute(&mut *transaction)
            .await?;
        let model = served.model.as_str();
        let closed = sqlx::query!("SELECT read.close_views($1)", model)
            .execute(&mut *transaction)
            .await;
        if free(closed)?.is_none() {
            transaction.rollback().await?;
            let mut connection = pool.acquire().await?;
            if let Some(analyst) = analysts::reading(&mut connection).await? {
                let (version, reader) = (other, Reading::from(analyst));
                hears(Told::ServesAfter { version, reader });
            }
            return Ok(None);
        }
        let held = checkpoint::hold(&mut transaction, &served.to_string()).await;
        Ok(free(held)?.map(|served| Self {
            transaction,
            served: served.unwrap_or_default(),
        }))
    }

    /// Holds the other version too; none while it is not free, or has not come as far.
    pub(super) async fn other(&mut self, other: Version) -> Result<Option<Reached>, sqlx::Error> {
        let held = checkpoint::hold(&mut self.transaction, &other.to_string()).await;
        let held = free(held)?.flatten();
        Ok(held.filter(|it| it.checkpoint.position >= self.served.checkpoint.position))
    }

    /// Serves the other version, in this transaction.
    pub(super) async fn serve(
        &mut self,
        served: Version,
        other: Version,
        keep: bool,
    ) -> Result<bool, sqlx::Error> {
        let served = sqlx::query!(
            "SELECT read.serve($1, $2, $3, $4)",
            other.model.as_str(),
            served.version,
            other.version,
            keep,
        )
        .execute(&mut *self.transaction)
        .await;
        Ok(free(served)?.is_some())
    }
}

/// What was had, or none where a lock was not had in time.
pub(super) fn free<T>(had: Result<T, sqlx::Error>) -> Result<Option<T>, sqlx::Error> {
    match had {
        Ok(had) => Ok(Some(had)),
        Err(error) if matches!(classify(&error), SqlFailure::GaveUp | SqlFailure::Retryable) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Waits before the next try.
pub(super) async fn pause_before(tried: u32) -> Result<(), RebuildError> {
    if tried >= TRIES {
        return Err(RebuildError::Busy { tries: TRIES });
    }
    tokio::time::sleep(PAUSE).await;
    Ok(())
}
