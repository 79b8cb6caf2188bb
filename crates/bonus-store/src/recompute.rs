//! Recomputes accounts that are not of the policy in force, from their whole ledgers.
//!
//! Each account's head is locked while its ledger is read and until its events are appended at its
//! version: ledger and version are of one state, and consumers go on beside it. What was done is
//! done for good, so that it may be stopped or killed anywhere and goes on with what is left.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use bonus_domain::{
    AccountFact, Beneficiary, Fact, Facts, KnownFacts, PolicyVersion, SourceType, settle, unsettled,
};
use chrono::{DateTime, Utc};
use event_store::{Append, AppendError, Version, append};
use futures::TryStreamExt as _;
use kernel::{Clock, EventId, IdSource, OrderId};
use sqlx::{PgConnection, PgPool};
use tracing::instrument;

use crate::accounts::{self, AtVersion, HeadRecord, columns};
use crate::ledger;
use crate::movements::{self, Movement, Recomputed};
use crate::moving::{Moving, into_moved, own_policy};
use crate::policy_in_force::{InForce, PolicyInForceError, policy_in_force};
use crate::stuck::{Halves, PassedOver, Stuck, blame_append, blame_database, keys};

/// Why a step was not taken. Nothing of it was done, except where the connection broke during the
/// commit; again is always right.
#[derive(Debug, thiserror::Error)]
pub enum RecomputeError {
    /// Nothing can be computed under the policy in force.
    #[error("there is no policy to recompute under")]
    Policy(#[from] PolicyInForceError),
    /// The account events were not appended.
    #[error("the account events could not be appended")]
    Append(#[from] AppendError),
    /// The database failed.
    #[error("the accounts could not be read or written")]
    Database(#[from] sqlx::Error),
}

impl RecomputeError {
    /// The failure as what one account has brought about.
    ///
    /// # Errors
    /// The same, where no account can be at fault.
    fn blame(self) -> Result<Stuck, Self> {
        match self {
            Self::Append(error) => Ok(blame_append(error)?),
            Self::Database(error) => Ok(blame_database(error)?),
            Self::Policy(_) => Err(self),
        }
    }
}

/// What a step has done.
#[derive(Debug, Default)]
pub struct Step {
    /// In numbers.
    pub done: Recomputed,
    /// How many events were appended.
    pub events: u64,
    /// Accounts that could not be recomputed, to be passed over by the next step.
    pub stuck: Vec<(Beneficiary, Stuck)>,
}

impl Step {
    fn add(&mut self, other: Self) {
        self.done.add(other.done);
        self.events += other.events;
        self.stuck.extend(other.stuck);
    }
}

/// Recomputes accounts. Any number of processes may do so at once; one suffices.
#[derive(Clone)]
pub struct Recompute {
    pool: PgPool,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

impl fmt::Debug for Recompute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recompute").finish_non_exhaustive()
    }
}

/// An account and its ledger.
struct Whole {
    beneficiary: Beneficiary,
    at: AtVersion,
    facts: Facts,
    /// The facts that the account does not count yet.
    deferred: HashSet<EventId>,
}

/// What a batch comes to.
#[derive(Default)]
struct Outcome {
    moving: Vec<(Beneficiary, Moving)>,
    /// The versions that count what was deferred.
    counted: Vec<(Beneficiary, Version)>,
    movements: Vec<Movement>,
}

impl Recompute {
    /// One over the accounts of `pool`.
    #[must_use]
    pub fn new(pool: PgPool, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self { pool, clock, ids }
    }

    /// Recomputes the next accounts of the queue, at most `most` of them and none of those that were
    /// passed over. Where none is seen, none is left but those, and those that others hold.
    ///
    /// # Errors
    /// See [`RecomputeError`]. What one account has brought about is none of them: it is stuck, and
    /// the others are recomputed.
    #[instrument(name = "bonus.recompute", skip_all)]
    pub async fn step(&self, most: i64, passed_over: &PassedOver) -> Result<Step, RecomputeError> {
        let mut transaction = self.pool.begin().await?;
        let in_force = policy_in_force(&mut transaction).await?;
        let version = in_force.policy.version();
        let heads = queued(&mut transaction, version, most, passed_over).await?;
        let all = heads.keys().copied().collect();
        match self.recompute(transaction, in_force, heads).await {
            Err(error) => self.in_halves(all, error).await,
            done => done,
        }
    }

    /// Recomputes a batch that failed, by halves, so that whoever is at fault is alone in the end.
    async fn in_halves(
        &self,
        batch: Vec<Beneficiary>,
        error: RecomputeError,
    ) -> Result<Step, RecomputeError> {
        let (mut step, mut halves) = (Step::default(), Halves::default());
        let (mut failed, mut error) = (batch, error);
        loop {
            match error.blame() {
                Ok(why) => {
                    if let Some(alone) = halves.failed(failed) {
                        step.done.seen += 1;
                        step.stuck.push((alone, why));
                    }
                }
                // What was done is told; the failure comes again, if it lasts.
                Err(_) if step.done.seen > 0 => return Ok(step),
                Err(error) => return Err(error),
            }
            loop {
                let Some(part) = halves.next() else {
                    return Ok(step);
                };
                match self.all_of(&part).await {
                    Ok(done) => step.add(done),
                    Err(why) => {
                        (failed, error) = (part, why);
                        break;
                    }
                }
            }
        }
    }

    /// Recomputes one account, whether or not it is in the queue. Nothing is seen where there is
    /// no such beneficiary.
    ///
    /// # Errors
    /// See [`RecomputeError`].
    #[instrument(name = "bonus.recompute_one", skip_all)]
    pub async fn one(&self, beneficiary: Beneficiary) -> Result<Step, RecomputeError> {
        self.all_of(&[beneficiary]).await
    }

    async fn all_of(&self, beneficiaries: &[Beneficiary]) -> Result<Step, RecomputeError> {
        let (roles, ids) = columns(beneficiaries.iter());
        let mut transaction = self.pool.begin().await?;
        let in_force = policy_in_force(&mut transaction).await?;
        let rows = sqlx::query_file_as!(
            HeadRecord,
            "queries/lock_heads.sql",
            &roles as &[&str],
            &ids,
        )
        .fetch_all(&mut *transaction)
        .await?;
        let heads = accounts::read(rows)?;
        self.recompute(transaction, in_force, heads).await
    }

    async fn recompute(
        &self,
        mut transaction: sqlx::Transaction<'_, sqlx::Postgres>,
        in_force: InForce,
        heads: BTreeMap<Beneficiary, AtVersion>,
    ) -> Result<Step, RecomputeError> {
        let mut step = Step::default();
        if heads.is_empty() {
            transaction.rollback().await?;
            return Ok(step);
        }
        let now = self.clock.now();
        let mut outcome = Outcome::default();
        for whole in read_whole(&mut transaction, heads).await? {
            step.done.seen += 1;
            if let Err(why) = outcome.recompute(&whole, in_force, now, self.ids.as_ref()) {
                step.stuck.push((whole.beneficiary, why));
            }
        }
        for movement in &outcome.movements {
            step.done.count(movement);
        }
        let (heads, streams) = into_moved(outcome.moving.into_iter());
        accounts::store(&mut transaction, &heads).await?;
        if !outcome.counted.is_empty() {
            ledger::count_deferred(&mut transaction, &outcome.counted).await?;
        }
        movements::insert(&mut transaction, in_force.activation, &outcome.movements).await?;
        if !streams.is_empty() {
            step.events = streams.iter().map(|it| it.events.len() as u64).sum();
            // Last: from here on the readers of the feed wait for the commit.
            let request = Append {
                streams,
                claim: None,
            };
            append(&mut transaction, &request).await?;
        }
        transaction.commit().await?;
        Ok(step)
    }
}

impl Outcome {
    fn recompute(
        &mut self,
        whole: &Whole,
        in_force: InForce,
        now: DateTime<Utc>,
        ids: &dyn IdSource,
    ) -> Result<(), Stuck> {
        let Whole {
            beneficiary, at, ..
        } = *whole;
        // Where VIP never changes it is not looked at.
        let counted = match at.head.next_vip_change() {
            Some(_) => KnownFacts::all(whole.counted()),
            None => KnownFacts::default(),
        };
        let settled = match own_policy(&at.head) {
            Ok(own) => settle(at.head, beneficiary, &counted, own, now)?,
            // What fell due under it nobody here can say; the net change is told all the same.
            Err(_) => unsettled(at.head, beneficiary, now),
        };
        let from = settled.head().account();
        let moved = settled.recompute(&whole.facts, in_force.policy)?;
        let to = moved.head.account();
        let recomputed = moved
            .events
            .iter()
            .position(|event| matches!(event.fact, AccountFact::PolicyRecomputed { .. }));

        let mut moving = Moving::new(at);
        let version = moving.version_after(recomputed.map_or(moved.events.len(), |it| it + 1));
        if recomputed.is_some() {
            self.movements.push(Movement {
                beneficiary,
                version,
                from,
                to,
                at: now,
            });
        }
        if !whole.deferred.is_empty() {
            self.counted.push((beneficiary, version));
        }
        moving.take(moved, 0, None, ids);
        self.moving.push((beneficiary, moving));
        Ok(())
    }
}

impl Whole {
    /// The facts that the account counts.
    fn counted(&self) -> Facts {
        let counted = self.facts.iter();
        counted
            .filter(|fact| !self.deferred.contains(&fact.source_event_id))
            .copied()
            .collect()
    }
}

/// The next of those that are to be recomputed, locked.
async fn queued(
    connection: &mut PgConnection,
    active: PolicyVersion,
    most: i64,
    passed_over: &PassedOver,
) -> Result<BTreeMap<Beneficiary, AtVersion>, sqlx::Error> {
    let active = i32::from(active);
    let (roles, ids) = keys(passed_over);
    for (from, to) in [(1, active - 1), (active + 1, i32::MAX)] {
        let rows = sqlx::query_file_as!(
            HeadRecord,
            "queries/heads_of_policies.sql",
            from,
            to,
            most,
            &roles as &[&str],
            &ids,
        )
        .fetch_all(&mut *connection)
        .await?;
        if !rows.is_empty() {
            return accounts::read(rows);
        }
    }
    let rows = sqlx::query_file_as!(
        HeadRecord,
        "queries/heads_with_deferred.sql",
        most,
        &roles as &[&str],
        &ids,
    )
    .fetch_all(connection)
    .await?;
    accounts::read(rows)
}

/// Reads the whole ledgers of accounts that are locked.
async fn read_whole(
    connection: &mut PgConnection,
    heads: BTreeMap<Beneficiary, AtVersion>,
) -> Result<Vec<Whole>, sqlx::Error> {
    let (roles, ids) = columns(heads.keys());
    let mut whole: Vec<Whole> = heads
        .into_iter()
        .map(|(beneficiary, at)| Whole {
            beneficiary,
            at,
            facts: Facts::default(),
            deferred: HashSet::new(),
        })
        .collect();
    let mut rows =
        sqlx::query_file!("queries/whole_ledgers.sql", &roles as &[&str], &ids).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let place = usize::try_from(row.place - 1).ok();
        let Some(account) = place.and_then(|place| whole.get_mut(place)) else {
            return Err(sqlx::Error::Decode(
                "a row of no account that was asked for".into(),
            ));
        };
        let source_event_id = EventId::from_uuid(row.source_event_id);
        if row.is_deferred {
            account.deferred.insert(source_event_id);
        }
        // Of a type that only another release knows: it is worth nothing here.
        if let Some(source_type) = SourceType::known(&row.event_type) {
            account.facts.push_next(Fact {
                source_event_id,
                source_type,
                beneficiary: account.beneficiary,
                order_id: row.order_id.map(OrderId::from_uuid),
                by_dispute: row.by_dispute,
                occurred_at: row.occurred_at,
            });
        }
    }
    Ok(whole)
}
