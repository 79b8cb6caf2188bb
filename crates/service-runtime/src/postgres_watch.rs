//! Watches Postgres over a connection of its own, so that a busy pool is never taken for a server
//! that is down, and checks the server's settings and schema whenever it comes back. A schema that is
//! behind is waited for.

use std::convert::Infallible;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sqlx::{ConnectOptions, PgConnection, PgPool};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::health::{Dependency, Health};
use crate::instruments::{CLOCK_OFFSET_SECONDS, POOL_CONNECTIONS};
use crate::pool::DatabaseConfig;
use crate::schema::Divergence;
use crate::server_check::{Refusal, ServerCheckError, check_server, options_refused};

/// How often the server is looked at.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long one answer may take.
const BOUND: Duration = Duration::from_secs(1);

/// What is known of the database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DatabaseHealth {
    postgres: Dependency,
    schema: Dependency,
    fit: CancellationToken,
}

impl DatabaseHealth {
    /// Adds the server and its schema to what the process depends on.
    pub fn require(health: &mut Health) -> Self {
        Self {
            postgres: health.require("postgres"),
            schema: health.require("schema"),
            fit: CancellationToken::new(),
        }
    }

    /// Comes once a server was found fit for us, with the schema of this release or a newer one.
    pub async fn fit(&self) {
        self.fit.cancelled().await;
    }

    /// Whether the server answered when last looked at.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.postgres.is_up()
    }

    fn found_fit(&self) {
        self.postgres.up();
        self.schema.up();
        self.fit.cancel();
    }
}

/// Why the server counts as down.
#[derive(Debug, thiserror::Error)]
enum Down {
    #[error("it cannot be connected to")]
    Connect(#[source] sqlx::Error),
    #[error("it cannot be checked")]
    Check(#[source] ServerCheckError),
    #[error("its schema is behind")]
    Behind(#[source] Divergence),
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
    database: DatabaseHealth,
    finish: CancellationToken,
) -> Result<(), ServerCheckError> {
    let watch = async {
        loop {
            match watch_once(&config, application_name, &pool, &database).await {
                Err(Down::Check(refused @ ServerCheckError::Refused(_))) => return Err(refused),
                Err(Down::Behind(divergence)) => {
                    database.postgres.up();
                    database.schema.down(&divergence);
                }
                Err(down @ (Down::Connect(_) | Down::Check(_) | Down::Ping(_) | Down::Silent)) => {
                    database.postgres.down(&down);
                }
            }
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
    database: &DatabaseHealth,
) -> Result<Infallible, Down> {
    let mut connection = connect(config, application_name).await?;
    config.server_returned();
    loop {
        database.found_fit();
        record_pool_use(pool);
        tokio::time::sleep(INTERVAL).await;
        let offset = timeout(BOUND, clock_offset(&mut connection))
            .await
            .map_err(|_| Down::Silent)?
            .map_err(Down::Ping)?;
        CLOCK_OFFSET_SECONDS.of([]).set(offset);
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
        .map_err(not_fit)?;
    Ok(connection)
}

/// A schema that is behind comes after us; everything else is wrong.
fn not_fit(error: ServerCheckError) -> Down {
    match error {
        ServerCheckError::Refused(refusals) => match refusals.as_slice() {
            [Refusal::Schema(behind @ Divergence::Missing(_))] => Down::Behind(behind.clone()),
            _ => Down::Check(ServerCheckError::Refused(refusals)),
        },
        unreachable @ ServerCheckError::Unreachable(_) => Down::Check(unreachable),
    }
}

/// Our clock minus the server's, in seconds, as if it had answered halfway through the wait.
async fn clock_offset(connection: &mut PgConnection) -> Result<f64, sqlx::Error> {
    let asked = Instant::now();
    let server = sqlx::query_scalar!(
        r#"SELECT extract(epoch FROM clock_timestamp())::double precision AS "now!""#
    )
    .fetch_one(connection)
    .await?;
    #[expect(
        clippy::disallowed_methods,
        reason = "it is this very clock that is compared"
    )]
    let ours = SystemTime::now().duration_since(UNIX_EPOCH);
    let halfway = asked.elapsed() / 2;
    Ok(ours.unwrap_or_default().as_secs_f64() - halfway.as_secs_f64() - server)
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
    POOL_CONNECTIONS.of(["used"]).set(used);
    POOL_CONNECTIONS.of(["idle"]).set(idle);
}
