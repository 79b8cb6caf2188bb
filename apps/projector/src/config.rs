//! What the daemon is configured by.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use bonus_store::ConflictMode;
use messaging::topics::Retention;
use service_runtime::config::{Faulty, Reader, Section, Variable, count, millis, text};
use service_runtime::{DatabaseConfig, listen_address};

/// The daemon's configuration.
#[derive(Debug)]
pub(crate) struct ProjectorConfig {
    pub(crate) database: DatabaseConfig,
    /// Kafka's bootstrap servers.
    pub(crate) brokers: String,
    /// How long the topics that are made keep their messages.
    pub(crate) retention: Retention,
    /// What becomes of facts whose account is not of the policy in force.
    pub(crate) conflict: Conflicts,
    pub(crate) address: SocketAddr,
    /// How long a dead owner's lease keeps others from its work.
    pub(crate) lease: Duration,
    /// How often every checkpoint is recomputed from the events.
    pub(crate) audit_interval: Duration,
    /// Within what time every row is compared with its events again.
    pub(crate) audit_window: Duration,
}

/// What becomes of facts whose account is not of the policy in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Conflicts(pub(crate) ConflictMode);

impl FromStr for Conflicts {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ingest-and-recompute" => Ok(Self(ConflictMode::Ingest)),
            "dead-letter" => Ok(Self(ConflictMode::Refuse)),
            _ => Err("is neither ingest-and-recompute nor dead-letter"),
        }
    }
}

impl ProjectorConfig {
    const BROKERS: Variable = Variable::required(
        "ATLAS_KAFKA_BROKERS",
        "where Kafka is, as HOST:PORT, several separated by commas",
    );
    const RETENTION: Variable = Variable::with_default(
        "ATLAS_KAFKA_RETENTION_DAYS",
        "30",
        "how many days the topics that are made keep their messages, 0 for ever",
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
    const AUDIT_INTERVAL: Variable = Variable::with_default(
        "ATLAS_AUDIT_INTERVAL_MS",
        "3600000",
        "how often every checkpoint is recomputed from the events, in milliseconds",
    );
    const AUDIT_WINDOW: Variable = Variable::with_default(
        "ATLAS_AUDIT_WINDOW_HOURS",
        "24",
        "within how many hours every row is compared with its events again",
    );

    const CONFLICT: Variable = Variable::with_default(
        "ATLAS_POLICY_CONFLICT",
        "ingest-and-recompute",
        "what becomes of facts whose account is of another policy than the one in force: \
         ingest-and-recompute or dead-letter",
    );

    /// `ATLAS_POLICY_CONFLICT`, for whoever takes facts in or puts a policy in force.
    pub(crate) fn read_conflict(reader: &mut Reader) -> Result<Conflicts, Faulty> {
        reader.required(&Self::CONFLICT, str::parse)
    }

    /// `ATLAS_LEASE_MS`, for whoever holds a lease.
    pub(crate) fn read_lease(reader: &mut Reader) -> Result<Duration, Faulty> {
        reader.required(&Self::LEASE, millis(500..=300_000))
    }
}

impl Section for ProjectorConfig {
    fn read(reader: &mut Reader) -> Result<Self, Faulty> {
        let database = DatabaseConfig::read(reader);
        let brokers = reader.required(&Self::BROKERS, text);
        let retention = reader.required(&Self::RETENTION, count(0..=36_500));
        let conflict = Self::read_conflict(reader);
        let address = listen_address(reader, &Self::ADDRESS);
        let lease = Self::read_lease(reader);
        let interval = reader.required(&Self::AUDIT_INTERVAL, millis(1_000..=86_400_000));
        let window = reader.required(&Self::AUDIT_WINDOW, count(1..=8_760));
        Ok(Self {
            database: database?,
            brokers: brokers?,
            retention: Retention::of_days(retention?),
            conflict: conflict?,
            address: address?,
            lease: lease?,
            audit_interval: interval?,
            audit_window: Duration::from_secs(u64::from(window?) * 3_600),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(days: &str) -> Option<Retention> {
        let mut reader = Reader::of([
            ("ATLAS_DATABASE_URL", "postgres://atlas_app@127.0.0.1/atlas"),
            ("ATLAS_KAFKA_BROKERS", "127.0.0.1:9092"),
            ("ATLAS_KAFKA_RETENTION_DAYS", days),
        ]);
        let config = reader.read::<ProjectorConfig>();
        config.ok().map(|config| config.retention)
    }

    #[test]
    fn topics_keep_thirty_days_or_what_is_asked_for() {
        assert_eq!(read(""), Some(Retention::of_days(30)));
        assert_eq!(read("0"), Some(Retention::of_days(0)));
        for refused in ["-1", "1.5", "36501", "for ever"] {
            assert_eq!(read(refused), None, "{refused}");
        }
    }
}
