//! What the process is told by its environment.

use std::net::SocketAddr;

use service_runtime::config::{Faulty, Reader, Section, Variable, count};
use service_runtime::{DatabaseConfig, RateConfig, RequestConfig, TokenConfig, listen_address};

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
    /// How often principals may ask.
    pub rate: RateConfig,
    /// How often commissioners may place orders.
    pub placing: PlacingConfig,
}

/// How often commissioners may place orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacingConfig {
    /// How many orders at once; 0 is no limit.
    pub burst: u32,
    /// How many orders a minute; 0 is no limit.
    pub per_minute: u32,
}

impl PlacingConfig {
    /// `ATLAS_RATE_PLACE_BURST`.
    pub const BURST: Variable = Variable::with_default(
        "ATLAS_RATE_PLACE_BURST",
        "10",
        "how many orders a commissioner may place at once; 0 is no limit",
    );
    /// `ATLAS_RATE_PLACE_PER_MINUTE`.
    pub const PER_MINUTE: Variable = Variable::with_default(
        "ATLAS_RATE_PLACE_PER_MINUTE",
        "10",
        "how many orders a commissioner may place a minute; 0 is no limit",
    );
}

impl Section for PlacingConfig {
    fn read(reader: &mut Reader) -> Result<Self, Faulty> {
        let burst = reader.required(&Self::BURST, count(0..=RateConfig::MOST));
        let per_minute = reader.required(&Self::PER_MINUTE, count(0..=RateConfig::MOST));
        Ok(Self {
            burst: burst?,
            per_minute: per_minute?,
        })
    }
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
        let rate = RateConfig::read(reader);
        let placing = PlacingConfig::read(reader);
        Ok(Self {
            address: address?,
            database: database?,
            requests: requests?,
            tokens: tokens?,
            rate: rate?,
            placing: placing?,
        })
    }
}
