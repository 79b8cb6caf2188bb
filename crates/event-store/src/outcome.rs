//! Whether a command may have left a trace.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Whether a failed command may have left a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was changed, and nothing will be.
    None,
    /// An append had been sent, and its answer has not come.
    Unknown,
}

/// The outcome of a command under way, agreed between the one who waits and the task that works.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedOutcome(Arc<AtomicU8>);

const SENT: u8 = 1;
const ABANDONED: u8 = 2;

impl SharedOutcome {
    /// An append is about to be sent; refused when nobody waits any more.
    pub(crate) fn send(&self) -> bool {
        self.0
            .compare_exchange(0, SENT, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// The append was answered and did nothing.
    pub(crate) fn undone(&self) {
        self.0.fetch_and(!SENT, Ordering::AcqRel);
    }

    /// Whether nobody waits any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.0.load(Ordering::Acquire) & ABANDONED != 0
    }

    /// Whether what was done so far may have left a trace.
    pub(crate) fn get(&self) -> Outcome {
        outcome_of(self.0.load(Ordering::Acquire))
    }

    /// The waiting ends; from here on nothing more is sent.
    pub(crate) fn abandon(&self) -> Outcome {
        outcome_of(self.0.fetch_or(ABANDONED, Ordering::AcqRel))
    }
}

const fn outcome_of(state: u8) -> Outcome {
    if state & SENT == 0 {
        Outcome::None
    } else {
        Outcome::Unknown
    }
}

/// Abandons the command when the one who waits is dropped.
pub(crate) struct Waiter(pub(crate) SharedOutcome);

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
