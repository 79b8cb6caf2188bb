//! A Redis of one test alone, to crash and to trouble.

use std::sync::{Arc, Mutex, PoisonError};

use dev_servers::{Port, PrivateRedis, RedisOptions, ServerError, scratch_folder};

use crate::server::{blocking, chain, workspace};

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
    pub async fn say(&self, words: &'static [&'static str]) -> String {
        self.control("speak to", move |server| server.say(words))
            .await
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
