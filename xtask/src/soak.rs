//! `soak`: what takes too long to be run for every change.

mod clients;
mod fuzz;
mod hosts;
mod streams;
mod telemetry;

use std::path::PathBuf;
use std::process::Command;

use clap::{Args, ValueEnum};

use crate::command::{self, step};
use crate::failure::Failure;
use crate::test;
use crate::workspace;

/// Tests of what goes wrong under load, and how often they are run.
const FAULTS: [&str; 8] = [
    "loss::",
    "contention::",
    "crash::",
    "outage::",
    "leavers::",
    "lost_answers::",
    "redis_faults::",
    "store_restarts::",
];
const TIMES: usize = 10;

/// Scenarios that are shortened for every change.
const SHORTENED: [&str; 5] = [
    "cluster::",
    "many_dead_letters::",
    "outage::",
    "postgres_away::",
    "step_by_step::",
];

/// So many random runs of the rules, a hundred times those of every change.
const RUNS: &str = "1000000";

const MUTANTS: &str = "27.1.0";

/// How much to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Run these parts and no other.
    #[arg(long, value_enum, num_args = 1..)]
    only: Vec<Part>,
    /// How many seconds each fuzz target is run.
    #[arg(long, default_value_t = 60)]
    fuzz_seconds: u32,
}

/// What there is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The matrix of faults and what they raise, backlogs that are drained, then faults under load.
    Faults,
    /// Scenarios at their whole size: long outages, three brokers, thousands of dead letters.
    Whole,
    /// A real OpenTelemetry collector, and a real OpenSearch.
    Telemetry,
    /// Random runs of the order domain.
    Runs,
    /// Fuzz targets.
    Fuzz,
    /// Clients that others' generators make of the documents.
    Clients,
    /// Two thousand live streams, on an optimised build.
    Streams,
    /// Mutants of the order domain.
    Mutants,
    /// Several hosts, of which some fail; as root.
    Hosts,
}

/// Runs it all, and stops at the first that fails.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let parts = Part::value_variants().iter();
    for part in parts.filter(|part| options.only.is_empty() || options.only.contains(part)) {
        match part {
            Part::Faults => faults()?,
            Part::Whole => step("scenarios at their whole size", "half an hour", || {
                test::run(&test::Options::named(&SHORTENED).whole())
            })?,
            Part::Telemetry => telemetry::run()?,
            Part::Runs => step("random runs of the order domain", "a million", random_runs)?,
            Part::Fuzz => step("fuzz targets", "each parser in turn", || {
                fuzz::run(options.fuzz_seconds)
            })?,
            Part::Clients => step(
                "clients by generators",
                "each compiles, and reads an order",
                clients::run,
            )?,
            Part::Streams => step(
                "live streams, optimised",
                "two thousand of them, held to figures",
                streams::run,
            )?,
            Part::Mutants => step(
                "mutants of the order domain",
                "a test notices each",
                mutants,
            )?,
            Part::Hosts => step("hosts", "a primary and a network fail", hosts::run)?,
        }
    }
    Ok(())
}

fn faults() -> Result<(), Failure> {
    let soaked = ["faults::soaked::", "drained::soaked::"];
    test::run(&test::Options::named(&soaked).whole())?;
    for time in 1..=TIMES {
        eprintln!("faults under load, {time} of {TIMES}");
        test::run(&test::Options::named(&FAULTS))?;
    }
    Ok(())
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
    let mut mutants = Command::new(install("cargo-mutants", MUTANTS)?);
    mutants
        .current_dir(workspace::root())
        .args(["mutants", "--package", "order-domain", "--output"])
        .arg(workspace::state());
    command::run(mutants)
}

/// A tool of cargo's, built once.
fn install(tool: &str, version: &str) -> Result<PathBuf, Failure> {
    let folder = workspace::make_state()?.join(tool);
    let program = folder.join("bin").join(tool);
    if !program.is_file() {
        let mut cargo = command::cargo();
        cargo
            .args(["install", "--locked", "--quiet", "--root"])
            .arg(&folder)
            .args(["--version", version, tool]);
        command::run(cargo)?;
    }
    Ok(program)
}
