//! The old primary's host returns: it follows the new one, and analysts read from it.

use std::time::{Duration, Instant};

use dev_servers::FailoverNode;

use super::load::Load;
use super::system::System;
use super::{promise, until};
use crate::database;
use crate::demo::say;
use crate::failure::Failure;
use crate::interrupt::Interrupt;

const ANALYST: &str = "atlas_analyst";
/// Rewinding, and as much as was written meanwhile.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(120);
const SEEN_WITHIN: Duration = Duration::from_secs(30);

/// Starts it, and prints how long it took, and what an analyst is served there.
pub(super) fn tell(system: &mut System, load: &Load, interrupt: &Interrupt) -> Result<(), Failure> {
    let began = Instant::now();
    system.postgres.switch_on(FailoverNode::First)?;
    let follows = until("it follows", FOLLOWS_WITHIN, interrupt, || {
        let [first, second] = system.postgres.states()?;
        Ok(first.is("secondary") && second.is("primary"))
    })?;
    let silence = load.journal().longest_silence(began, Instant::now());
    let orders = load.journal().versions().len();
    let ask = |sql: &str| {
        system
            .postgres
            .ask_standby(ANALYST, database::NAME, sql)
            .map_err(Failure::from)
    };
    let seen = until("analysts see the orders", SEEN_WITHIN, interrupt, || {
        let count = ask("SELECT count(*) FROM analytics.orders")?;
        Ok(count.parse().is_ok_and(|count: usize| count >= orders))
    })?;
    promise(
        "analysts are served by a standby",
        ask("SELECT pg_is_in_recovery()")? == "t",
    )?;
    say(&format!(
        "it was the synchronous standby after {:.1} s, while the longest silence was {:.1} s; an \
         analyst reads there, and saw all {orders} orders of that moment after {:.1} s",
        follows.as_secs_f64(),
        silence.as_secs_f64(),
        seen.as_secs_f64(),
    ))
}
