//! `kafka`: real Apache Kafka on this machine, until Ctrl-C.

use std::io::{self, Write};

use dev_servers::packages::{self, Need};
use dev_servers::{KafkaOptions, Port, PrivateKafka, scratch_folder};

use crate::children;
use crate::command::step;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::workspace;

/// Runs an empty broker, says where it is, and stays.
pub(crate) fn run() -> Result<(), Failure> {
    let interrupt = Interrupt::listen()?;
    match stay(&interrupt) {
        Err(Failure::Interrupted) => Ok(()),
        outcome => outcome,
    }
}

/// An empty broker on a free port, fetched first where it is not there yet.
pub(crate) fn start() -> Result<PrivateKafka, Failure> {
    packages::ensure(&[Need::Kafka])?;
    let state = workspace::make_state()?;
    let options = KafkaOptions {
        cache: state.join("cache"),
        folder: scratch_folder(&state.join("kafka")),
        port: Port::Free,
    };
    step(
        "start Apache Kafka",
        "fetched by Maven the first time",
        || Ok(PrivateKafka::start(options)?),
    )
}

fn stay(interrupt: &Interrupt) -> Result<(), Failure> {
    let mut broker = start()?;
    writeln!(io::stdout(), "ready kafka={}", broker.address()).map_err(Failure::Output)?;
    eprintln!("Ctrl-C ends it");
    loop {
        if let Some(process) = broker.process() {
            children::check(process)?;
        }
        interrupt.pause()?;
    }
}
