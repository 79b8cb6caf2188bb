//! A Redis of one test alone, to crash and to trouble.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dev_servers::{Port, PrivateRedis, RedisOptions, ServerError, scratch_folder};

use crate::eventually;
use crate::server::{blocking, chain, workspace};

const FOLLOWED_WITHIN: Duration = Duration::from_secs(30);

/// A private Redis that a test may crash, start again and say anything to.
#[derive(Debug)]
pub struct TestRedis {
    server: Arc<Mutex<PrivateRedis>>,
    port: u16,
}

impl TestRedis {
    /// Starts one, empty.
    ///
    /// # Panics
    /// When no Redis can be started; with the reason.
    pub async fn start() -> Self {
        let options = RedisOptions {
            folder: scratch_folder(&workspace().join("target/atlas/tests")),
            port: Port::Free,
        };
        let server = blocking(|| PrivateRedis::start(options)).await;
        let server =
            server.unwrap_or_else(|error| panic!("no Redis for a test: {}", chain(&error)));
        Self {
            port: server.port(),
            server: Arc::new(Mutex::new(server)),
        }
    }

    /// The URL with which applications are configured.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port of 127.0.0.1 that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Says something to it, and returns its answer.
    ///
    /// # Panics
    /// When it refuses.
    pub async fn say(&self, words: &[&str]) -> String {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        self.control("speak to", move |server| {
            server.say(&words.iter().map(String::as_str).collect::<Vec<_>>())
        })
        .await
    }

    /// Makes it a replica of the other, which from now on takes no writes, and waits until it has
    /// all that the other has.
    ///
    /// # Panics
    /// When it does not come to that.
    pub async fn follow(&self, other: &Self) {
        self.say(&["REPLICAOF", "127.0.0.1", &other.port.to_string()])
            .await;
        eventually(
            "a replica that is up to date",
            FOLLOWED_WITHIN,
            async || {
                let said = self.say(&["INFO", "replication"]).await;
                if said.contains("master_link_status:up") {
                    Ok(())
                } else {
                    Err(said)
                }
            },
        )
        .await;
    }

    /// Makes a replica a primary, which takes writes.
    ///
    /// # Panics
    /// When it refuses.
    pub async fn lead(&self) {
        self.say(&["REPLICAOF", "NO", "ONE"]).await;
    }

    /// Ends it at once, as a crash would.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub async fn kill(&self) {
        self.control("kill", PrivateRedis::kill).await;
    }

    /// Starts it again, empty, on the same port.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn restart(&self) {
        self.control("restart", PrivateRedis::restart).await;
    }

    async fn control<T: Send + 'static>(
        &self,
        what: &str,
        action: impl FnOnce(&mut PrivateRedis) -> Result<T, ServerError> + Send + 'static,
    ) -> T {
        let server = Arc::clone(&self.server);
        blocking(move || action(&mut server.lock().unwrap_or_else(PoisonError::into_inner)))
            .await
            .unwrap_or_else(|error| panic!("cannot {what} a test's Redis: {}", chain(&error)))
    }
}
