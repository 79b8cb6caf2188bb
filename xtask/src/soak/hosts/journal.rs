//! What was acknowledged, and when: what may never be lost, and how long nothing was.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// One command that was answered with success.
#[derive(Debug, Clone)]
pub(super) struct Acknowledged {
    pub(super) order: String,
    pub(super) version: i64,
    pub(super) at: Instant,
    /// How long its first try was before.
    pub(super) took: Duration,
    /// How often it was sent.
    pub(super) tries: u32,
    /// Whether it was the answer to an earlier try, whose own answer nobody saw.
    pub(super) replayed: bool,
}

/// Every acknowledgement, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Journal(Vec<Acknowledged>);

impl Journal {
    pub(super) fn write(&mut self, acknowledged: Acknowledged) {
        self.0.push(acknowledged);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn since(&self, time: Instant) -> usize {
        self.0.iter().filter(|each| each.at >= time).count()
    }

    /// The version that each order was acknowledged to have.
    pub(super) fn versions(&self) -> BTreeMap<&str, i64> {
        let mut versions = BTreeMap::new();
        for each in &self.0 {
            let version = versions.entry(each.order.as_str()).or_insert(0);
            *version = each.version.max(*version);
        }
        versions
    }

    /// How many had to be sent more than once, and how many of these had been done already.
    pub(super) fn repeated(&self) -> (usize, usize) {
        let repeated = self.0.iter().filter(|each| each.tries > 1).count();
        let replayed = self.0.iter().filter(|each| each.replayed).count();
        (repeated, replayed)
    }

    /// The longest time without an acknowledgement between two instants.
    pub(super) fn longest_silence(&self, from: Instant, to: Instant) -> Duration {
        let between = self.0.iter().map(|each| each.at);
        let mut times: Vec<_> = between.filter(|at| (from..=to).contains(at)).collect();
        times.push(to);
        let mut longest = Duration::ZERO;
        let mut last = from;
        for time in times {
            longest = longest.max(time.saturating_duration_since(last));
            last = time;
        }
        longest
    }

    /// What was acknowledged between two instants, in a line.
    pub(super) fn line(&self, from: Instant, to: Instant) -> String {
        let between = self.0.iter().filter(|each| (from..=to).contains(&each.at));
        let mut took: Vec<_> = between.map(|each| each.took).collect();
        took.sort_unstable();
        let seconds = to.saturating_duration_since(from).as_secs_f64();
        let share = |part: usize| {
            let index = took.len().saturating_sub(1) * part / 100;
            took.get(index).copied().unwrap_or_default().as_millis()
        };
        let count = u32::try_from(took.len()).unwrap_or(u32::MAX);
        format!(
            "{count} commands acknowledged in {seconds:.1} s, {:.0} a second; p50 {} ms, p99 {} ms, \
             longest silence {:.1} s",
            f64::from(count) / seconds,
            share(50),
            share(99),
            self.longest_silence(from, to).as_secs_f64(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(start: Instant, seconds: &[u64]) -> Journal {
        let mut journal = Journal::default();
        for (version, second) in (1..).zip(seconds) {
            journal.write(Acknowledged {
                order: "o".to_owned(),
                version,
                at: start + Duration::from_secs(*second),
                took: Duration::from_millis(*second),
                tries: 1,
                replayed: false,
            });
        }
        journal
    }

    #[test]
    fn a_silence_counts_from_the_first_instant_and_up_to_the_last() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let journal = journal(start, &[1, 2, 7, 8]);
        let silence = |from, to| journal.longest_silence(at(from), at(to)).as_secs();
        assert_eq!(silence(0, 9), 5);
        assert_eq!(silence(0, 20), 12);
        assert_eq!(silence(3, 9), 4);
        assert_eq!(silence(9, 12), 3);
    }

    #[test]
    fn an_order_has_the_greatest_version_that_was_acknowledged() {
        let start = Instant::now();
        let journal = journal(start, &[1, 2, 3]);
        assert_eq!(journal.versions(), BTreeMap::from([("o", 3)]));
        assert_eq!(journal.since(start + Duration::from_secs(2)), 2);
    }
}
