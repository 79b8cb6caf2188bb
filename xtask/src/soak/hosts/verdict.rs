//! The end: what was acknowledged is there, once; both topics tell the store's events in order; the
//! rows are what the events say.

use std::collections::BTreeMap;
use std::time::Duration;

use super::applications::{configure, without_configuration};
use super::journal::Journal;
use super::message_check;
use super::system::System;
use super::{promise, until};
use crate::command;
use crate::database;
use crate::demo::say;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::workspace;

const DRAINED_WITHIN: Duration = Duration::from_secs(180);

/// Waits until nothing is under way any more, and prints what is there.
pub(super) fn tell(
    system: &mut System,
    journal: &Journal,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let mut left = String::new();
    let drained = until("everything is drained", DRAINED_WITHIN, interrupt, || {
        // Who verifies a new generation stays where it was told to.
        let sql = "SELECT (SELECT count(*) FROM store.events WHERE event_type = 'OrderPlaced') \
                   - (SELECT count(*) FROM bonus.ledger WHERE event_type = 'OrderPlaced'), \
                   (SELECT string_agg(c.name, ', ') FROM store.checkpoints c \
                    WHERE c.name <> 'verification' \
                      AND c.position < (SELECT max(position) FROM store.events))";
        left = system.postgres.ask(database::NAME, sql)?;
        Ok(left == "0|")
    });
    drained.inspect_err(|_| eprintln!("orders without an award, and readers behind: {left}"))?;
    compare_orders(system, journal)?;
    compare_points(system)?;
    message_check::tell(system, interrupt)?;
    verify(system)
}

/// Nobody's command is under way any more: each order has exactly the acknowledged version.
fn compare_orders(system: &System, journal: &Journal) -> Result<(), Failure> {
    let rows = system.postgres.ask(
        database::NAME,
        "SELECT aggregate_id, max(sequence) FROM store.events \
         WHERE aggregate_type = 'order' GROUP BY aggregate_id",
    )?;
    let found: BTreeMap<&str, i64> = rows
        .lines()
        .filter_map(|row| {
            let (order, version) = row.split_once('|')?;
            Some((order, version.parse().ok()?))
        })
        .collect();
    let acknowledged = journal.versions();
    let lost = acknowledged
        .iter()
        .filter(|(order, version)| found.get(*order).is_none_or(|found| found < version));
    let lost = lost.count();
    let doubled = found
        .iter()
        .filter(|(order, version)| acknowledged.get(*order).is_none_or(|known| known < version));
    let doubled = doubled.count();
    let (repeated, replayed) = journal.repeated();
    say(&format!(
        "acknowledged: {} commands on {} orders, {repeated} of them sent more than once, {replayed} \
         of these done before their answer was lost\n\
         found: {} orders; {lost} orders lack something acknowledged, {doubled} have something twice",
        journal.len(),
        acknowledged.len(),
        found.len(),
    ))?;
    promise("nothing acknowledged is lost", lost == 0)?;
    promise("nothing is done twice", doubled == 0)
}

/// Placings were rewarded as often as there are, however often Kafka told of them.
fn compare_points(system: &System) -> Result<(), Failure> {
    let counts = system.postgres.ask(
        database::NAME,
        "SELECT count(*) FILTER (WHERE event_type = 'OrderPlaced'), \
         count(*) FILTER (WHERE event_type = 'PointsAwarded') FROM store.events",
    )?;
    let dead = system
        .postgres
        .ask(database::NAME, "SELECT count(*) FROM ops.dead_letters")?;
    say(&format!(
        "orders placed, and awards for them: {counts}; dead letters: {dead}"
    ))?;
    let once = counts
        .split_once('|')
        .is_some_and(|(placed, awards)| placed == awards);
    promise("there are as many awards as orders", once)?;
    promise("no message was given up", dead == "0")
}

/// The auditor folds every stream again, and compares every row.
fn verify(system: &System) -> Result<(), Failure> {
    let program = workspace::program("projector", false);
    let mut verify = system.first_host()?.command(&program);
    verify.args(["store", "verify", "--rows"]);
    configure(without_configuration(&mut verify));
    command::run(verify)?;
    say("projector store verify --rows: every checkpoint, stream and row is what the events say")
}
