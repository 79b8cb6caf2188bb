//! `up`: the whole system on this machine, until Ctrl-C.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::stack::{Plan, Stack, StackOptions};
use crate::workspace;

/// How to start the system.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Keeps the database in this folder over restarts; else each start is empty. Needs --kafka:
    /// the broker in memory would have forgotten what the database remembers.
    #[arg(long, value_name = "DIR", requires = "kafka")]
    data: Option<PathBuf>,
    /// Uses this Kafka instead of the broker in memory.
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// Builds and runs optimised programs.
    #[arg(long)]
    release: bool,
}

/// Starts everything, says where it is, and stays. Ctrl-C ends it in order and is no failure.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let plan = Plan::make(StackOptions {
        data: options.data,
        kafka: options.kafka,
        release: options.release,
    })?;
    let interrupt = Interrupt::listen()?;
    match stay(&plan, &interrupt) {
        Err(Failure::Interrupted) => Ok(()),
        outcome => outcome,
    }
}

fn stay(plan: &Plan, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut stack = Stack::start(plan, interrupt)?;
    let environment = workspace::make_state()?.join("env");
    fs::write(&environment, stack.environment()).map_err(Failure::file(&environment))?;
    let mut output = io::stdout();
    writeln!(output, "{}", stack.ready_line())
        .and_then(|()| output.flush())
        .map_err(Failure::Output)?;
    eprintln!("logs are in target/atlas/logs, the configuration in target/atlas/env; Ctrl-C ends");
    let end = stack.watch(interrupt);
    stack.stop()?;
    end
}
