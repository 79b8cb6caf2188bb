//! Beyond one machine, shown: the system on seven hosts of a network of its own, under load, while its
//! primary is killed and a host is cut off; and what is found afterwards.

mod applications;
mod journal;
mod load;
mod message_check;
mod outage;
mod reading;
mod system;
mod takeover;
mod tokens;
mod verdict;

use std::time::{Duration, Instant};

use dev_servers::HostNetwork;
use dev_servers::packages::{self, Need};

use crate::build;
use crate::command::step;
use crate::demo::{head, say};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use load::Load;
use system::System;

/// How long commands are given while nothing happens, for the figures of a quiet time.
const QUIET: Duration = Duration::from_secs(10);

/// Builds, starts everything, lets it fail, and prints what was seen. Whatever was promised and not
/// seen is a failure. Hosts and processes are gone afterwards, also by Ctrl-C.
pub(super) fn run() -> Result<(), Failure> {
    HostNetwork::may_be_made()?;
    packages::ensure(&[
        Need::Compilers,
        Need::Hosts,
        Need::Failover,
        Need::Kafka,
        Need::Nginx,
    ])?;
    build::programs(false)?;
    let interrupt = Interrupt::listen()?;
    let mut system = step("start seven hosts", "a minute or two", || {
        System::start(&interrupt)
    })?;
    let outcome = tell(&mut system, &interrupt);
    if outcome.is_err() {
        // A process that has ended explains a failure better than who missed it.
        system.check()?;
    }
    outcome
}

fn tell(system: &mut System, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut load = Load::start(&system.origin())?;
    head("A quiet time")?;
    load.wait_for_more(1, interrupt)?;
    let began = Instant::now();
    pass(QUIET, interrupt)?;
    say(&load.journal().line(began, Instant::now()))?;

    head("The primary loses its power")?;
    let before = tokens::before(system, &load)?;
    takeover::tell(system, &load, interrupt)?;
    tokens::after(system, &load, &before)?;

    head("Its host returns, and serves analysts")?;
    reading::tell(system, &load, interrupt)?;

    head("A host is cut off, and comes back")?;
    outage::tell(system, &load, interrupt)?;

    head("What is there in the end")?;
    let journal = load.stop()?;
    verdict::tell(system, &journal, interrupt)
}

/// Lets time pass: it is what is measured then.
fn pass(time: Duration, interrupt: &Interrupt) -> Result<(), Failure> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        interrupt.pause()?;
    }
    Ok(())
}

/// Looks until something is so, and tells how long that took; a failure after `bound`.
fn until(
    what: &str,
    bound: Duration,
    interrupt: &Interrupt,
    mut is_so: impl FnMut() -> Result<bool, Failure>,
) -> Result<Duration, Failure> {
    let began = Instant::now();
    while !is_so()? {
        if began.elapsed() > bound {
            let seconds = bound.as_secs();
            return Err(Failure::NotAsPromised(format!(
                "{what}: not within {seconds} s"
            )));
        }
        interrupt.pause()?;
    }
    Ok(began.elapsed())
}

/// A failure unless it is as promised.
fn promise(what: &str, kept: bool) -> Result<(), Failure> {
    if kept {
        Ok(())
    } else {
        Err(Failure::NotAsPromised(what.to_owned()))
    }
}
