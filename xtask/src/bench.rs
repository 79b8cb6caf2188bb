//! `bench`: what the store takes, and what follows the commit, measured on an optimised build against
//! a Postgres and an Apache Kafka of its own.

use dev_servers::Port;
use dev_servers::packages::{self, Need};

use crate::command;
use crate::database;
use crate::failure::Failure;

/// Runs every benchmark of the workspace.
pub(crate) fn run() -> Result<(), Failure> {
    packages::ensure(&[Need::Compilers, Need::Postgres, Need::Kafka])?;
    let postgres = database::start(None, Port::Free)?;
    let mut cargo = command::cargo();
    cargo
        .args(["bench", "--workspace", "--bench", "*"])
        .env("SQLX_OFFLINE", "true")
        .env("ATLAS_TEST_POSTGRES", postgres.superuser_url());
    command::run(cargo)
}
