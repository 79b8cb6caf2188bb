//! `up`: the whole system on this machine, until Ctrl-C.

use std::io::{self, Write};

use clap::Args;

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::people;
use crate::stack::{Plan, Stack, StackOptions};
use crate::workspace;

/// What to start.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Starts the development issuer too, so that people can sign in on the pages; without it the
    /// processes trust the secret that `token` signs with.
    #[arg(long)]
    issuer: bool,
    #[command(flatten)]
    system: StackOptions,
}

/// Starts everything, says where it is, and stays. Ctrl-C ends it in order and is no failure.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let people = if options.issuer {
        people::of_up()
    } else {
        Vec::new()
    };
    let plan = Plan::make(options.system, workspace::state(), people)?;
    let interrupt = Interrupt::listen()?;
    match stay(&plan, &interrupt) {
        Err(Failure::Interrupted) => Ok(()),
        outcome => outcome,
    }
}

fn stay(plan: &Plan, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut stack = Stack::start(plan, interrupt)?;
    stack.write_environment()?;
    let mut output = io::stdout();
    writeln!(output, "{}", stack.ready_line())
        .and_then(|()| output.flush())
        .map_err(Failure::Output)?;
    if plan.has_issuer() {
        eprintln!(
            "the pages are {0}/market/ and {0}/console/",
            stack.query_url()
        );
    }
    eprintln!("logs are in target/atlas/logs, the configuration in target/atlas/env; Ctrl-C ends");
    let end = stack.watch(interrupt);
    stack.stop()?;
    end
}
