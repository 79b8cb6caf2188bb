//! `test`: every test of the workspace, on servers of its own.

use clap::Args;
use dev_servers::Port;
use dev_servers::packages::{self, Need};

use crate::build;
use crate::command::{self, step};
use crate::database;
use crate::failure::Failure;
use crate::kafka;
use crate::python;

/// What the scenarios ask our APIs with; they find it under `target/atlas`.
const SCHEMATHESIS: &str = include_str!("../../crates/scenarios/schemathesis.txt");

/// Which tests to run.
#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// What to hand on to the tests: a part of their names, or options of the test harness.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Options {
    /// The tests whose names contain one of these.
    pub(crate) fn named(names: &[&str]) -> Self {
        Self {
            arguments: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

/// Installs what is missing, builds once, starts the servers and runs the tests against them.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    packages::ensure(&[
        Need::Compilers,
        Need::Postgres,
        Need::Kafka,
        Need::Redis,
        Need::PgBouncer,
        Need::Nginx,
    ])?;
    step("install schemathesis", || {
        python::environment("schemathesis", SCHEMATHESIS).map(drop)
    })?;
    build::programs_and_tests()?;
    let postgres = database::start(None, Port::Free)?;
    let kafka = kafka::start()?;
    step("run tests", || {
        let mut cargo = command::cargo();
        cargo
            .args(["test", "--workspace", "--no-fail-fast", "--"])
            .args(&options.arguments)
            .env("SQLX_OFFLINE", "true")
            .env("ATLAS_TEST_POSTGRES", postgres.superuser_url())
            .env("ATLAS_TEST_KAFKA", kafka.address());
        command::run(cargo)
    })
}
