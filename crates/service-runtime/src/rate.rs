//! How often principals may ask, and where processes share the count.

use std::fmt;

use secrecy::SecretString;

use crate::config::{Faulty, Reader, Section, Variable, count};

/// How often principals may ask.
pub struct RateConfig {
    /// The Redis through which processes share what they count; none: each counts for itself.
    pub redis: Option<SecretString>,
    /// How many requests a principal may send a minute; 0 is no limit.
    pub requests_per_minute: u32,
}

impl RateConfig {
    /// `ATLAS_REDIS_URL`.
    pub const REDIS: Variable = Variable::optional(
        "ATLAS_REDIS_URL",
        "the Redis through which processes share rate limits, as redis://USER:PASSWORD@HOST:PORT",
    )
    .secret();
    /// `ATLAS_RATE_ALL_PER_MINUTE`.
    pub const REQUESTS: Variable = Variable::with_default(
        "ATLAS_RATE_ALL_PER_MINUTE",
        "6000",
        "how many requests a principal may send a minute; 0 is no limit",
    );
    /// The most that a limit may allow.
    pub const MOST: u32 = 1_000_000;
}

impl fmt::Debug for RateConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateConfig")
            .field("redis", &self.redis.is_some())
            .field("requests_per_minute", &self.requests_per_minute)
            .finish()
    }
}

impl Section for RateConfig {
    fn read(reader: &mut Reader) -> Result<Self, Faulty> {
        let redis = reader.optional(&Self::REDIS, redis_url);
        let requests = reader.required(&Self::REQUESTS, count(0..=Self::MOST));
        Ok(Self {
            redis: redis?,
            requests_per_minute: requests?,
        })
    }
}

fn redis_url(url: &str) -> Result<SecretString, &'static str> {
    if url.starts_with("redis://") {
        Ok(url.into())
    } else {
        Err("expected a redis:// URL")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_on_and_in_the_process_unless_something_else_is_said() {
        let rate: RateConfig = Reader::of([]).read().unwrap();
        assert_eq!(rate.requests_per_minute, 6000);
        assert!(rate.redis.is_none());
    }

    #[test]
    fn faults_are_told_without_the_password() {
        let mut reader = Reader::of([
            ("ATLAS_REDIS_URL", "rediss://:s3cret@redis.example"),
            ("ATLAS_RATE_ALL_PER_MINUTE", "-1"),
        ]);
        let faults = reader.read::<RateConfig>().unwrap_err().to_string();
        assert!(faults.contains("ATLAS_REDIS_URL cannot be read: expected a redis:// URL"));
        assert!(faults.contains("expected a whole number from 0 to 1000000"));
        assert!(!faults.contains("s3cret"), "{faults}");
        let url = [("ATLAS_REDIS_URL", "redis://:s3cret@redis.example")];
        let rate: RateConfig = Reader::of(url).read().unwrap();
        assert!(!format!("{rate:?}").contains("s3cret"));
    }
}
