//! Takes facts in: ledger rows and account events in one transaction.

mod preview;
mod take_in;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bonus_domain::{Beneficiary, Corrupt, Fact, Rejection};
use event_store::failure::{SqlFailure, classify};
use event_store::{Append, AppendError, append};
use kernel::{Clock, EventId, IdSource};
use sqlx::{PgConnection, PgPool};
use tracing::{debug, instrument};
use uuid::Uuid;

use crate::policy_in_force::{PolicyInForceError, policy_in_force};
use crate::{accounts, ledger};
pub use preview::Change;
use take_in::Intake;

/// How often a transaction that lost a race is tried. The locks leave no race but with a release
/// that takes them otherwise.
const ATTEMPTS: u32 = 5;

/// A fact as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The fact, of a type that [`bonus_domain::Policies::keep`] says to keep.
    pub fact: Fact,
    /// Ties what follows to the request that the fact came from.
    pub correlation_id: Uuid,
    /// W3C trace context in which it was told.
    pub traceparent: Option<String>,
}

/// What became of the facts of a batch, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ingested {
    /// Facts that moved an account's points.
    pub awarded: usize,
    /// Facts that were kept, and moved nothing.
    pub kept: usize,
    /// Facts that were known already.
    pub repeated: usize,
}

/// Why a batch was not taken in. Nothing of it was, except where the connection broke during the
/// commit; the same batch again is always right.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// No award can be made under the policy in force.
    #[error("there is no policy to award points under")]
    Policy(#[from] PolicyInForceError),
    /// The rules refuse a fact.
    #[error("event {source_event_id} was refused by the account of {beneficiary}")]
    Rejected {
        /// The event that the fact was told by.
        source_event_id: EventId,
        /// Whose account refused it.
        beneficiary: Beneficiary,
        /// Why.
        source: Rejection,
    },
    /// The head of an account contradicts what follows from it.
    #[error("the account of {beneficiary} is corrupt")]
    Corrupt {
        /// Whose account it is.
        beneficiary: Beneficiary,
        /// How.
        source: Corrupt,
    },
    /// The account events were not appended.
    #[error("the account events could not be appended")]
    Append(#[from] AppendError),
    /// The database failed.
    #[error("the bonus tables could not be read or written")]
    Database(#[from] sqlx::Error),
}

impl IngestError {
    /// Whether the same again may pass at once: another transaction was in the way, or a migration
    /// has outdated a plan.
    fn lost_a_race(&self) -> bool {
        let error = match self {
            Self::Append(AppendError::Conflict) => return true,
            Self::Append(AppendError::Database(error))
            | Self::Policy(PolicyInForceError::Database(error))
            | Self::Database(error) => error,
            Self::Policy(PolicyInForceError::Unknown { .. } | PolicyInForceError::None)
            | Self::Rejected { .. }
            | Self::Corrupt { .. } => return false,
        };
        match classify(error) {
            SqlFailure::VersionConflict
            | SqlFailure::Duplicate
            | SqlFailure::Retryable
            | SqlFailure::StalePlan => true,
            SqlFailure::RefusedRow
            | SqlFailure::Unreachable
            | SqlFailure::GaveUp
            | SqlFailure::Other => false,
        }
    }
}

/// The one way into the ledger and the accounts.
#[derive(Clone)]
pub struct Ingest {
    pool: PgPool,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

impl fmt::Debug for Ingest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ingest").finish_non_exhaustive()
    }
}

impl Ingest {
    /// Takes facts in through `pool`, whose connections are bounded as appenders are.
    #[must_use]
    pub fn new(pool: PgPool, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self { pool, clock, ids }
    }

    /// Takes a batch in, whole or not at all. Facts that are known already are passed over, so the
    /// same batch may come again, in any order and any other cut; also after the future was
    /// dropped, when nobody can say whether it was taken in.
    ///
    /// # Errors
    /// See [`IngestError`].
    #[instrument(name = "bonus.ingest", skip_all, fields(facts = deliveries.len()))]
    pub async fn run(&self, deliveries: &[Delivery]) -> Result<Ingested, IngestError> {
        let mut attempt = 1;
        loop {
            match self.attempt(deliveries).await {
                Err(error) if attempt < ATTEMPTS && error.lost_a_race() => {
                    debug!(attempt, %error, "bonus.ingest_again");
                    attempt += 1;
                }
                done => return done,
            }
        }
    }

    async fn attempt(&self, deliveries: &[Delivery]) -> Result<Ingested, IngestError> {
        if deliveries.is_empty() {
            return Ok(Ingested::default());
        }
        let mut transaction = self.pool.begin().await?;
        let ingested = self.take_in(&mut transaction, deliveries).await?;
        transaction.commit().await?;
        Ok(ingested)
    }

    /// Takes a batch in, in the caller's transaction, as its last statements.
    async fn take_in(
        &self,
        transaction: &mut PgConnection,
        deliveries: &[Delivery],
    ) -> Result<Ingested, IngestError> {
        let facts = deliveries.iter().map(|delivery| &delivery.fact);
        let beneficiaries = beneficiaries(deliveries);
        let policy = policy_in_force(transaction).await?;
        let heads = accounts::lock(transaction, &beneficiaries).await?;
        let known = ledger::known(transaction, &heads, facts).await?;

        let mut intake = Intake::new(policy, self.clock.now(), heads, known);
        for delivery in deliveries {
            intake.take_in(delivery, self.ids.as_ref())?;
        }

        ledger::insert(transaction, &intake.rows).await?;
        let ingested = intake.ingested;
        let (heads, streams) = intake.into_moved();
        if !streams.is_empty() {
            accounts::store(transaction, &heads).await?;
            // Last: from here on the readers of the feed wait for the commit.
            let request = Append {
                streams,
                claim: None,
            };
            append(transaction, &request).await?;
        }
        Ok(ingested)
    }

    /// What taking a batch in would change: it is taken in, and rolled back. The readers of the feed
    /// wait meanwhile, so that it should be no more than a batch.
    ///
    /// # Errors
    /// See [`IngestError`].
    pub async fn preview(&self, deliveries: &[Delivery]) -> Result<Vec<Change>, IngestError> {
        let mut transaction = self.pool.begin().await?;
        let before = preview::rows(&mut transaction, deliveries).await?;
        self.take_in(&mut transaction, deliveries).await?;
        let after = preview::rows(&mut transaction, deliveries).await?;
        transaction.rollback().await?;
        Ok(preview::changes(before, after))
    }
}

fn beneficiaries(deliveries: &[Delivery]) -> BTreeSet<Beneficiary> {
    let facts = deliveries.iter().map(|delivery| &delivery.fact);
    facts.map(|fact| fact.beneficiary).collect()
}
