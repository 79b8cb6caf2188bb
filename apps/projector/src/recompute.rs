//! The role that computes accounts anew which are not of the policy in force.

use std::sync::Arc;
use std::time::Duration;

use bonus_store::instruments::{RECOMPUTE_STUCK, RECOMPUTED_ACCOUNTS};
use bonus_store::{Recompute, RecomputeError, Recomputed, Step};
use event_store::Lease;
use kernel::{RandomIds, SystemClock};
use sqlx::PgPool;
use tracing::{info, warn};

use crate::alone::{Alone, Work};
use crate::config::ProjectorConfig;
use crate::passed_over::Aside;
use crate::readers::Readers;

/// How often the queue is looked at while it is empty.
const TICK: Duration = Duration::from_secs(1);
/// How many accounts are computed in one transaction: consumers wait for them that long.
pub(crate) const AT_ONCE: i64 = 1_000;

/// What is left of the queue, until it is empty.
pub(crate) struct Recomputing {
    recompute: Recompute,
    /// What was done since it was empty.
    done: Recomputed,
    /// Whether anybody was recomputed since.
    got_on: bool,
    /// Whom it could not recompute.
    aside: Aside,
}

/// The role, under its lease.
pub(crate) fn role(
    config: &ProjectorConfig,
    pool: &PgPool,
    readers: &Readers,
) -> Alone<Recomputing> {
    let recompute = Recompute::new(pool.clone(), Arc::new(SystemClock), Arc::new(RandomIds));
    Alone {
        pool: pool.clone(),
        lease: Lease::of(Lease::RECOMPUTE, &readers.owner, config.lease),
        shares: readers.shares.clone(),
        work: Recomputing {
            recompute,
            done: Recomputed::default(),
            got_on: false,
            aside: Aside::none(),
        },
    }
}

impl Work for Recomputing {
    type Error = RecomputeError;

    async fn turn(&mut self) -> Result<Duration, RecomputeError> {
        let passed_over = self.aside.accounts();
        let Step { done, stuck, .. } = self.recompute.step(AT_ONCE, passed_over).await?;
        RECOMPUTED_ACCOUNTS
            .of([])
            .increment(done.seen - stuck.len() as u64);
        let got_on = done.seen > 0;
        self.got_on |= done.seen > stuck.len() as u64;
        for (beneficiary, why) in self.aside.add(stuck) {
            warn!(%beneficiary, error = why, "recompute.stuck");
        }
        self.done.add(done);
        if got_on {
            return Ok(Duration::ZERO);
        }
        RECOMPUTE_STUCK
            .of([])
            .set(self.aside.accounts().len() as f64);
        self.aside.rest();
        if std::mem::take(&mut self.got_on) {
            let Recomputed {
                seen,
                changed,
                opened,
                grades_up,
                grades_down,
                vip_gained,
                vip_lost,
                points_gained,
                points_lost,
            } = self.done;
            info!(
                seen,
                changed,
                opened,
                grades_up,
                grades_down,
                vip_gained,
                vip_lost,
                points_gained,
                points_lost,
                "recompute.done"
            );
        }
        self.done = Recomputed::default();
        Ok(TICK)
    }
}
