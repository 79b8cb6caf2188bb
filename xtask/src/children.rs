//! Watching over child processes that should stay.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use dev_servers::{Process, Signal};

use crate::failure::Failure;

const LAST_LINES: usize = 15;

/// Starts a process with a log of its own in `logs`, begun anew. It is killed if we are.
pub(crate) fn start(name: &str, command: Command, logs: &Path) -> Result<Process, Failure> {
    let log = logs.join(format!("{name}.log"));
    fs::write(&log, "").map_err(Failure::file(&log))?;
    Ok(Process::spawn(name, command, &log, Signal::KILL)?)
}

/// A failure if the process has ended.
pub(crate) fn check(process: &mut Process) -> Result<(), Failure> {
    let Some(status) = process.ended()? else {
        return Ok(());
    };
    Err(Failure::Ended {
        name: process.name().to_owned(),
        status,
        log: process.log().to_owned(),
        last_lines: process.last_log_lines(LAST_LINES),
    })
}

/// What to say of a process that was waited for in vain.
pub(crate) fn not_ready(process: &Process, waited: Duration) -> Failure {
    Failure::NotReady {
        name: process.name().to_owned(),
        seconds: waited.as_secs(),
        log: process.log().to_owned(),
        last_lines: process.last_log_lines(LAST_LINES),
    }
}
