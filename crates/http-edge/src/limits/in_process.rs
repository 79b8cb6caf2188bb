//! Buckets of this process alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::quota::{Quota, Standing};
use super::{Bucket, REMEMBERED};

/// From how many entries on those that say nothing any more are looked for.
const SWEEP_FROM: usize = 1024;

/// Buckets of this process alone, and what was spent for already.
pub(super) struct OwnBuckets {
    started: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Until when each entry says something: a bucket until it is full, what was spent for until
    /// it is forgotten.
    until: HashMap<String, u64>,
    sweep_at: usize,
}

impl OwnBuckets {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            state: Mutex::default(),
        }
    }

    /// Takes one from a bucket.
    pub(super) fn spend(&self, bucket: &Bucket, quota: Quota) -> Standing {
        let now = self.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = state.until.get(&bucket.key).copied().unwrap_or(0);
        let spent_for = bucket.once.as_ref();
        if spent_for.is_some_and(|once| state.until.get(once).is_some_and(|until| *until > now)) {
            return quota.standing(true, full_at.saturating_sub(now), 0);
        }
        let (standing, full_at) = quota.spend(full_at, now);
        if standing.allowed {
            state.sweep(now);
            state.until.insert(bucket.key.clone(), full_at);
            if let Some(once) = spent_for {
                let forgotten = now + u64::try_from(REMEMBERED.as_micros()).unwrap_or(u64::MAX);
                state.until.insert(once.clone(), forgotten);
            }
        }
        standing
    }

    /// Puts one back into a bucket.
    pub(super) fn give_back(&self, bucket: &Bucket, quota: Quota) {
        let now = self.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(full_at) = state.until.get_mut(&bucket.key) {
            *full_at = quota.give_back(*full_at, now);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

impl State {
    /// Forgets what says nothing any more, whenever there is twice as much as after the last time.
    fn sweep(&mut self, now: u64) {
        if self.until.len() >= self.sweep_at.max(SWEEP_FROM) {
            self.until.retain(|_, until| *until > now);
            self.sweep_at = self.until.len() * 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn buckets_that_are_full_again_are_forgotten() {
        let buckets = OwnBuckets::new();
        let quota = Quota::new(10, 10).unwrap();
        let bucket = |n: usize| Bucket {
            key: format!("bucket {n}"),
            once: Some(format!("once {n}")),
        };
        for n in 0..10_000 {
            assert!(buckets.spend(&bucket(n), quota).allowed);
        }
        tokio::time::advance(Duration::from_secs(600)).await;
        for n in 10_000..20_000 {
            assert!(buckets.spend(&bucket(n), quota).allowed);
        }
        let held = buckets.state.lock().unwrap().until.len();
        assert!(held < 40_000, "{held}");
    }
}
