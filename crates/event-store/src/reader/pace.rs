//! How fast a reader goes: fewer events after each failure, more after each success, pauses that
//! grow, and a rate that it keeps to.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::{BatchBound, StoredEvent};

/// The shortest and longest pause between two looks at a feed that has nothing new.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause after a failure.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// How much a batch holds at a rate.
const RATED_BATCH: Duration = Duration::from_millis(100);

/// The pace of one reader.
#[derive(Debug)]
pub(super) struct Pace {
    bound: BatchBound,
    max_rate: Option<NonZeroU32>,
    /// Events that the next batch has at most.
    limit: i64,
    /// Whether the last batch was as large as it may be: more waits behind it.
    behind: bool,
    /// So many batches are taken one by one before any are gathered again.
    scattered: usize,
    /// Before the next look at a feed that had nothing new.
    idle: Duration,
    /// Before the next attempt after a failure.
    backoff: Duration,
    /// When the events so far are paid for, at the rate.
    paid_until: Instant,
    measured_since: Instant,
    measured: u32,
    /// Events a second, as last measured.
    rate: f64,
}

impl Pace {
    pub(super) fn new(bound: BatchBound, max_rate: Option<NonZeroU32>) -> Self {
        let now = Instant::now();
        Self {
            bound,
            max_rate,
            limit: bound.events,
            behind: false,
            scattered: 0,
            idle: SHORTEST_PAUSE,
            backoff: SHORTEST_PAUSE,
            paid_until: now,
            measured_since: now,
            measured: 0,
            rate: 0.0,
        }
    }

    /// How much the next batch has at most: a tenth of a second's at a rate.
    pub(super) fn bound(&self) -> BatchBound {
        let paced = self
            .max_rate
            .map_or(i64::MAX, |rate| (i64::from(rate.get()) / 10).max(1));
        BatchBound {
            events: self.limit.min(paced),
            ..self.bound
        }
    }

    /// A batch was read.
    pub(super) fn saw(&mut self, events: &[StoredEvent]) {
        let bytes: usize = events.iter().map(|event| event.bytes).sum();
        let full = |count: usize, most: i64| i64::try_from(count).is_ok_and(|c| c >= most);
        self.behind = full(events.len(), self.bound().events) || full(bytes, self.bound.bytes);
    }

    /// Whether the next of `most` batches are taken in one transaction.
    pub(super) fn gathers(&mut self, most: usize) -> bool {
        if self.scattered > 0 {
            self.scattered -= 1;
            return false;
        }
        self.behind && most > 1 && self.max_rate.is_none()
    }

    /// Batches that were gathered were not taken: so many are taken one by one.
    pub(super) const fn scatter(&mut self, batches: usize) {
        self.scattered = batches;
    }

    /// A batch was taken. Returns how long to wait for the rate's sake.
    pub(super) fn took(&mut self, events: usize) -> Duration {
        let events = u32::try_from(events).unwrap_or(u32::MAX);
        self.measured = self.measured.saturating_add(events);
        self.limit = (self.limit * 2).min(self.bound.events);
        self.idle = SHORTEST_PAUSE;
        self.backoff = SHORTEST_PAUSE;
        let Some(rate) = self.max_rate else {
            return Duration::ZERO;
        };
        // What a batch of a tenth of a second took by itself counts as waiting; idleness does not.
        let now = Instant::now();
        let began = now.checked_sub(RATED_BATCH).unwrap_or(now);
        let cost = Duration::from_secs(events.into()) / rate.get();
        self.paid_until = self.paid_until.max(began) + cost;
        self.paid_until.saturating_duration_since(now)
    }

    /// There was nothing new. Returns how long to wait before the next look.
    pub(super) fn found_nothing(&mut self) -> Duration {
        let pause = self.idle;
        self.idle = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    /// It was woken: there is something new.
    pub(super) const fn woken(&mut self) {
        self.idle = SHORTEST_PAUSE;
    }

    /// One event of a batch is refused: half as many are tried, to find it.
    pub(super) fn halve(&mut self, tried: usize) {
        let tried = i64::try_from(tried).unwrap_or(i64::MAX);
        self.limit = (tried / 2).max(1);
    }

    /// Something failed; it may have been too much at once. Returns how long to wait.
    pub(super) fn failed(&mut self) -> Duration {
        self.limit = (self.limit / 2).max(1);
        let pause = self.backoff;
        self.backoff = (pause * 2).min(LONGEST_BACKOFF);
        pause.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// Events a second since this was asked last.
    pub(super) fn measure(&mut self) -> f64 {
        let elapsed = self.measured_since.elapsed().as_secs_f64();
        if elapsed > 0.0 {
            self.rate = f64::from(self.measured) / elapsed;
        }
        self.measured = 0;
        self.measured_since = Instant::now();
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(max_rate: Option<u32>) -> Pace {
        Pace::new(BatchBound::default(), max_rate.and_then(NonZeroU32::new))
    }

    #[test]
    fn a_refused_event_is_found_by_halving_and_batches_grow_again() {
        let mut pace = pace(None);
        pace.halve(501);
        assert_eq!(pace.bound().events, 250);
        pace.halve(1);
        assert_eq!(pace.bound().events, 1);
        assert_eq!(pace.took(1), Duration::ZERO);
        assert_eq!(pace.bound().events, 2);
    }

    #[test]
    fn a_rate_is_kept_by_small_batches_and_waits() {
        let mut pace = pace(Some(100));
        assert_eq!(pace.bound().events, 10);
        let wait = pace.took(10);
        assert!(wait > Duration::from_millis(90) && wait <= Duration::from_millis(100));
        assert!(pace.took(10) > Duration::from_millis(180));
    }

    #[test]
    fn the_time_that_a_batch_takes_is_part_of_its_share() {
        let mut pace = pace(Some(100));
        pace.paid_until = Instant::now() - Duration::from_millis(60);
        let wait = pace.took(10);
        assert!(wait <= Duration::from_millis(40), "{wait:?}");
        pace.paid_until = Instant::now() - Duration::from_secs(3600);
        assert_eq!(pace.took(10), Duration::ZERO);
        assert!(
            pace.took(10) > Duration::from_millis(90),
            "an idle hour earns nothing"
        );
    }

    #[test]
    fn pauses_grow_to_their_longest_and_begin_again() {
        let mut pace = pace(None);
        let pauses: Vec<_> = (0..6).map(|_| pace.found_nothing().as_millis()).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 200]);
        pace.took(1);
        assert_eq!(pace.found_nothing(), SHORTEST_PAUSE);
        for _ in 0..12 {
            assert!(pace.failed() <= LONGEST_BACKOFF);
        }
        assert!(pace.failed() * 2 >= LONGEST_BACKOFF);
    }
}
