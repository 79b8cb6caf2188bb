//! A gateway in front of a test's applications.

use dev_servers::{Compressed, NginxOptions, PrivateNginx, reachable_folder, scratch_folder};

use crate::server::{blocking, chain, workspace};

/// An nginx that compresses every answer for whoever takes it so.
#[derive(Debug)]
pub struct TestGateway(PrivateNginx);

impl TestGateway {
    /// Starts one in front of what listens on these ports of 127.0.0.1.
    ///
    /// # Panics
    /// When none can be started; with the reason.
    pub async fn in_front_of(backends: &[u16]) -> Self {
        Self::compressing(Compressed::Everything, backends).await
    }

    /// The same, which compresses what nginx does of itself.
    ///
    /// # Panics
    /// When none can be started; with the reason.
    pub async fn as_shipped(backends: &[u16]) -> Self {
        Self::compressing(Compressed::AsShipped, backends).await
    }

    async fn compressing(compressed: Compressed, backends: &[u16]) -> Self {
        let options = NginxOptions {
            folder: scratch_folder(&reachable_folder(&workspace().join("target/atlas/tests"))),
            backends: backends.to_vec(),
            compressed,
        };
        let nginx = blocking(move || PrivateNginx::start(&options)).await;
        Self(nginx.unwrap_or_else(|error| panic!("no nginx for a test: {}", chain(&error))))
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
