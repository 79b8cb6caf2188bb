//! The primary's host loses its power: the standby is promoted, everybody follows by themselves, and
//! the checkpoints hold in the new generation.

use std::time::{Duration, Instant};

use dev_servers::FailoverNode;

use super::load::Load;
use super::system::System;
use super::{promise, until};
use crate::database;
use crate::demo::say;
use crate::failure::Failure;
use crate::interrupt::Interrupt;

/// Detection, the time that a cut-off primary is given, promotion, and a busy machine.
const PROMOTED_WITHIN: Duration = Duration::from_secs(90);
/// Commands that have to be acknowledged before it counts as over.
const AFTERWARDS: usize = 50;

/// Kills it, and prints how long nothing was written and when who was back.
pub(super) fn tell(system: &mut System, load: &Load, interrupt: &Interrupt) -> Result<(), Failure> {
    let earlier = generations(system)?;
    let killed = Instant::now();
    system.postgres.switch_off(FailoverNode::First)?;
    until(
        "the standby is promoted",
        PROMOTED_WITHIN,
        interrupt,
        || {
            let [_, second] = system.postgres.states()?;
            Ok(["wait_primary", "primary"].contains(&second.reported.as_str()))
        },
    )?;
    let promoted = killed.elapsed();
    load.wait_for_more(AFTERWARDS, interrupt)?;
    let silence = load.journal().longest_silence(killed, Instant::now());
    system.wait_until_ready(interrupt)?;
    let ready = killed.elapsed();
    let taken_over = wait_for_checkpoints(system, killed, interrupt)?;
    let now = generations(system)?;
    say(&format!(
        "the standby was the primary after {:.1} s; nothing was written for {:.1} s; every process \
         was seen ready after {:.1} s\n\
         generation of the store: {earlier}, then {now}; every checkpoint was taken over, the \
         last after {:.1} s",
        promoted.as_secs_f64(),
        silence.as_secs_f64(),
        ready.as_secs_f64(),
        taken_over.as_secs_f64(),
    ))?;
    promise(
        "a promotion begins the next generation, once",
        now == earlier + 1,
    )
}

fn generations(system: &System) -> Result<i64, Failure> {
    let sql = "SELECT max(number) FROM store.generation";
    let count = system.postgres.ask(database::NAME, sql)?;
    count
        .parse()
        .map_err(|_| Failure::NotAsPromised(format!("{sql} was answered {count}")))
}

/// A checkpoint that did not match the events would halt its reader.
fn wait_for_checkpoints(
    system: &System,
    killed: Instant,
    interrupt: &Interrupt,
) -> Result<Duration, Failure> {
    until(
        "every checkpoint is of the new generation",
        PROMOTED_WITHIN,
        interrupt,
        || {
            let sql = "SELECT count(*) FILTER (WHERE state = 'halted'), \
                       count(*) FILTER (WHERE generation < \
                           (SELECT max(number) FROM store.generation)) \
                       FROM store.checkpoints";
            let counts = system.postgres.ask(database::NAME, sql)?;
            promise("no reader halts", counts.starts_with("0|"))?;
            Ok(counts == "0|0")
        },
    )?;
    Ok(killed.elapsed())
}
