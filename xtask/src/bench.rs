//! `bench`: what the store takes, and what follows the commit, measured on an optimised build against
//! a Postgres and an Apache Kafka of its own.

use clap::Args;
use dev_servers::Port;
use dev_servers::packages::{self, Need};

use crate::command;
use crate::database;
use crate::failure::Failure;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Runs these benchmarks and no other: executor, http, following, policies, analytics.
    names: Vec<String>,
}

/// Runs the benchmarks of the workspace.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    packages::ensure(&[Need::Compilers, Need::Postgres, Need::Kafka])?;
    let postgres = database::start(None, Port::Free)?;
    let every = ["*".to_owned()];
    let names: &[String] = match &options.names[..] {
        [] => &every,
        names => names,
    };
    let mut cargo = command::cargo();
    cargo
        .args(["bench", "--workspace"])
        .args(names.iter().flat_map(|name| ["--bench", name]))
        .env("SQLX_OFFLINE", "true")
        .env("ATLAS_TEST_POSTGRES", postgres.superuser_url());
    command::run(cargo)
}
