//! The schema: the migrations of this release, applied by `projector migrate` alone, and compared
//! by every process before it works on a database.
//!
//! Migrations only expand, so a process runs on a newer schema; a changed or missing migration it
//! refuses.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::migrate::{Migrate as _, MigrateError as SqlxMigrateError, Migrator};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::pool::DatabaseConfig;

/// The migrations of this release.
pub static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// A migration waits this long for a lock and no longer: it would make every request behind it
/// wait too.
const LOCK_TIMEOUT: &str = "200ms";
/// How often it is tried again, and the pause before that.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(300);
/// How often it is looked for whom a migration waits.
const LOOK: Duration = Duration::from_millis(50);

/// The role that owns the schema.
const OWNER: &str = "atlas_owner";

/// SQLSTATE of a lock that was not had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// What a migration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrated {
    /// So many migrations were missing, and are applied now.
    Applied(usize),
    /// The database has been migrated by a newer release.
    AlreadyNewer,
}

/// A session that a migration waits for: the change is tried again until it has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// Its server process.
    pub pid: i32,
    /// Its role.
    pub role: String,
}

/// How a database differs from this release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Divergence {
    /// It was never migrated, or not far enough.
    #[error("migration {0} is missing: run `projector migrate` of this release as atlas_owner")]
    Missing(i64),
    /// It was migrated by something else.
    #[error(
        "migration {0} is not the one of this release: the database was migrated from another \
         source, find out from which before anything runs on it"
    )]
    Changed(i64),
}

/// Why a database was not migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// It does not answer.
    #[error("the database cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    /// Another role owns the schema.
    #[error(
        "{role} may not change the schema: ATLAS_DATABASE_URL is to name its owner, {as_owner}"
    )]
    NotOwner {
        /// The role that was tried.
        role: String,
        /// The same database as the role that `deploy/roles.sql` makes for it, without a password.
        as_owner: String,
    },
    /// It was migrated by something else.
    #[error("the database is not one of ours")]
    Diverged(#[source] Divergence),
    /// Somebody held a lock that a migration needs.
    #[error("a lock that a migration needs was never free in {tries} tries: run it again")]
    Busy {
        /// How often it was tried.
        tries: u32,
    },
    /// A statement failed; its migration was undone.
    #[error("a migration failed and was undone")]
    Failed(#[source] SqlxMigrateError),
}

/// Applies every missing migration, each in its own transaction. `waits_for` hears for whom, again
/// and again while that lasts.
///
/// # Errors
/// See [`MigrateError`]. What was applied before an error stays.
pub async fn migrate(
    config: &DatabaseConfig,
    waits_for: &mut (dyn FnMut(Blocker) + Send),
) -> Result<Migrated, MigrateError> {
    let options = config
        .connect_options("projector migrate")
        .options([("lock_timeout", LOCK_TIMEOUT), ("statement_timeout", "0")]);
    let mut connection = options.connect().await.map_err(MigrateError::Unreachable)?;
    if !may_change_schema(&mut connection)
        .await
        .map_err(MigrateError::Unreachable)?
    {
        return Err(MigrateError::NotOwner {
            role: options.get_username().to_owned(),
            as_owner: format!(
                "postgres://{OWNER}@{}:{}/{}",
                options.get_host(),
                options.get_port(),
                options.get_database().unwrap_or_default()
            ),
        });
    }
    ensure_table(&mut connection).await?;
    let before = applied(&mut connection)
        .await
        .map_err(MigrateError::Unreachable)?;
    if let Some(changed @ Divergence::Changed(_)) = divergence(&before) {
        return Err(MigrateError::Diverged(changed));
    }
    let ours = MIGRATOR.iter().count();
    let newest = MIGRATOR.iter().map(|m| m.version).max();
    if before.keys().max().copied() > newest {
        return Ok(Migrated::AlreadyNewer);
    }
    let mut beside = options.connect().await.map_err(MigrateError::Unreachable)?;
    run(&mut connection, &mut beside, waits_for).await?;
    connection
        .close()
        .await
        .map_err(MigrateError::Unreachable)?;
    Ok(Migrated::Applied(ours - before.len()))
}

async fn may_change_schema(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT has_database_privilege(current_database(), 'CREATE') AS "may_change!""#
    )
    .fetch_one(connection)
    .await
}

/// Makes sqlx's table where it is missing. Two who make it at once get in each other's way, also where
/// both say `IF NOT EXISTS`; to the second try it is there.
async fn ensure_table(connection: &mut PgConnection) -> Result<(), MigrateError> {
    match connection.ensure_migrations_table().await {
        Ok(()) => Ok(()),
        Err(_) => connection
            .ensure_migrations_table()
            .await
            .map_err(MigrateError::Failed),
    }
}

async fn run(
    connection: &mut PgConnection,
    beside: &mut PgConnection,
    waits_for: &mut (dyn FnMut(Blocker) + Send),
) -> Result<(), MigrateError> {
    let pid = sqlx::query_scalar!(r#"SELECT pg_backend_pid() AS "pid!""#)
        .fetch_one(&mut *connection)
        .await
        .map_err(MigrateError::Unreachable)?;
    for _ in 0..TRIES {
        let tried = tokio::select! {
            tried = MIGRATOR.run_direct(&mut *connection) => tried,
            error = watch(beside, pid, waits_for) => {
                return Err(MigrateError::Unreachable(error));
            }
        };
        match tried {
            Ok(()) => return Ok(()),
            Err(error) if is_busy(&error) => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(MigrateError::Failed(error)),
        }
    }
    Err(MigrateError::Busy { tries: TRIES })
}

/// Says for whom the session waits, until the database fails.
async fn watch(
    beside: &mut PgConnection,
    pid: i32,
    waits_for: &mut (dyn FnMut(Blocker) + Send),
) -> sqlx::Error {
    loop {
        tokio::time::sleep(LOOK).await;
        let blockers = sqlx::query_as!(
            Blocker,
            r#"
            SELECT a.pid AS "pid!", a.usename::text AS "role!"
            FROM unnest(pg_blocking_pids($1)) b (pid)
            JOIN pg_stat_activity a ON a.pid = b.pid
            WHERE a.usename IS NOT NULL
            LIMIT 10
            "#,
            pid,
        );
        match blockers.fetch_all(&mut *beside).await {
            Ok(blockers) => blockers.into_iter().for_each(&mut *waits_for),
            Err(error) => return error,
        }
    }
}

fn is_busy(error: &SqlxMigrateError) -> bool {
    let (SqlxMigrateError::Execute(error) | SqlxMigrateError::ExecuteMigration(error, _)) = error
    else {
        return false;
    };
    error
        .as_database_error()
        .and_then(|database| database.code())
        .is_some_and(|code| code == LOCK_NOT_AVAILABLE)
}

/// Compares the database with this release.
///
/// # Errors
/// What the database said; a table of migrations that is not there counts as none applied.
pub async fn compare(connection: &mut PgConnection) -> Result<Option<Divergence>, sqlx::Error> {
    Ok(divergence(&applied(connection).await?))
}

/// The checksums of what was applied, by version.
async fn applied(connection: &mut PgConnection) -> Result<BTreeMap<i64, Vec<u8>>, sqlx::Error> {
    let there: bool = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'public' AND c.relname = '_sqlx_migrations'
                 AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
           ) AS "there!""#
    )
    .fetch_one(&mut *connection)
    .await?;
    if !there {
        return Ok(BTreeMap::new());
    }
    // The table is sqlx's, made when the first migration is applied: no statement on it can be
    // checked against the schema that the migrations make.
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM public._sqlx_migrations WHERE success")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}

fn divergence(applied: &BTreeMap<i64, Vec<u8>>) -> Option<Divergence> {
    MIGRATOR
        .iter()
        .find_map(|migration| match applied.get(&migration.version) {
            None => Some(Divergence::Missing(migration.version)),
            Some(checksum) if *checksum == *migration.checksum => None,
            Some(_) => Some(Divergence::Changed(migration.version)),
        })
}
