//! Whether both topics hold exactly the events of the store, in order per key.

use std::fs;
use std::process::Command;
use std::time::Duration;

use dev_servers::scratch_folder;

use super::system::System;
use super::until;
use crate::database;
use crate::demo::{Difference, Domain, Event, compare, firsts, list, read_topic, say};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::workspace;

const SENT_WITHIN: Duration = Duration::from_secs(120);

/// Waits until every event is there, and prints how many messages told them.
pub(super) fn tell(system: &System, interrupt: &Interrupt) -> Result<(), Failure> {
    let folder = scratch_folder(&workspace::make_state()?.join("messages"));
    fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    for domain in [Domain::Order, Domain::Bonus] {
        let mut line = String::new();
        let what = format!("every event is on {}", domain.topic());
        until(&what, SENT_WITHIN, interrupt, || {
            let events = events(system, domain)?;
            let mut tail = Command::new(workspace::program("dev-broker", false));
            tail.args(["tail", "--brokers", &system.kafka.addresses()]);
            let messages = read_topic(tail, domain.topic(), &folder, interrupt)?;
            let differences = compare(&events, &messages);
            if !differences.iter().all(Difference::may_pass) {
                return Err(Failure::NotAsPromised(list(&differences)));
            }
            line = format!(
                "{}: {} messages, {} different, for {} events; in order for each key",
                domain.topic(),
                messages.len(),
                firsts(&messages).len(),
                events.len(),
            );
            Ok(differences.is_empty())
        })?;
        say(&line)?;
    }
    Ok(())
}

fn events(system: &System, domain: Domain) -> Result<Vec<Event>, Failure> {
    let rows = system.postgres.ask(database::NAME, Event::SQL)?;
    let events = rows.lines().map(Event::parse);
    let events: Vec<Event> = events.collect::<Result<_, _>>()?;
    Ok(events
        .into_iter()
        .filter(|event| event.domain == domain)
        .collect())
}
