//! What every read model does with an event before it looks at what it says.

use event_store::{SinkError, StoredEvent, Version};

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
pub(crate) fn comes_next(row: Version, event: &StoredEvent) -> Result<bool, SinkError> {
    if event.version > row.next() {
        let gap = Gap {
            row,
            event: event.version,
        };
        return Err(SinkError::unreadable(event, gap));
    }
    Ok(event.version > row)
}
