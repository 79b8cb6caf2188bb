//! The terminal, as it hears how an act goes on: lines and a bar on stderr, and what came of it on
//! stdout.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::{Failure, Output, Progress, agreed};
use crate::acting::Tells;

/// Whoever gave the command.
pub(crate) struct Terminal {
    /// Agrees to everything.
    yes: bool,
    /// How it is shown what was found, if at all.
    output: Option<Output>,
    bar: Mutex<Option<(&'static str, Progress)>>,
}

impl Terminal {
    pub(crate) const fn new(yes: bool, output: Option<Output>) -> Self {
        Self {
            yes,
            output,
            bar: Mutex::new(None),
        }
    }

    fn bar(&self) -> MutexGuard<'_, Option<(&'static str, Progress)>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tells for Terminal {
    fn say(&self, line: &str) {
        // A bar ends its line first.
        *self.bar() = None;
        eprintln!("{line}");
    }

    fn agreed(&self, question: &str) -> Result<(), Failure> {
        agreed(question, self.yes)
    }

    fn count(&self, what: &'static str, done: u64, total: u64) {
        let mut bar = self.bar();
        match &mut *bar {
            Some((which, bar)) if *which == what => bar.at(done, total),
            Some(_) | None => {
                // The one before ends its line first.
                *bar = None;
                *bar = Some((what, Progress::from(done, total, what)));
            }
        }
    }

    fn found(&self, value: &Value, text: &str) -> Result<(), Failure> {
        *self.bar() = None;
        match self.output {
            Some(output) => output.object(value, text),
            None => Ok(()),
        }
    }
}
