//! `soak`: what takes too long to be run for every change.

use crate::command::{self, step};
use crate::failure::Failure;
use crate::test;
use crate::workspace;

/// Tests of what goes wrong under load, and how often they are run.
const FAULTS: [&str; 4] = ["loss::", "contention::", "crash::", "outage::"];
const TIMES: usize = 10;

/// So many random runs of the rules, a hundred times those of every change.
const RUNS: &str = "1000000";

const MUTANTS: &str = "27.1.0";

/// Runs it all, and stops at the first that fails.
pub(crate) fn run() -> Result<(), Failure> {
    for time in 1..=TIMES {
        eprintln!("faults under load, {time} of {TIMES}");
        test::run(&test::Options::named(&FAULTS))?;
    }
    step("random runs of the order domain", random_runs)?;
    step("mutants of the order domain", mutants)
}

fn random_runs() -> Result<(), Failure> {
    let mut cargo = command::cargo();
    cargo
        .args(["test", "--release", "--package", "order-domain"])
        .args(["--test", "it", "--", "any_run_of_commands"])
        .env("PROPTEST_CASES", RUNS);
    command::run(cargo)
}

/// Breaks the rules in every way that cargo-mutants knows: a test has to notice each.
fn mutants() -> Result<(), Failure> {
    let tools = workspace::make_state()?.join("cargo-mutants");
    if !tools.join("bin/cargo-mutants").is_file() {
        let mut cargo = command::cargo();
        cargo
            .args(["install", "--locked", "--quiet", "--root"])
            .arg(&tools)
            .args(["--version", MUTANTS, "cargo-mutants"]);
        command::run(cargo)?;
    }
    let mut mutants = std::process::Command::new(tools.join("bin/cargo-mutants"));
    mutants
        .current_dir(workspace::root())
        .args(["mutants", "--package", "order-domain", "--output"])
        .arg(workspace::state());
    command::run(mutants)
}
