//! How far a command has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::answer::Outcome;

/// How far a command has come, agreed between the one who waits and the task that works.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress(Arc<AtomicU8>);

const SENT: u8 = 1;
const ABANDONED: u8 = 2;

impl Progress {
    /// The task is about to send an append; refused when nobody waits any more.
    pub(crate) fn send(&self) -> bool {
        self.0
            .compare_exchange(0, SENT, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Whether nobody waits any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.0.load(Ordering::Acquire) & ABANDONED != 0
    }

    /// Whether what was done so far may have left a trace.
    pub(crate) fn outcome(&self) -> Outcome {
        outcome_of(self.0.load(Ordering::Acquire))
    }

    /// The append was answered and did nothing.
    pub(crate) fn undone(&self) {
        self.0.fetch_and(!SENT, Ordering::AcqRel);
    }

    /// The waiting ends; from here on nothing more is sent.
    pub(crate) fn abandon(&self) -> Outcome {
        outcome_of(self.0.fetch_or(ABANDONED, Ordering::AcqRel))
    }
}

const fn outcome_of(progress: u8) -> Outcome {
    if progress & SENT == 0 {
        Outcome::None
    } else {
        Outcome::Unknown
    }
}

/// Abandons the command when the one who waits is dropped.
pub(crate) struct Waiter(pub(crate) Progress);

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
