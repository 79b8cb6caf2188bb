//! How far a long command has come, on stderr: what is done, at which rate, and how long it takes
//! on.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How often a terminal is told.
const OFTEN: Duration = Duration::from_millis(250);
/// How often a log is told.
const SELDOM: Duration = Duration::from_secs(5);

/// A bar for people, lines for logs. Ends its line when dropped.
pub(crate) struct Progress {
    what: &'static str,
    total: u64,
    before: u64,
    done: u64,
    started: Instant,
    told: Option<Instant>,
    shown: Option<(u64, u64)>,
    is_terminal: bool,
}

impl Progress {
    /// Of `total` things, called `what` in the plural.
    pub(crate) fn of(total: u64, what: &'static str) -> Self {
        Self::from(0, total, what)
    }

    /// The same, of which `done` are done before it begins: they count for no rate.
    pub(crate) fn from(done: u64, total: u64, what: &'static str) -> Self {
        Self {
            what,
            total,
            before: done,
            done,
            started: Instant::now(),
            told: None,
            shown: None,
            is_terminal: io::stderr().is_terminal(),
        }
    }

    /// So many are done, of so many.
    pub(crate) fn at(&mut self, done: u64, total: u64) {
        (self.done, self.total) = (done, total);
        let pause = if self.is_terminal { OFTEN } else { SELDOM };
        if self.told.is_none_or(|told| told.elapsed() >= pause) {
            self.told = Some(Instant::now());
            self.tell();
        }
    }

    fn tell(&mut self) {
        self.shown = Some((self.done, self.total));
        let done = (self.before, self.done);
        let line = line(self.what, done, self.total, self.started.elapsed());
        let mut stderr = io::stderr().lock();
        // Who does not see it misses nothing else.
        if self.is_terminal {
            write!(stderr, "\r\x1b[2K{line}").ok();
        } else {
            writeln!(stderr, "{line}").ok();
        }
        stderr.flush().ok();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown != Some((self.done, self.total)) {
            self.tell();
        }
        if self.is_terminal {
            eprintln!();
        }
    }
}

fn line(what: &str, (before, done): (u64, u64), total: u64, took: Duration) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with a few digits")]
    let rate = done.saturating_sub(before) as f64 / took.as_secs_f64().max(0.001);
    let percent = (done.min(total) * 100).checked_div(total).unwrap_or(100);
    #[expect(clippy::cast_precision_loss, reason = "shown with a few digits")]
    let left = total.saturating_sub(done) as f64 / rate.max(0.001);
    let left = if done <= before || done >= total {
        String::new()
    } else {
        format!(", {} left", seconds(left))
    };
    format!("{done} of {total} {what} ({percent} %), {rate:.0}/s{left}")
}

fn seconds(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time left is positive, and too large stays too large"
    )]
    let seconds = seconds.ceil() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_the_rate_and_the_time_left() {
        let took = Duration::from_secs(10);
        let at = |done, total| line("events", (0, done), total, took);
        assert_eq!(at(0, 100), "0 of 100 events (0 %), 0/s");
        assert_eq!(
            at(100, 1000),
            "100 of 1000 events (10 %), 10/s, 1 min 30 s left"
        );
        assert_eq!(at(100, 100), "100 of 100 events (100 %), 10/s");
        assert_eq!(at(0, 0), "0 of 0 events (100 %), 0/s");
        assert_eq!(
            at(1, 100_000),
            "1 of 100000 events (0 %), 0/s, 277 h 46 min left"
        );
        let resumed = line("events", (900, 910), 1000, took);
        assert_eq!(resumed, "910 of 1000 events (91 %), 1/s, 1 min 30 s left");
    }
}
