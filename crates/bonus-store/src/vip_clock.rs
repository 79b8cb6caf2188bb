//! The VIP clock: lets VIP come and go when nothing else happens.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bonus_domain::{Beneficiary, Undecided, settle};
use chrono::{DateTime, Utc};
use event_store::{Append, AppendError, append};
use kernel::{Clock, IdSource};
use sqlx::{PgConnection, PgPool};
use tracing::instrument;

use crate::accounts::{self, AtVersion, HeadRecord, columns};
use crate::known_facts;
use crate::moving::{Moving, into_moved, own_policy};
use crate::stuck::{Halves, PassedOver, Stuck, blame_append, blame_database, keys};

/// How many accounts are settled in one transaction.
const AT_ONCE: i64 = 500;

/// Why the clock did not go on. Nothing was done, except where the connection broke during the
/// commit; again is always right.
#[derive(Debug, thiserror::Error)]
pub enum VipClockError {
    /// The account events were not appended.
    #[error("the account events could not be appended")]
    Append(#[from] AppendError),
    /// The database failed.
    #[error("the accounts could not be read or written")]
    Database(#[from] sqlx::Error),
}

impl VipClockError {
    /// The failure as what one account has brought about.
    ///
    /// # Errors
    /// The same, where no account can be at fault.
    fn blame(self) -> Result<Stuck, Self> {
        match self {
            Self::Append(error) => Ok(blame_append(error)?),
            Self::Database(error) => Ok(blame_database(error)?),
        }
    }
}

/// What a turn of the clock has done.
#[derive(Debug, Default)]
pub struct Turned {
    /// Accounts that were looked at. Where there are any, there may be more that are due.
    pub seen: usize,
    /// Facts that were told of them.
    pub told: usize,
    /// Accounts that could not be settled, to be passed over by the next turn; the others were.
    pub stuck: Vec<(Beneficiary, Stuck)>,
}

impl Turned {
    fn add(&mut self, other: Self) {
        self.seen += other.seen;
        self.told += other.told;
        self.stuck.extend(other.stuck);
    }
}

/// Lets VIP come and go. Any number of processes may do so at once; one suffices.
#[derive(Clone)]
pub struct VipClock {
    pool: PgPool,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

impl fmt::Debug for VipClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VipClock").finish_non_exhaustive()
    }
}

impl VipClock {
    /// One over the accounts of `pool`.
    #[must_use]
    pub fn new(pool: PgPool, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self { pool, clock, ids }
    }

    /// Settles the accounts that are due longest, each at its own instants, and none of those that
    /// were passed over.
    ///
    /// # Errors
    /// See [`VipClockError`]. What one account has brought about is none of them: it is stuck, and the
    /// others are settled.
    #[instrument(name = "bonus.vip_clock", level = "debug", skip_all)]
    pub async fn turn(&self, passed_over: &PassedOver) -> Result<Turned, VipClockError> {
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        let mut heads = without_vip(&mut transaction, passed_over).await?;
        heads.extend(due(&mut transaction, now, passed_over).await?);
        if heads.is_empty() {
            transaction.rollback().await?;
            return Ok(Turned::default());
        }
        let all = heads.keys().copied().collect();
        match self.settle(transaction, heads, now).await {
            Err(error) => self.in_halves(all, error, now).await,
            done => done,
        }
    }

    /// Settles a batch that failed, by halves, so that whoever is at fault is alone in the end.
    async fn in_halves(
        &self,
        batch: Vec<Beneficiary>,
        error: VipClockError,
        now: DateTime<Utc>,
    ) -> Result<Turned, VipClockError> {
        let (mut turned, mut halves) = (Turned::default(), Halves::default());
        let (mut failed, mut error) = (batch, error);
        loop {
            match error.blame() {
                Ok(why) => {
                    if let Some(alone) = halves.failed(failed) {
                        turned.seen += 1;
                        turned.stuck.push((alone, why));
                    }
                }
                // What was done is told; the failure comes again, if it lasts.
                Err(_) if turned.seen > 0 => return Ok(turned),
                Err(error) => return Err(error),
            }
            loop {
                let Some(part) = halves.next() else {
                    return Ok(turned);
                };
                match self.all_of(&part, now).await {
                    Ok(done) => turned.add(done),
                    Err(why) => {
                        (failed, error) = (part, why);
                        break;
                    }
                }
            }
        }
    }

    async fn all_of(
        &self,
        beneficiaries: &[Beneficiary],
        now: DateTime<Utc>,
    ) -> Result<Turned, VipClockError> {
        let (roles, ids) = columns(beneficiaries.iter());
        let mut transaction = self.pool.begin().await?;
        let rows = sqlx::query_file_as!(
            HeadRecord,
            "queries/lock_heads.sql",
            &roles as &[&str],
            &ids,
        )
        .fetch_all(&mut *transaction)
        .await?;
        self.settle(transaction, accounts::read(rows)?, now).await
    }

    /// For how long the account has been due that is due longest.
    ///
    /// # Errors
    /// What the database said.
    pub async fn overdue(&self) -> Result<Duration, sqlx::Error> {
        let seconds = sqlx::query_scalar!(
            r#"
            SELECT extract(epoch FROM clock_timestamp() - vip_changes_at)::double precision
                       AS "overdue!"
            FROM bonus.accounts
            WHERE vip_changes_at <= clock_timestamp()
            ORDER BY vip_changes_at
            LIMIT 1
            "#
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(Duration::try_from_secs_f64(seconds.unwrap_or_default()).unwrap_or_default())
    }

    async fn settle(
        &self,
        mut transaction: sqlx::Transaction<'_, sqlx::Postgres>,
        heads: BTreeMap<Beneficiary, AtVersion>,
        now: DateTime<Utc>,
    ) -> Result<Turned, VipClockError> {
        let mut turned = Turned {
            seen: heads.len(),
            ..Turned::default()
        };
        let mut policies = BTreeMap::new();
        for (beneficiary, at) in &heads {
            match own_policy(&at.head) {
                Ok(own) => {
                    policies.insert(*beneficiary, own);
                }
                Err(version) => {
                    let why = Stuck::UnknownPolicy(version);
                    turned.stuck.push((*beneficiary, why));
                }
            }
        }
        let mut known = known_facts::newest(&mut transaction, &policies).await?;
        let mut moving = Vec::with_capacity(heads.len());
        for (beneficiary, at) in heads {
            let Some(policy) = policies.get(&beneficiary).copied() else {
                continue;
            };
            let mut known = known.remove(&beneficiary).unwrap_or_default();
            let settled = loop {
                match settle(at.head, beneficiary, &known, policy, now) {
                    Ok(settled) => break Some(settled),
                    Err(Undecided::More(more)) => {
                        let known = &mut known;
                        known_facts::reach_back(&mut transaction, beneficiary, policy, known, more)
                            .await?;
                    }
                    Err(why) => {
                        turned.stuck.push((beneficiary, why.into()));
                        break None;
                    }
                }
            };
            if let Some(settled) = settled {
                let mut one = Moving::new(at);
                one.take(settled.into_moved(), 0, None, self.ids.as_ref());
                moving.push((beneficiary, one));
            }
        }
        let (heads, streams) = into_moved(moving.into_iter());
        accounts::store(&mut transaction, &heads).await?;
        turned.told = streams.iter().map(|stream| stream.events.len()).sum();
        if !streams.is_empty() {
            // Last: from here on the readers of the feed wait for the commit.
            let request = Append {
                streams,
                claim: None,
            };
            append(&mut transaction, &request).await?;
        }
        transaction.commit().await?;
        Ok(turned)
    }
}

async fn due(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    passed_over: &PassedOver,
) -> Result<BTreeMap<Beneficiary, AtVersion>, sqlx::Error> {
    let (roles, ids) = keys(passed_over);
    let rows = sqlx::query_file_as!(
        HeadRecord,
        "queries/due_heads.sql",
        now,
        AT_ONCE,
        &roles as &[&str],
        &ids,
    )
    .fetch_all(connection)
    .await?;
    accounts::read(rows)
}

async fn without_vip(
    connection: &mut PgConnection,
    passed_over: &PassedOver,
) -> Result<BTreeMap<Beneficiary, AtVersion>, sqlx::Error> {
    let (roles, ids) = keys(passed_over);
    let rows = sqlx::query_file_as!(
        HeadRecord,
        "queries/heads_without_vip.sql",
        AT_ONCE,
        &roles as &[&str],
        &ids,
    )
    .fetch_all(connection)
    .await?;
    accounts::read(rows)
}
