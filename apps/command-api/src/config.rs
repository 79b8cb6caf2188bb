//! What the process is told by its environment.

use std::net::SocketAddr;

use service_runtime::config::{Faulty, Reader, Section, Variable};
use service_runtime::{DatabaseConfig, RequestConfig, TokenConfig, listen_address};

/// The configuration of the process.
#[derive(Debug)]
pub struct Config {
    /// Where to listen.
    pub address: SocketAddr,
    /// Where the store is.
    pub database: DatabaseConfig,
    /// The bounds of one request.
    pub requests: RequestConfig,
    /// Whose tokens are trusted.
    pub tokens: TokenConfig,
}

impl Config {
    /// `ATLAS_COMMAND_ADDR`.
    pub const ADDRESS: Variable = Variable::with_default(
        "ATLAS_COMMAND_ADDR",
        "127.0.0.1:8080",
        "where the command API listens",
    );
}

impl Section for Config {
    fn read(reader: &mut Reader) -> Result<Self, Faulty> {
        let address = listen_address(reader, &Self::ADDRESS);
        let database = DatabaseConfig::read(reader);
        let requests = RequestConfig::read(reader);
        let tokens = TokenConfig::read(reader);
        Ok(Self {
            address: address?,
            database: database?,
            requests: requests?,
            tokens: tokens?,
        })
    }
}
