//! Running other programs in the foreground, and telling how long it took.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use dev_servers::{run_to_end, run_to_end_with};

use crate::caller;
use crate::failure::Failure;
use crate::workspace;

/// Cargo, in the root of the checkout.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(caller::cargo());
    cargo.current_dir(workspace::root());
    for name in caller::about_ourselves() {
        cargo.env_remove(name);
    }
    cargo
}

/// Runs it to its end, which must be a success.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    let words = words(&command);
    judge(words, run_to_end(command))
}

fn judge(words: String, ended: io::Result<ExitStatus>) -> Result<(), Failure> {
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Failed {
            command: words,
            status,
        }),
        Err(source) => Err(Failure::NotRun {
            command: words,
            source,
        }),
    }
}

/// Runs it to its end, which must be a success, and has each line of its output looked at on the way
/// to ours.
pub(crate) fn run_with(command: Command, line: impl FnMut(&str)) -> Result<(), Failure> {
    let words = words(&command);
    judge(words, run_to_end_with(command, line))
}

/// Runs it to its end, which must be a success, and returns what it printed.
pub(crate) fn output(mut command: Command) -> Result<Vec<u8>, Failure> {
    let words = words(&command);
    let output = command.stderr(Stdio::inherit()).output();
    match output {
        Ok(output) if output.status.success() => Ok(output.stdout),
        Ok(output) => Err(Failure::Failed {
            command: words,
            status: output.status,
        }),
        Err(source) => Err(Failure::NotRun {
            command: words,
            source,
        }),
    }
}

/// Does one step of several. Prints on standard error what is done, and what for, before it begins,
/// and how many minutes it took.
pub(crate) fn step<T>(
    name: &str,
    reason: &str,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    eprintln!("== {name}: {reason}");
    let start = Instant::now();
    let outcome = work();
    let minutes = start.elapsed().as_secs_f64() / 60.0;
    let verdict = if outcome.is_ok() { "" } else { ": failed" };
    eprintln!("== {name}: {minutes:.1} min{verdict}");
    outcome
}

fn words(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    let arguments = command.get_args().map(OsStr::to_string_lossy);
    arguments.fold(program, |text, argument| format!("{text} {argument}"))
}
