//! `bench`: what the store takes, what follows the commit, and what users see of it, measured on an
//! optimised build against a Postgres and an Apache Kafka of its own.

use clap::Args;
use dev_servers::Port;
use dev_servers::packages::{self, Need};

use crate::build;
use crate::command;
use crate::database;
use crate::failure::Failure;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// One benchmark, by its name: executor, policies, http, following, running, analytics; all where
    /// none is named.
    benchmark: Option<String>,
    /// Parts of it; `running` has fresh, queries, rebuild and size.
    #[arg(requires = "benchmark")]
    parts: Vec<String>,
}

/// Runs the benchmarks of the workspace, or one.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    packages::ensure(&[Need::Compilers, Need::Postgres, Need::Kafka])?;
    build::programs(true)?;
    let postgres = database::start(None, Port::Free)?;
    let mut cargo = command::cargo();
    cargo
        .args(["bench", "--workspace", "--bench"])
        .arg(options.benchmark.as_deref().unwrap_or("*"))
        .arg("--")
        .args(&options.parts)
        .env("SQLX_OFFLINE", "true")
        .env("ATLAS_TEST_POSTGRES", postgres.superuser_url());
    command::run(cargo)
}
