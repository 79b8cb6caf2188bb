//! What an act tells on its way, noted for whoever asked for it from a distance.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use event_store::acts::Counted;
use serde_json::Value;

use crate::acting::Tells;
use crate::session::Failure;

/// How many lines are kept, and how many characters of each.
const MOST_LINES: usize = 100;
const LONGEST_LINE: usize = 2_000;

/// What was told so far.
#[derive(Default)]
pub(super) struct Noting(Mutex<Told>);

#[derive(Default)]
struct Told {
    said: Vec<String>,
    counting: Option<Counting>,
    result: Value,
}

struct Counting {
    what: &'static str,
    /// What it began with.
    before: u64,
    done: u64,
    total: u64,
    since: Instant,
}

impl Noting {
    /// What is told after these lines, by whoever began the act.
    pub(super) fn after(said: &[String]) -> Self {
        Self(Mutex::new(Told {
            said: said.to_vec(),
            ..Told::default()
        }))
    }

    fn told_so_far(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is counted, and the lines.
    pub(super) fn told(&self) -> (Option<Counted>, Vec<String>) {
        let told = self.told_so_far();
        (
            told.counting.as_ref().map(Counting::counted),
            told.said.clone(),
        )
    }

    /// What came of it; null if nothing was said of it.
    pub(super) fn result(&self) -> Value {
        self.told_so_far().result.clone()
    }

    /// Says how it ended.
    pub(super) fn ends_with(&self, line: &str) {
        self.say(line);
    }
}

impl Tells for Noting {
    fn say(&self, line: &str) {
        let line: String = line.chars().take(LONGEST_LINE).collect();
        let said = &mut self.told_so_far().said;
        // What is tried again says the same again.
        if said.last() == Some(&line) {
            return;
        }
        if said.len() == MOST_LINES {
            said.remove(0);
        }
        said.push(line);
    }

    /// Who asked from a distance has agreed.
    fn agreed(&self, _: &str) -> Result<(), Failure> {
        Ok(())
    }

    fn count(&self, what: &'static str, done: u64, total: u64) {
        let counting = &mut self.told_so_far().counting;
        match counting {
            Some(counting) if counting.what == what => {
                (counting.done, counting.total) = (done, total);
            }
            Some(_) | None => {
                *counting = Some(Counting {
                    what,
                    before: done,
                    done,
                    total,
                    since: Instant::now(),
                });
            }
        }
    }

    fn found(&self, value: &Value, _: &str) -> Result<(), Failure> {
        self.told_so_far().result = value.clone();
        Ok(())
    }
}

impl Counting {
    fn counted(&self) -> Counted {
        let took = self.since.elapsed().as_secs_f64().max(0.001);
        #[expect(clippy::cast_precision_loss, reason = "shown with a few digits")]
        let rate = self.done.saturating_sub(self.before) as f64 / took;
        Counted {
            what: self.what.to_owned(),
            done: self.done,
            total: self.total,
            rate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_none_twice_in_a_row() {
        let noting = Noting::default();
        for number in 0..=MOST_LINES {
            noting.say(&number.to_string());
            noting.say(&number.to_string());
        }
        noting.say(&"ä".repeat(LONGEST_LINE + 1));
        let (_, said) = noting.told();
        assert_eq!(said.len(), MOST_LINES);
        assert_eq!(said[0], "2");
        assert_eq!(said[MOST_LINES - 1].chars().count(), LONGEST_LINE);
    }

    #[test]
    fn a_count_knows_what_it_began_with_and_another_begins_anew() {
        let noting = Noting::default();
        assert_eq!(noting.told().0, None);
        noting.count("events", 70, 100);
        assert!(noting.told().0.unwrap().rate.abs() < f64::EPSILON);
        noting.count("events", 80, 100);
        let counted = noting.told().0.unwrap();
        assert_eq!((counted.done, counted.total), (80, 100));
        assert!(counted.rate > 0.0);
        noting.count("rows compared", 5, 9);
        let counted = noting.told().0.unwrap();
        assert_eq!((counted.what.as_str(), counted.done), ("rows compared", 5));
    }
}
