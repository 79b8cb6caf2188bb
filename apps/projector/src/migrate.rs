//! `projector migrate`: brings the schema up to this release, as the role that owns it.

use service_runtime::schema::{self, MigrateError, Migrated};
use service_runtime::{DatabaseConfig, chain};

use crate::cli::Exit;
use crate::session::{Failure, Session};

/// Applies what is missing, and says what it did.
pub(crate) async fn migrate(session: Session<DatabaseConfig>) -> Result<(), Failure> {
    match schema::migrate(&session.config).await.map_err(failure)? {
        Migrated::Applied(count) => {
            eprintln!("{count} migrations applied; the schema is that of this release");
        }
        Migrated::AlreadyNewer => {
            eprintln!("the schema is newer than this release: nothing was done");
        }
    }
    Ok(())
}

fn failure(error: MigrateError) -> Failure {
    let exit = match error {
        MigrateError::Unreachable(_) => Exit::Unreachable,
        MigrateError::NotOwner { .. } | MigrateError::Diverged(_) => Exit::Refused,
        MigrateError::Busy { .. } | MigrateError::Failed(_) => Exit::Failed,
    };
    Failure::new(exit, chain(&error)).during("not migrated")
}
