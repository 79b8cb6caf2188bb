//! How long the topics keep their messages.

use std::num::NonZeroU32;

const MILLISECONDS_A_DAY: i64 = 24 * 60 * 60 * 1000;

/// How long a topic keeps its messages. The store is what lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention(Option<NonZeroU32>);

impl Retention {
    /// So many days of 24 h; 0 is for ever.
    #[must_use]
    pub const fn of_days(days: u32) -> Self {
        Self(NonZeroU32::new(days))
    }

    /// As Kafka's setting `retention.ms` has it.
    pub(super) fn milliseconds(self) -> i64 {
        self.0
            .map_or(-1, |days| i64::from(days.get()) * MILLISECONDS_A_DAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_days_are_for_ever() {
        assert_eq!(Retention::of_days(0).milliseconds(), -1);
        assert_eq!(Retention::of_days(30).milliseconds(), 2_592_000_000);
    }
}
