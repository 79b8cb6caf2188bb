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

use crate::accounts::{self, AtVersion, HeadRecord};
use crate::known_facts;
use crate::moving::{Moving, into_moved, own_policy};
use crate::recompute::Stuck;

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

/// What a turn of the clock has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Turned {
    /// Accounts that were looked at.
    pub seen: usize,
    /// Facts that were told of them.
    pub told: usize,
    /// Accounts that could not be settled; the others were.
    pub stuck: Vec<(Beneficiary, Stuck)>,
    /// Whether there may be more that are due.
    pub more: bool,
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

    /// Settles the accounts that are due longest, each at its own instants.
    ///
    /// # Errors
    /// See [`VipClockError`].
    #[instrument(name = "bonus.vip_clock", level = "debug", skip_all)]
    pub async fn turn(&self) -> Result<Turned, VipClockError> {
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        let mut heads = without_vip(&mut transaction).await?;
        heads.extend(due(&mut transaction, now).await?);
        if heads.is_empty() {
            transaction.rollback().await?;
            return Ok(Turned::default());
        }
        let turned = self.settle(&mut transaction, heads, now).await?;
        transaction.commit().await?;
        Ok(turned)
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
        transaction: &mut PgConnection,
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
        let mut known = known_facts::newest(transaction, &policies).await?;
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
                        known_facts::reach_back(transaction, beneficiary, policy, &mut known, more)
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
        turned.more = !moving.is_empty();
        let (heads, streams) = into_moved(moving.into_iter());
        accounts::store(transaction, &heads).await?;
        turned.told = streams.iter().map(|stream| stream.events.len()).sum();
        if !streams.is_empty() {
            // Last: from here on the readers of the feed wait for the commit.
            let request = Append {
                streams,
                claim: None,
            };
            append(transaction, &request).await?;
        }
        Ok(turned)
    }
}

async fn due(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<BTreeMap<Beneficiary, AtVersion>, sqlx::Error> {
    let rows = sqlx::query_file_as!(HeadRecord, "queries/due_heads.sql", now, AT_ONCE)
        .fetch_all(connection)
        .await?;
    accounts::read(rows)
}

async fn without_vip(
    connection: &mut PgConnection,
) -> Result<BTreeMap<Beneficiary, AtVersion>, sqlx::Error> {
    let rows = sqlx::query_file_as!(HeadRecord, "queries/heads_without_vip.sql", AT_ONCE)
        .fetch_all(connection)
        .await?;
    accounts::read(rows)
}
