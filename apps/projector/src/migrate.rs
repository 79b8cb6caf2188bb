//! `projector migrate`: brings the schema up to this release, as the role that owns it, and writes
//! the policies that this release has compiled in where analysts read them.

use std::collections::BTreeSet;

use service_runtime::schema::{self, Blocker, MigrateError, Migrated};
use service_runtime::{DatabaseConfig, chain};
use sqlx::{Connection as _, PgConnection};

use crate::cli::Exit;
use crate::session::{Failure, Session};

/// Applies what is missing, and says for whom it waits and what it did.
pub(crate) async fn migrate(session: Session<DatabaseConfig>) -> Result<(), Failure> {
    let mut told = BTreeSet::new();
    let mut waits_for = |blocker: Blocker| {
        if told.insert(blocker.pid) {
            let Blocker { pid, role } = blocker;
            eprintln!("a migration waits for the transaction of process {pid}, {role}");
        }
    };
    let migrated = schema::migrate(&session.config, &mut waits_for).await;
    match migrated.map_err(failure)? {
        Migrated::Applied(count) => {
            write_policies(&session).await.map_err(|error| {
                Failure::new(Exit::Failed, chain(&error)).during("the policies were not written")
            })?;
            eprintln!("{count} migrations applied; the schema is that of this release");
        }
        Migrated::AlreadyNewer => {
            eprintln!("the schema is newer than this release: nothing was done");
        }
    }
    Ok(())
}

async fn write_policies(session: &Session<DatabaseConfig>) -> Result<(), sqlx::Error> {
    let options = session.connect_options(&session.config);
    let mut connection = PgConnection::connect_with(&options).await?;
    bonus_store::write_policies(&mut connection).await?;
    connection.close().await
}

fn failure(error: MigrateError) -> Failure {
    let exit = match error {
        MigrateError::Unreachable(_) => Exit::Unreachable,
        MigrateError::NotOwner { .. } | MigrateError::Diverged(_) => Exit::Refused,
        MigrateError::Busy { .. } | MigrateError::Failed(_) => Exit::Failed,
    };
    Failure::new(exit, chain(&error)).during("not migrated")
}
