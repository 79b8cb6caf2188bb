//! Building the workspace, the same way for every command, so that one build serves them all.

use crate::command::{self, step};
use crate::failure::Failure;

const FIRST_TIME: &str = "five minutes or more the first time, seconds after that";

/// Builds the programs. `--examples`, of which there is one, makes cargo choose the features that
/// tests need too: without it, tests would build most dependencies a second time.
pub(crate) fn programs(release: bool) -> Result<(), Failure> {
    let profile: &[&str] = if release { &["--release"] } else { &[] };
    step("build programs", FIRST_TIME, || {
        build(&["--examples"], profile)
    })
}

/// Builds the programs and the tests.
pub(crate) fn programs_and_tests() -> Result<(), Failure> {
    step("build programs and tests", FIRST_TIME, || {
        build(&["--tests"], &[])
    })
}

fn build(targets: &[&str], profile: &[&str]) -> Result<(), Failure> {
    let mut cargo = command::cargo();
    cargo
        .args(["build", "--workspace", "--bins"])
        .args(targets)
        .args(profile)
        .env("SQLX_OFFLINE", "true");
    command::run(cargo)
}
