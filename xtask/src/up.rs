//! `up`: the whole system on this machine, until Ctrl-C.

use std::io::{self, Write};

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::stack::{Plan, Stack, StackOptions};
use crate::workspace;

/// Starts everything, says where it is, and stays. Ctrl-C ends it in order and is no failure.
pub(crate) fn run(options: StackOptions) -> Result<(), Failure> {
    let plan = Plan::make(options, workspace::state())?;
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
    eprintln!("logs are in target/atlas/logs, the configuration in target/atlas/env; Ctrl-C ends");
    let end = stack.watch(interrupt);
    stack.stop()?;
    end
}
