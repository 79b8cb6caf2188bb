//! Growing pauses between attempts, spread so that many do not come back at once.

use std::time::Duration;

/// The pauses of one loop.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    shortest: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new(shortest: Duration, longest: Duration) -> Self {
        Self {
            shortest,
            longest,
            next: shortest,
        }
    }

    /// The next pause: up to twice the one before, and half of that at least.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// Begins again with the shortest pause, after an attempt that went well.
    pub(crate) const fn reset(&mut self) {
        self.next = self.shortest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_begin_again() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        for upper in [100, 200, 350, 350] {
            let upper = Duration::from_millis(upper);
            let pause = backoff.pause();
            assert!(
                pause <= upper && pause * 2 >= upper,
                "{pause:?} of {upper:?}"
            );
        }
        backoff.reset();
        assert!(backoff.pause() <= Duration::from_millis(100));
    }
}
