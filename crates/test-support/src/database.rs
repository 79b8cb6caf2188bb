//! A database for one test.

use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::server::{self, TestServer};
use crate::template;

/// What the applications set on their connections, see the design of the store.
const APP_SETTINGS: [(&str, &str); 3] = [
    ("statement_timeout", "8s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "5s"),
];

/// A database with our schema and no rows, of one test alone. Dropping it removes it.
#[derive(Debug)]
pub struct TestDatabase {
    superuser: PgConnectOptions,
    name: String,
}

impl TestDatabase {
    /// Makes one on the server that all tests share.
    ///
    /// # Panics
    /// When it cannot be made; with the reason.
    pub async fn create() -> Self {
        Self::copy_template(server::shared().await).await
    }

    /// Makes one on a server that the test may crash.
    ///
    /// # Panics
    /// When it cannot be made; with the reason.
    pub async fn create_on(server: &TestServer) -> Self {
        Self::copy_template(server.superuser().clone()).await
    }

    /// Connections as `atlas_app` with the settings that the applications have.
    ///
    /// # Panics
    /// When the server refuses the connection.
    pub async fn pool_app(&self) -> PgPool {
        let options = self.options("atlas_app").options(APP_SETTINGS);
        self.pool(pool_options(), options).await
    }

    /// Connections as `atlas_app` as the caller wants them; no settings are made.
    ///
    /// # Panics
    /// When the server refuses the connection.
    pub async fn pool_app_with(&self, pool: PgPoolOptions) -> PgPool {
        self.pool(pool, self.options("atlas_app")).await
    }

    /// Connections as `atlas_owner`, who may change everything, and append by plain INSERT.
    ///
    /// # Panics
    /// When the server refuses the connection.
    pub async fn pool_owner(&self) -> PgPool {
        self.pool(pool_options(), self.options("atlas_owner")).await
    }

    /// Connections as a superuser, for what is no part of the schema.
    ///
    /// # Panics
    /// When the server refuses the connection.
    pub async fn pool_superuser(&self) -> PgPool {
        let options = self.options(self.superuser.get_username());
        self.pool(pool_options(), options).await
    }

    /// How to connect as this role.
    #[must_use]
    pub fn options(&self, role: &str) -> PgConnectOptions {
        self.superuser.clone().username(role).database(&self.name)
    }

    /// The URL with which applications are configured.
    #[must_use]
    pub fn url_app(&self) -> String {
        self.url("atlas_app")
    }

    /// The URL of a superuser, for tools that look at everybody's locks.
    #[must_use]
    pub fn url_superuser(&self) -> String {
        self.url(self.superuser.get_username())
    }

    /// The URL for this role.
    #[must_use]
    pub fn url(&self, role: &str) -> String {
        let (host, port) = (self.superuser.get_host(), self.superuser.get_port());
        format!("postgres://{role}@{host}:{port}/{}", self.name)
    }

    /// One with the roles and no schema, for whoever brings it.
    ///
    /// # Panics
    /// When none can be made; with the reason.
    pub async fn without_schema() -> Self {
        Self::copy(server::shared().await, None).await
    }

    async fn copy_template(superuser: PgConnectOptions) -> Self {
        let template = template::migrated(&superuser).await;
        let template = template.unwrap_or_else(|error| panic!("no template for a test: {error}"));
        Self::copy(superuser, Some(template)).await
    }

    async fn copy(superuser: PgConnectOptions, template: Option<String>) -> Self {
        let name = format!("test_{:016x}", RandomState::new().hash_one(0));
        let template = template.as_deref().unwrap_or(template::ROLES_ALONE);
        let made = async {
            let mut admin = superuser.connect().await?;
            // Rights on a database itself are not copied: these are what the migrations give.
            for statement in [
                format!("CREATE DATABASE {name} TEMPLATE {template} OWNER atlas_owner"),
                format!("REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC"),
                format!("GRANT CONNECT ON DATABASE {name} TO atlas_app, atlas_analyst"),
            ] {
                admin.execute(statement.as_str()).await?;
            }
            admin.close().await
        };
        if let Err(error) = made.await {
            panic!("no database for a test: {error}");
        }
        Self { superuser, name }
    }

    async fn pool(&self, pool: PgPoolOptions, options: PgConnectOptions) -> PgPool {
        pool.connect_with(options)
            .await
            .unwrap_or_else(|error| panic!("no connection to a test's database: {error}"))
    }
}

/// No pings: nobody but the test closes its connections.
fn pool_options() -> PgPoolOptions {
    PgPoolOptions::new()
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(30))
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let superuser = self.superuser.clone();
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let remove = async move {
            let mut admin = superuser.connect().await?;
            admin.execute(statement.as_str()).await?;
            admin.close().await
        };
        // A thread of its own: the test's runtime may be gone. Best effort: the server may be, too,
        // and it is thrown away anyway.
        let removed = thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.map(|runtime| runtime.block_on(remove))
        });
        drop(removed.join());
    }
}
