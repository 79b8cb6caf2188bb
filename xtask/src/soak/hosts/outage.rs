//! A host with one of each application and a third of Kafka is cut off from the network, and comes
//! back: whoever is left goes on.

use std::time::{Duration, Instant};

use super::load::Load;
use super::system::System;
use super::{pass, until};
use crate::demo::say;
use crate::failure::Failure;
use crate::interrupt::Interrupt;

/// Longer than a lease and a member of a consumer group are kept for.
const CUT_OFF_FOR: Duration = Duration::from_secs(20);
const REJOINED_WITHIN: Duration = Duration::from_secs(90);
const AFTERWARDS: usize = 50;

/// Cuts it off, and prints what was acknowledged meanwhile, and when it was back.
pub(super) fn tell(system: &mut System, load: &Load, interrupt: &Interrupt) -> Result<(), Failure> {
    let cut = Instant::now();
    system.first_host()?.cut_off()?;
    load.wait_for_more(AFTERWARDS, interrupt)?;
    pass(CUT_OFF_FOR.saturating_sub(cut.elapsed()), interrupt)?;
    let joined = Instant::now();
    system.first_host()?.join()?;
    say(&format!(
        "while it was away: {}",
        load.journal().line(cut, joined)
    ))?;
    let ready = system.wait_until_ready(interrupt)?;
    let whole = until("Kafka is whole", REJOINED_WITHIN, interrupt, || {
        Ok(system.kafka.is_whole())
    })?;
    load.wait_for_more(AFTERWARDS, interrupt)?;
    say(&format!(
        "back again: every process ready {:.1} s after the cable was plugged in, every Kafka node \
         known to all {:.1} s later; since then {}",
        ready.as_secs_f64(),
        whole.as_secs_f64(),
        load.journal().line(joined, Instant::now()),
    ))
}
