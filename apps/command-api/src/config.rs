//! What the process is told by its environment.

use std::net::SocketAddr;

use axum::http::HeaderValue;
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
    /// The origins whose pages may use the API from browsers, beside its own.
    pub pages: Vec<HeaderValue>,
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
    /// `ATLAS_PAGES_ORIGINS`.
    pub const PAGES: Variable = Variable::optional(
        "ATLAS_PAGES_ORIGINS",
        "the origins of pages that browsers may use the command API from, separated by commas",
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
        let pages = reader.optional(&Self::PAGES, origins);
        Ok(Self {
            address: address?,
            database: database?,
            requests: requests?,
            tokens: tokens?,
            rate: rate?,
            placing: placing?,
            pages: pages?.unwrap_or_default(),
        })
    }
}

/// Reads origins as browsers write them: scheme and authority, and nothing after.
fn origins(text: &str) -> Result<Vec<HeaderValue>, &'static str> {
    const EXPECTED: &str = "expected origins such as https://atlas.example, separated by commas";
    let origin = |text: &str| {
        let (scheme, authority) = text.split_once("://")?;
        let plain = matches!(scheme, "http" | "https")
            && !authority.is_empty()
            && !authority.contains(['/', '?', '#', '@', '*', ' ']);
        plain.then(|| HeaderValue::from_str(text).ok())?
    };
    text.split(',')
        .map(|each| origin(each.trim()).ok_or(EXPECTED))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_taken_as_browsers_write_them() {
        let taken = origins("http://127.0.0.1:8081, https://atlas.example").unwrap();
        assert_eq!(taken, ["http://127.0.0.1:8081", "https://atlas.example"]);
        for refused in [
            "*",
            "atlas.example",
            "https://",
            "https://a/",
            "ftp://a",
            "https://a,",
        ] {
            assert!(origins(refused).is_err(), "{refused}");
        }
    }
}
