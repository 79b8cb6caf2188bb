//! What the daemon is configured by.

use std::net::SocketAddr;
use std::time::Duration;

use service_runtime::config::{Faulty, Reader, Section, Variable, millis, text};
use service_runtime::{DatabaseConfig, listen_address};

/// The daemon's configuration.
#[derive(Debug)]
pub(crate) struct ProjectorConfig {
    pub(crate) database: DatabaseConfig,
    /// Kafka's bootstrap servers.
    pub(crate) brokers: String,
    pub(crate) address: SocketAddr,
    /// How long a dead owner's lease keeps others from its work.
    pub(crate) lease: Duration,
}

impl ProjectorConfig {
    const BROKERS: Variable = Variable::required(
        "ATLAS_KAFKA_BROKERS",
        "where Kafka is, as HOST:PORT, several separated by commas",
    );
    const ADDRESS: Variable = Variable::with_default(
        "ATLAS_PROJECTOR_ADDR",
        "127.0.0.1:8082",
        "where the projector serves health and metrics",
    );
    const LEASE: Variable = Variable::with_default(
        "ATLAS_LEASE_MS",
        "10000",
        "how long a lease outlives its owner, in milliseconds",
    );
}

impl Section for ProjectorConfig {
    fn read(reader: &mut Reader) -> Result<Self, Faulty> {
        let database = DatabaseConfig::read(reader);
        let brokers = reader.required(&Self::BROKERS, text);
        let address = listen_address(reader, &Self::ADDRESS);
        let lease = reader.required(&Self::LEASE, millis(500..=300_000));
        Ok(Self {
            database: database?,
            brokers: brokers?,
            address: address?,
            lease: lease?,
        })
    }
}
