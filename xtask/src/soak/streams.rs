//! Two thousand live streams beside two hundred commands a second, on an optimised build: the figures
//! of the scenario `streams::many`.

use dev_servers::Port;
use dev_servers::packages::{self, Need};

use crate::command;
use crate::database;
use crate::failure::Failure;

const SCENARIO: &str = "streams::many";

/// Builds, and runs it.
pub(super) fn run() -> Result<(), Failure> {
    packages::ensure(&[Need::Compilers, Need::Postgres])?;
    // The processes lie beside the test.
    let mut build = command::cargo();
    build
        .args(["build", "--workspace", "--release", "--bins", "--tests"])
        .env("SQLX_OFFLINE", "true");
    command::run(build)?;
    let postgres = database::start(None, Port::Free)?;
    let mut run = command::cargo();
    run.args([
        "test",
        "--workspace",
        "--release",
        "--",
        SCENARIO,
        "--nocapture",
    ])
    .env("SQLX_OFFLINE", "true")
    .env("ATLAS_TEST_POSTGRES", postgres.superuser_url());
    command::run(run)
}
