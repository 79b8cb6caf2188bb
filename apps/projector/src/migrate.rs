//! `projector migrate`: brings the schema up to this release, as the role that owns it.

use service_runtime::config::Reader;
use service_runtime::schema::{self, MigrateError, Migrated};
use service_runtime::{DatabaseConfig, chain};

use crate::cli::Exit;

/// Applies what is missing, and says what it did.
pub(crate) fn migrate() -> Exit {
    let config: DatabaseConfig = match Reader::of_process().read() {
        Ok(config) => config,
        Err(faults) => {
            eprintln!("{faults}");
            return Exit::Usage;
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return Exit::Failed;
        }
    };
    match runtime.block_on(schema::migrate(&config)) {
        Ok(Migrated::Applied(count)) => {
            eprintln!("{count} migrations applied; the schema is that of this release");
            Exit::Done
        }
        Ok(Migrated::AlreadyNewer) => {
            eprintln!("the schema is newer than this release: nothing was done");
            Exit::Done
        }
        Err(error) => {
            eprintln!("not migrated: {}", chain(&error));
            match error {
                MigrateError::Unreachable(_) => Exit::Unreachable,
                MigrateError::NotOwner { .. } | MigrateError::Diverged(_) => Exit::Refused,
                MigrateError::Busy { .. } | MigrateError::Failed(_) => Exit::Failed,
            }
        }
    }
}
