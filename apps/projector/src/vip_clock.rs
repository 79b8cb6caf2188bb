//! The role that lets VIP come and go when nothing else happens.

use std::sync::Arc;
use std::time::Duration;

use bonus_store::instruments::{VIP_CLOCK_FACTS, VIP_DELAY_SECONDS};
use bonus_store::{Turned, VipClock, VipClockError};
use event_store::Lease;
use kernel::{RandomIds, SystemClock};
use sqlx::PgPool;
use tracing::warn;

use crate::alone::{Alone, Work};
use crate::config::ProjectorConfig;
use crate::passed_over::Aside;
use crate::readers::Readers;

/// How often it is looked what is due. VIP is up to date within two seconds.
const TICK: Duration = Duration::from_millis(500);

/// The clock, and whom it could not settle.
pub(crate) struct Ticking {
    clock: VipClock,
    aside: Aside,
}

/// The role, under its lease.
pub(crate) fn role(config: &ProjectorConfig, pool: &PgPool, readers: &Readers) -> Alone<Ticking> {
    let clock = VipClock::new(pool.clone(), Arc::new(SystemClock), Arc::new(RandomIds));
    Alone {
        pool: pool.clone(),
        lease: Lease::of(Lease::VIP_CLOCK, &readers.owner, config.lease),
        shares: readers.shares.clone(),
        work: Ticking {
            clock,
            aside: Aside::none(),
        },
    }
}

impl Work for Ticking {
    type Error = VipClockError;

    async fn turn(&mut self) -> Result<Duration, VipClockError> {
        let turned = self.clock.turn(self.aside.accounts()).await;
        // Most of all where it fails.
        VIP_DELAY_SECONDS.of([]).set(self.clock.overdue().await?);
        let Turned { seen, told, stuck } = turned?;
        VIP_CLOCK_FACTS.of([]).increment(told as u64);
        for (beneficiary, why) in self.aside.add(stuck) {
            warn!(%beneficiary, error = why, "vip_clock.stuck");
        }
        if seen > 0 {
            return Ok(Duration::ZERO);
        }
        self.aside.rest();
        Ok(TICK)
    }
}
