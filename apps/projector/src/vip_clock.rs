//! The role that lets VIP come and go when nothing else happens.

use std::sync::Arc;
use std::time::Duration;

use bonus_store::{Turned, VipClock, VipClockError};
use event_store::Lease;
use kernel::{RandomIds, SystemClock};
use sqlx::PgPool;

use crate::alone::{Alone, Work};
use crate::config::ProjectorConfig;
use crate::readers::Readers;

/// How often it is looked what is due. VIP is up to date within two seconds.
const TICK: Duration = Duration::from_millis(500);

/// The role, under its lease.
pub(crate) fn role(config: &ProjectorConfig, pool: &PgPool, readers: &Readers) -> Alone<VipClock> {
    Alone {
        pool: pool.clone(),
        lease: Lease::of(Lease::VIP_CLOCK, &readers.owner, config.lease),
        shares: readers.shares.clone(),
        work: VipClock::new(pool.clone(), Arc::new(SystemClock), Arc::new(RandomIds)),
    }
}

impl Work for VipClock {
    type Error = VipClockError;

    async fn turn(&mut self) -> Result<Duration, VipClockError> {
        let Turned { told, more, .. } = VipClock::turn(self).await?;
        metrics::counter!("atlas_vip_clock_facts_total").increment(told as u64);
        Ok(if more { Duration::ZERO } else { TICK })
    }
}
