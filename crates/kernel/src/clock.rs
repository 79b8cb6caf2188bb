//! Time as an argument. Only [`SystemClock`] reads the machine's clock; `clippy.toml` bans it
//! everywhere else.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// Tells the time. Tests drive one by hand.
pub trait Clock: Send + Sync {
    /// The current instant, in whole microseconds.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one owner of the wall clock"
    )]
    fn now(&self) -> DateTime<Utc> {
        truncate_to_micros(Utc::now())
    }
}

/// Cuts an instant to whole microseconds, the precision that every store and wire of ours keeps.
#[must_use]
pub fn truncate_to_micros(instant: DateTime<Utc>) -> DateTime<Utc> {
    instant
        .duration_trunc(TimeDelta::microseconds(1))
        .unwrap_or_else(|_| instant_from_micros(instant.timestamp_micros()).unwrap_or(instant))
}

/// The instant `micros` microseconds after the Unix epoch, if the calendar reaches that far.
#[must_use]
pub fn instant_from_micros(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}
