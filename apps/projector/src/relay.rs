//! The relay's parameter: what a stored event becomes on Kafka.

use contracts::Outbound;
use event_store::StoredEvent;
use publishing::{StoredFact, Unpublishable};

/// The messages that tell a stored event; none where it is not for the public.
pub(crate) fn messages_of(event: &StoredEvent) -> Result<Vec<Outbound>, Unpublishable> {
    publishing::messages(&StoredFact {
        position: event.position.get(),
        event_id: event.event_id,
        stream_kind: event.stream.kind(),
        version: event.version.get(),
        event_type: &event.event_type,
        event_version: &event.event_version,
        payload: &event.payload,
        metadata: &event.raw_metadata,
    })
}
