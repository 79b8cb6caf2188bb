//! Takes facts in: ledger rows and account events in one transaction.

mod preview;
mod take_in;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use bonus_domain::{Beneficiary, Conflict, Corrupt, Fact, PointsOverflow, Policy};
use event_store::failure::{SqlFailure, classify};
use event_store::{Append, AppendError, append};
use kernel::{Clock, EventId, IdSource};
use sqlx::{PgConnection, PgPool};
use tracing::{debug, instrument};
use uuid::Uuid;

use crate::accounts::AtVersion;
use crate::known_facts::{self, Known};
use crate::moving::own_policy;
use crate::policy_in_force::{PolicyInForceError, policy_in_force};
use crate::{accounts, ledger};
pub use preview::Change;
use take_in::{Intake, NotTaken};

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

/// What is done with a fact whose account is not of the policy in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictMode {
    /// It is kept, and waits for the recompute of the account.
    Ingest,
    /// It is refused.
    Refuse,
}

/// Why the rules refuse a fact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Its account has to be recomputed first.
    #[error("the account has to be recomputed first")]
    Conflict(#[source] Conflict),
    /// The total would be too large.
    #[error("the account's points cannot be counted")]
    Overflow(#[source] PointsOverflow),
}

/// What became of the facts of a batch, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ingested {
    /// Facts that moved an account's points.
    pub awarded: usize,
    /// Facts that were kept, and moved nothing.
    pub kept: usize,
    /// Facts that wait for the recompute of their account.
    pub deferred: usize,
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
    /// The head of an account was not locked, so that nothing can be decided on it.
    #[error("the head of {beneficiary} was not locked")]
    NotLocked {
        /// Whose account it is.
        beneficiary: Beneficiary,
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
            | Self::NotLocked { .. }
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
    mode: ConflictMode,
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
    pub fn new(
        pool: PgPool,
        mode: ConflictMode,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Self {
        Self {
            pool,
            mode,
            clock,
            ids,
        }
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
        let active = policy_in_force(transaction).await?.policy;
        let heads = accounts::lock(transaction, &beneficiaries(deliveries), active).await?;
        let known = known(transaction, &heads, deliveries, active).await?;
        let ids: Vec<EventId> = deliveries
            .iter()
            .map(|it| it.fact.source_event_id)
            .collect();
        let told = ledger::kept(transaction, &ids).await?;
        let told: BTreeSet<EventId> = told.into_iter().collect();

        let mut intake = Intake::new(active, self.mode, self.clock.now(), heads, known, told);
        for delivery in deliveries {
            while let Err(not_taken) = intake.take_in(delivery, self.ids.as_ref()) {
                let (policy, more) = match not_taken {
                    NotTaken::Refused(error) => return Err(error),
                    NotTaken::More { policy, more } => (policy, more),
                };
                let beneficiary = delivery.fact.beneficiary;
                if let Some(known) = intake.known(beneficiary) {
                    known_facts::reach_back(transaction, beneficiary, policy, known, more).await?;
                }
            }
        }

        ledger::insert(transaction, &intake.rows).await?;
        let ingested = intake.ingested;
        let (heads, streams) = intake.into_moved();
        accounts::store(transaction, &heads).await?;
        if !streams.is_empty() {
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

/// What the facts are taken in on: the newest facts of their accounts, and those of their orders.
async fn known(
    transaction: &mut PgConnection,
    heads: &BTreeMap<Beneficiary, AtVersion>,
    deliveries: &[Delivery],
    active: &Policy,
) -> Result<Known, sqlx::Error> {
    let mut accounts: BTreeMap<Beneficiary, &Policy> = BTreeMap::new();
    for (beneficiary, at) in heads {
        // Of one whose policy this release does not know no flip can be told: its facts are deferred.
        if let Ok(own) = own_policy(&at.head) {
            accounts.insert(*beneficiary, own);
        }
    }
    let mut known = known_facts::newest(transaction, &accounts).await?;
    // Whose account is of another policy is awarded nothing: of that order nobody asks.
    let facts = deliveries.iter().map(|delivery| &delivery.fact);
    let awarded = facts.filter(|fact| {
        let at = heads.get(&fact.beneficiary);
        at.is_some_and(|at| at.head.conflict(active).is_none())
    });
    let orders = awarded.filter_map(|fact| Some((fact.beneficiary, fact.order_id?)));
    known_facts::of_orders(transaction, &mut known, &orders.collect()).await?;
    Ok(known)
}
