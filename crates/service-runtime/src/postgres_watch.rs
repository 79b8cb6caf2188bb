//! Watches Postgres over a connection of its own, so that a busy pool is never taken for a server
//! that is down, and checks the server's settings whenever it comes back.

use std::convert::Infallible;
use std::time::Duration;

use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::health::Dependency;
use crate::pool::DatabaseConfig;
use crate::server_check::{ServerCheckError, check_server, options_refused};

/// How often the server is looked at.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long one answer may take.
const BOUND: Duration = Duration::from_secs(1);

/// Why the server counts as down.
#[derive(Debug, thiserror::Error)]
enum Down {
    #[error("it cannot be connected to")]
    Connect(#[source] sqlx::Error),
    #[error("it cannot be checked")]
    Check(#[source] ServerCheckError),
    #[error("it does not answer")]
    Ping(#[source] sqlx::Error),
    #[error("it does not answer within {} ms", BOUND.as_millis())]
    Silent,
}

/// Reports on Postgres until work is to be finished. Run it as a task of the process.
///
/// # Errors
/// [`ServerCheckError::Refused`] if the server is not set up for us: not to be worked on.
pub async fn watch_postgres(
    config: DatabaseConfig,
    application_name: &'static str,
    pool: PgPool,
    dependency: Dependency,
    finish: CancellationToken,
) -> Result<(), ServerCheckError> {
    let watch = async {
        loop {
            let down = match watch_once(&config, application_name, &pool, &dependency).await {
                Err(Down::Check(refused @ ServerCheckError::Refused(_))) => return Err(refused),
                Err(down) => down,
            };
            dependency.down(&down);
            record_pool_use(&pool);
            tokio::time::sleep(INTERVAL).await;
        }
    };
    finish.run_until_cancelled(watch).await.unwrap_or(Ok(()))
}

/// Connects, checks, and looks again and again until the server stops to answer.
async fn watch_once(
    config: &DatabaseConfig,
    application_name: &'static str,
    pool: &PgPool,
    dependency: &Dependency,
) -> Result<Infallible, Down> {
    let mut connection = connect(config, application_name).await?;
    config.server_returned();
    loop {
        dependency.up();
        record_pool_use(pool);
        tokio::time::sleep(INTERVAL).await;
        timeout(BOUND, connection.ping())
            .await
            .map_err(|_| Down::Silent)?
            .map_err(Down::Ping)?;
    }
}

async fn connect(
    config: &DatabaseConfig,
    application_name: &'static str,
) -> Result<PgConnection, Down> {
    let options = config.connect_options(application_name);
    let mut connection = timeout(BOUND, options.connect())
        .await
        .map_err(|_| Down::Silent)?
        .map_err(not_connected)?;
    timeout(BOUND, check_server(&mut connection))
        .await
        .map_err(|_| Down::Silent)?
        .map_err(Down::Check)?;
    Ok(connection)
}

fn not_connected(error: sqlx::Error) -> Down {
    match options_refused(&error) {
        Some(refusal) => Down::Check(ServerCheckError::Refused(vec![refusal])),
        None => Down::Connect(error),
    }
}

fn record_pool_use(pool: &PgPool) {
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    let used = pool.size().saturating_sub(idle);
    metrics::gauge!("atlas_pool_connections", "state" => "used").set(used);
    metrics::gauge!("atlas_pool_connections", "state" => "idle").set(idle);
}
