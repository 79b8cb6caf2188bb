//! The developer's commands, run as `cargo xtask COMMAND`: start the whole system, test it, check
//! it, and keep generated files fresh.
//!
//! Deliberately absent: any crate of ours but dev-servers, any asynchronous runtime and any C
//! dependency. xtask builds in seconds and drives the programs and tests of the others.

mod bench;
mod build;
mod caller;
mod children;
mod ci;
mod command;
mod database;
mod db;
mod demo;
mod deployment;
mod diagrams;
mod failure;
mod http;
mod interrupt;
mod issuer;
mod kafka;
mod node;
mod people;
mod python;
mod queries;
mod sbom;
mod seed_ledger;
mod soak;
mod stack;
mod test;
mod tidy;
mod token;
mod up;
mod web;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// The developer's commands of Artisan Atlas.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tells one commission, step by step, in a system of its own.
    Demo(demo::Options),
    /// Builds and starts the whole system, and stays until Ctrl-C.
    Up(up::Options),
    /// Prints a bearer token for the development profile.
    Token(token::Options),
    /// Runs every test, on servers of its own.
    Test(test::Options),
    /// Runs every check that a change must pass.
    Ci,
    /// Measures the store, on an optimised build.
    Bench(bench::Options),
    /// Runs what takes too long for every change: faults again and again, a million random runs,
    /// fuzz targets, every mutant.
    Soak(soak::Options),
    /// Writes a ledger and its accounts, and prints what the difference of policies 1 and 2 has to
    /// say of it.
    SeedLedger(seed_ledger::Options),
    /// Checks the rules of the house that no compiler knows.
    Tidy,
    /// Builds the pages for browsers, generates the types of the SDK, or checks both.
    Web(web::Options),
    /// Makes the pages in docs/ that are made by running the rules.
    Diagrams,
    /// Runs a private Postgres with the schema until Ctrl-C, for checked queries.
    Db(db::Options),
    /// Writes the bill of materials of the programs, in CycloneDX's JSON.
    Sbom,
    /// Runs real Apache Kafka on a free port until Ctrl-C.
    Kafka,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo(options) => demo::run(options),
        Command::Up(options) => up::run(options),
        Command::Token(options) => token::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Ci => ci::run(),
        Command::Bench(options) => bench::run(&options),
        Command::Soak(options) => soak::run(&options),
        Command::SeedLedger(options) => seed_ledger::run(&options),
        Command::Tidy => tidy::run(),
        Command::Web(options) => web::run(&options),
        Command::Diagrams => diagrams::run(),
        Command::Db(options) => db::run(&options),
        Command::Sbom => sbom::run(),
        Command::Kafka => kafka::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Told) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {}", failure::chain(&error));
            ExitCode::FAILURE
        }
    }
}
