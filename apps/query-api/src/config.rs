//! What the process is told by its environment.

use std::net::SocketAddr;
use std::time::Duration;

use service_runtime::config::{Faulty, Reader, Section, Variable, millis};
use service_runtime::{DatabaseConfig, RateConfig, RequestConfig, TokenConfig, listen_address};

use crate::pages::PagesConfig;

/// The configuration of the process.
#[derive(Debug)]
pub struct Config {
    /// Where to listen.
    pub address: SocketAddr,
    /// Where the read models are.
    pub database: DatabaseConfig,
    /// The bounds of one request.
    pub requests: RequestConfig,
    /// Whose tokens are trusted.
    pub tokens: TokenConfig,
    /// How often principals may ask.
    pub rate: RateConfig,
    /// How long a read waits for the position that the client asks for.
    pub min_position_wait: Duration,
    /// What the pages are told.
    pub pages: PagesConfig,
}

impl Config {
    /// `ATLAS_QUERY_ADDR`.
    pub const ADDRESS: Variable = Variable::with_default(
        "ATLAS_QUERY_ADDR",
        "127.0.0.1:8081",
        "where the query API listens",
    );
    /// `ATLAS_MIN_POSITION_WAIT_MS`.
    pub const MIN_POSITION_WAIT: Variable = Variable::with_default(
        "ATLAS_MIN_POSITION_WAIT_MS",
        "2000",
        "how long a read waits for the position that the client asks for, in milliseconds",
    );
}

impl Section for Config {
    fn read(reader: &mut Reader) -> Result<Self, Faulty> {
        let address = listen_address(reader, &Self::ADDRESS);
        let database = DatabaseConfig::read(reader);
        let requests = RequestConfig::read(reader);
        let tokens = TokenConfig::read(reader);
        let rate = RateConfig::read(reader);
        let min_position_wait = reader.required(&Self::MIN_POSITION_WAIT, millis(0..=600_000));
        let pages = PagesConfig::read(reader);
        Ok(Self {
            address: address?,
            database: database?,
            requests: requests?,
            tokens: tokens?,
            rate: rate?,
            min_position_wait: min_position_wait?,
            pages: pages?,
        })
    }
}
