//! The servers that test databases live on: one for the whole run, or one to crash.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dev_servers::{
    Port, PostgresOptions, PrivatePostgres, ServerError, Shutdown, reachable_folder, scratch_folder,
};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::sync::OnceCell;

/// A private Postgres that a test may stop, crash and start again.
#[derive(Debug)]
pub struct TestServer {
    postgres: Arc<Mutex<PrivatePostgres>>,
    superuser: PgConnectOptions,
}

impl TestServer {
    /// Starts one, empty but for roles and template.
    ///
    /// # Panics
    /// When no Postgres can be started; with the reason.
    pub async fn start() -> Self {
        let postgres = blocking(|| PrivatePostgres::start(options())).await;
        let postgres =
            postgres.unwrap_or_else(|error| panic!("no Postgres for tests: {}", chain(&error)));
        let superuser = superuser(&postgres.superuser_url());
        Self {
            postgres: Arc::new(Mutex::new(postgres)),
            superuser,
        }
    }

    /// Stops the server hard, as a crash would.
    ///
    /// # Panics
    /// When it cannot be stopped.
    pub async fn stop_immediate(&self) {
        self.control("stop", |postgres| postgres.stop(Shutdown::Immediate))
            .await;
    }

    /// Starts it again, on the same port and data. Connections of before are broken.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn restart(&self) {
        self.control("restart", PrivatePostgres::restart).await;
    }

    pub(crate) fn superuser(&self) -> &PgConnectOptions {
        &self.superuser
    }

    async fn control(
        &self,
        what: &str,
        action: impl FnOnce(&mut PrivatePostgres) -> Result<(), ServerError> + Send + 'static,
    ) {
        let postgres = Arc::clone(&self.postgres);
        blocking(move || action(&mut lock(&postgres)))
            .await
            .unwrap_or_else(|error| panic!("cannot {what} a test's Postgres: {}", chain(&error)));
    }
}

/// Where a superuser enters the server that all tests share.
pub(crate) async fn shared() -> PgConnectOptions {
    static OWN: OnceCell<TestServer> = OnceCell::const_new();
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the owner of the tests' one variable"
    )]
    let given = std::env::var("ATLAS_TEST_POSTGRES");
    match given {
        Ok(url) => superuser(&url),
        Err(_) => OWN.get_or_init(TestServer::start).await.superuser.clone(),
    }
}

fn superuser(url: &str) -> PgConnectOptions {
    PgConnectOptions::from_str(url)
        .unwrap_or_else(|error| panic!("ATLAS_TEST_POSTGRES is no Postgres URL: {error}"))
        .ssl_mode(PgSslMode::Disable)
}

fn options() -> PostgresOptions {
    PostgresOptions {
        folder: scratch_folder(&reachable_folder(&workspace().join("target/atlas/tests"))),
        port: Port::Free,
        keep: false,
        binaries: None,
        roles: workspace().join("deploy/roles.sql"),
    }
}

/// PostgreSQL's own tester of interleavings.
///
/// # Panics
/// Where the machine has none; with the package to install.
#[must_use]
pub fn isolation_tester() -> PathBuf {
    dev_servers::isolation_tester().unwrap_or_else(|| {
        panic!(
            "no isolationtester in lib/pgxs/src/test/isolation of the Postgres server: \
             `cargo xtask test` installs it, or `apt-get install postgresql-client` does"
        )
    })
}

/// The root of the checkout that the tests were built from.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| panic!("a server's thread ended: {error}"))
}

fn lock(postgres: &Mutex<PrivatePostgres>) -> MutexGuard<'_, PrivatePostgres> {
    postgres.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error and what lies behind it, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
