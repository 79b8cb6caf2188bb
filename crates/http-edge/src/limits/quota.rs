//! How often something may be done, as a bucket: it holds a burst, and is filled again evenly.
//!
//! All that is kept of a bucket is the instant at which it is full again (GCRA). Times here are
//! microseconds; `spend.lua` is the same arithmetic in Redis.

use std::num::NonZeroU32;
use std::time::Duration;

const MICROS_PER_MINUTE: u64 = 60_000_000;
const MICROS_PER_SECOND: u64 = 1_000_000;

/// How often something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    burst: NonZeroU32,
    per_minute: NonZeroU32,
}

impl Quota {
    /// Of which there is always one, and each is counted: it shows whether counts can be kept.
    pub(super) const PROBE: Self = Self {
        burst: NonZeroU32::MIN,
        per_minute: NonZeroU32::MAX,
    };

    /// As often as `burst` at once, and `per_minute` in the long run. None, no limit, where either
    /// is 0.
    #[must_use]
    pub fn new(burst: u32, per_minute: u32) -> Option<Self> {
        Some(Self {
            burst: NonZeroU32::new(burst)?,
            per_minute: NonZeroU32::new(per_minute)?,
        })
    }

    /// How many times at once.
    #[must_use]
    pub const fn burst(self) -> u32 {
        self.burst.get()
    }

    /// How many times a minute.
    #[must_use]
    pub const fn per_minute(self) -> u32 {
        self.per_minute.get()
    }

    /// How long it takes until one more time is allowed.
    pub(super) fn interval(self) -> u64 {
        (MICROS_PER_MINUTE / u64::from(self.per_minute.get())).max(1)
    }

    /// How long it takes until an empty bucket is full.
    pub(super) fn window(self) -> u64 {
        self.interval() * u64::from(self.burst.get())
    }

    /// The same in whole seconds.
    pub(super) fn window_seconds(self) -> u64 {
        self.window().div_ceil(MICROS_PER_SECOND)
    }

    /// Takes one from a bucket that is full at `full_at`: how it stands then, and when it is full.
    pub(super) fn spend(self, full_at: u64, now: u64) -> (Standing, u64) {
        let before = full_at.max(now);
        let after = before + self.interval();
        let until_full = after - now;
        if until_full <= self.window() {
            (self.standing(true, until_full, 0).taken(), after)
        } else {
            let until_next = until_full - self.window();
            (self.standing(false, before - now, until_next), full_at)
        }
    }

    /// Puts one back into a bucket that is full at `full_at`: when it is full then.
    pub(super) fn give_back(self, full_at: u64, now: u64) -> u64 {
        full_at.saturating_sub(self.interval()).max(now)
    }

    /// How a bucket stands that was asked.
    pub(super) fn standing(self, allowed: bool, until_full: u64, until_next: u64) -> Standing {
        let left = self.window().saturating_sub(until_full) / self.interval();
        Standing {
            allowed,
            taken: false,
            left: u32::try_from(left).unwrap_or(u32::MAX),
            until_full: Duration::from_micros(until_full),
            until_next: Duration::from_micros(until_next),
        }
    }
}

/// How a bucket stands after it was asked for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whether there was one.
    pub(crate) allowed: bool,
    /// Whether it was taken out now: not where it was refused, or spent before.
    pub(crate) taken: bool,
    /// How many are left.
    pub(crate) left: u32,
    /// How long it takes until it is full again.
    pub(crate) until_full: Duration,
    /// How long it takes until there is one again; nothing where it was allowed.
    pub(crate) until_next: Duration,
}

impl Standing {
    /// The same, after one was taken out.
    pub(super) const fn taken(self) -> Self {
        Self {
            taken: true,
            ..self
        }
    }
}

/// A duration in whole seconds that are never too few.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_micros().div_ceil(1_000_000) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn placing() -> Quota {
        Quota::new(10, 10).unwrap()
    }

    #[test]
    fn a_burst_is_allowed_and_then_one_each_interval() {
        let quota = placing();
        let (mut full_at, mut now) = (0, 100 * SECOND);
        for left in (0..10).rev() {
            let standing;
            (standing, full_at) = quota.spend(full_at, now);
            assert!(standing.allowed);
            assert_eq!(standing.left, left);
        }
        let (denied, same) = quota.spend(full_at, now);
        assert_eq!((denied.allowed, denied.left, same), (false, 0, full_at));
        assert_eq!(denied.until_next, Duration::from_secs(6));
        assert_eq!(denied.until_full, Duration::from_secs(60));

        now += 6 * SECOND - 1;
        assert!(!quota.spend(full_at, now).0.allowed);
        now += 1;
        let (allowed, after) = quota.spend(full_at, now);
        assert!(allowed.allowed);
        assert!(!quota.spend(after, now).0.allowed);
    }

    #[test]
    fn a_bucket_that_was_left_alone_is_full_and_no_fuller() {
        let quota = placing();
        let (standing, _) = quota.spend(5 * SECOND, 1_000_000 * SECOND);
        assert_eq!(standing.left, 9);
    }

    #[test]
    fn what_is_zero_is_no_limit() {
        assert_eq!(Quota::new(0, 10), None);
        assert_eq!(Quota::new(10, 0), None);
    }
}
