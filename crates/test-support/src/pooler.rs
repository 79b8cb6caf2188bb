//! A pooler in front of a test's database.

use dev_servers::{PgBouncerOptions, PrivatePgBouncer, reachable_folder, scratch_folder};

use crate::TestDatabase;
use crate::server::{blocking, chain, workspace};

/// A PgBouncer in transaction mode, which gives each transaction another session.
#[derive(Debug)]
pub struct TestPooler {
    /// Runs for as long as this lives.
    _bouncer: PrivatePgBouncer,
    url: String,
}

impl TestPooler {
    /// Starts one in front of `database`. What connections ask for of `ignored`, separated by
    /// commas, they are not given; whatever else they ask for, they are refused.
    ///
    /// # Panics
    /// When none can be started; with the reason.
    pub async fn in_front_of(database: &TestDatabase, ignored: &'static str) -> Self {
        let postgres = database.options("atlas_app").get_port();
        let options = PgBouncerOptions {
            folder: scratch_folder(&reachable_folder(&workspace().join("target/atlas/tests"))),
            postgres,
            user: "atlas_app",
            ignored,
        };
        let bouncer = blocking(move || PrivatePgBouncer::start(&options)).await;
        let bouncer =
            bouncer.unwrap_or_else(|error| panic!("no PgBouncer for a test: {}", chain(&error)));
        let (direct, pooled) = (format!(":{postgres}/"), format!(":{}/", bouncer.port()));
        Self {
            url: database.url_app().replace(&direct, &pooled),
            _bouncer: bouncer,
        }
    }

    /// The URL with which applications would be configured.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}
