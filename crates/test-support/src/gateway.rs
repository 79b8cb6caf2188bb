//! A gateway in front of a test's applications.

use dev_servers::{Compressed, NginxOptions, PrivateNginx, reachable_folder, scratch_folder};

use crate::server::{blocking, chain, workspace};

/// An nginx that compresses every answer for whoever takes it so, and shares requests out.
#[derive(Debug)]
pub struct TestGateway(PrivateNginx);

impl TestGateway {
    /// Starts one in front of what listens on these ports of 127.0.0.1.
    ///
    /// # Panics
    /// When none can be started; with the reason.
    pub async fn in_front_of(backends: &[u16]) -> Self {
        let each = backends.iter().map(|port| vec![*port]).collect();
        Self::start(each, Compressed::Everything).await
    }

    /// The same, which compresses what nginx does of itself.
    ///
    /// # Panics
    /// When none can be started; with the reason.
    pub async fn as_shipped(backends: &[u16]) -> Self {
        let each = backends.iter().map(|port| vec![*port]).collect();
        Self::start(each, Compressed::AsShipped).await
    }

    /// Starts one that shares out among what listens on these ports, a list for each of its own.
    ///
    /// # Panics
    /// When none can be started; with the reason.
    pub async fn sharing(backends: Vec<Vec<u16>>) -> Self {
        Self::start(backends, Compressed::Everything).await
    }

    async fn start(backends: Vec<Vec<u16>>, compressed: Compressed) -> Self {
        let options = NginxOptions {
            folder: scratch_folder(&reachable_folder(&workspace().join("target/atlas/tests"))),
            backends,
            compressed,
        };
        let nginx = blocking(move || PrivateNginx::start(&options)).await;
        Self(nginx.unwrap_or_else(|error| panic!("no nginx for a test: {}", chain(&error))))
    }

    /// Shares out among these from now on.
    ///
    /// # Panics
    /// When it cannot be told so.
    pub fn share_among(&mut self, backends: &[Vec<u16>]) {
        if let Err(error) = self.0.share_among(backends) {
            panic!("nginx cannot be told: {}", chain(&error));
        }
    }

    /// Where what is behind it is reached through it, in the same order.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let ports = self.0.ports().iter();
        ports
            .map(|port| format!("http://127.0.0.1:{port}"))
            .collect()
    }
}
