//! Whether a request may have changed something when all that is known is that it failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::Extensions;

use crate::Outcome;

/// Goes with a request from the outermost layer inwards. It is set when a command was read whole:
/// from then on, whoever does not know better must say that something may have been changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct WriteMark(Arc<AtomicBool>);

impl WriteMark {
    /// The mark of the request that has these extensions.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn outcome(&self) -> Outcome {
        if self.0.load(Ordering::Relaxed) {
            Outcome::Unknown
        } else {
            Outcome::None
        }
    }
}
