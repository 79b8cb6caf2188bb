//! The private Postgres of a command.

use std::fs;
use std::path::{Path, PathBuf};

use dev_servers::packages::{self, Need};
use dev_servers::{
    Port, PostgresOptions, PrivatePostgres, is_port_free, reachable_folder, scratch_folder,
};

use crate::caller;
use crate::failure::Failure;
use crate::workspace;

/// The database of the applications.
pub(crate) const NAME: &str = "atlas";

/// The port that the caller chose for the private cluster, with nobody on it.
pub(crate) fn free_port() -> Result<Port, Failure> {
    let port = caller::postgres_port()?;
    if is_port_free(port) {
        return Ok(Port::Fixed(port));
    }
    Err(Failure::AddressInUse {
        variable: "ATLAS_PG_PORT",
        value: port.to_string(),
    })
}

/// A server with an empty database, in `data`, which is kept, or else in a folder of its own.
pub(crate) fn start(data: Option<&Path>, port: Port) -> Result<PrivatePostgres, Failure> {
    packages::ensure(&[Need::Postgres])?;
    let folder = match data {
        Some(folder) => std::path::absolute(folder).map_err(Failure::file(folder))?,
        None => scratch_folder(&reachable_folder(
            &workspace::make_state()?.join("postgres"),
        )),
    };
    let postgres = PrivatePostgres::start(PostgresOptions {
        folder,
        port,
        keep: data.is_some(),
        binaries: caller::postgres_binaries(),
        roles: workspace::root().join("deploy/roles.sql"),
    })?;
    postgres.create_database(NAME)?;
    Ok(postgres)
}

/// A server with the schema of this checkout, written by psql: the projector may not be built yet,
/// since its queries are checked against this very database.
pub(crate) fn start_with_schema(port: Port) -> Result<PrivatePostgres, Failure> {
    let postgres = start(None, port)?;
    for migration in migrations()? {
        postgres.run_file("atlas_owner", NAME, &migration)?;
    }
    Ok(postgres)
}

fn migrations() -> Result<Vec<PathBuf>, Failure> {
    let folder = workspace::root().join("migrations");
    let entries = fs::read_dir(&folder).map_err(Failure::file(&folder))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    Ok(files)
}
