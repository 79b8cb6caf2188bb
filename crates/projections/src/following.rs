//! What every read model does with an event before it looks at what it says.

use std::error::Error;

use event_store::{ApplyError, StoredEvent, Version};

/// An event is missing between a row and the event delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the row is at version {row}, and the event is version {event}")]
pub struct Gap {
    /// Where the row is; [`Version::NONE`] where there is no row.
    pub row: Version,
    /// Where the event is.
    pub event: Version,
}

/// Whether an event is the one that comes next after a row; one that the row has seen is not.
pub(crate) fn comes_next(row: Version, event: &StoredEvent) -> Result<bool, ApplyError> {
    if event.version.get() > row.get().saturating_add(1) {
        let gap = Gap {
            row,
            event: event.version,
        };
        return Err(unreadable(event, gap));
    }
    Ok(event.version > row)
}

/// An event that stops the read model.
pub(crate) fn unreadable(
    event: &StoredEvent,
    why: impl Error + Send + Sync + 'static,
) -> ApplyError {
    ApplyError::Unreadable {
        event_id: event.event_id,
        event: format!("{} {}", event.event_type, event.event_version),
        source: Box::new(why),
    }
}
