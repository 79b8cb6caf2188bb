//! The migrated template that test databases are copies of, made once a server.

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::server::workspace;

/// Any number: who makes the template holds the advisory lock of this key in `postgres`.
const LOCK: i64 = 0x6174_6c61_7374_6573;

/// What `deploy/roles.sql` makes: a database without a schema.
pub(crate) const ROLES_ALONE: &str = "atlas_template";

/// Makes sure that the server has a template with the migrations of this checkout, and returns its
/// name. Several processes may ask at once.
pub(crate) async fn migrated(superuser: &PgConnectOptions) -> Result<String, sqlx::Error> {
    let migrator = Migrator::new(workspace().join("migrations")).await?;
    let name = template_name(&migrator);
    let mut admin = superuser.connect().await?;
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(LOCK)
        .execute(&mut admin)
        .await?;
    if !exists(&mut admin, &name).await? {
        make(&mut admin, superuser, &migrator, &name).await?;
    }
    admin.close().await?;
    Ok(name)
}

/// Makes it under another name, which it loses only when it is whole.
async fn make(
    admin: &mut PgConnection,
    superuser: &PgConnectOptions,
    migrator: &Migrator,
    name: &str,
) -> Result<(), sqlx::Error> {
    let unfinished = format!("{name}_unfinished");
    let drop = format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)");
    let create = format!("CREATE DATABASE {unfinished} TEMPLATE {ROLES_ALONE} OWNER atlas_owner");
    let rename = format!("ALTER DATABASE {unfinished} RENAME TO {name}");
    admin.execute(drop.as_str()).await?;
    admin.execute(create.as_str()).await?;
    let owner = superuser
        .clone()
        .username("atlas_owner")
        .database(&unfinished);
    let mut owner = owner.connect().await?;
    migrator.run(&mut owner).await?;
    owner.close().await?;
    admin.execute(rename.as_str()).await?;
    Ok(())
}

async fn exists(admin: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(admin)
        .await
}

/// A name that changes with the migrations, so that a server which outlives a test run serves the
/// next one too.
fn template_name(migrator: &Migrator) -> String {
    let digest = migrator
        .iter()
        .flat_map(|migration| migration.checksum.iter())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("atlas_tests_{digest:016x}")
}
