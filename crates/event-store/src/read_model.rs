//! What a read model has to be so that the feed can drive it.

use async_trait::async_trait;
use kernel::EventId;
use sqlx::PgConnection;

use crate::StoredEvent;

/// Tables that follow the events. [`crate::Follower`] delivers every event of the store, in the
/// order of positions, and commits the rows together with its checkpoint.
#[async_trait]
pub trait ReadModel: Send + Sync {
    /// The name of its checkpoint.
    fn name(&self) -> &'static str;

    /// Applies one batch inside the checkpoint's transaction. It is delivered everything, and
    /// passes over what it does not use; a batch may repeat after a crash, never with a hole.
    ///
    /// # Errors
    /// Nothing of the batch is kept then. It is delivered again; after
    /// [`ApplyError::Unreadable`] without what follows in the stream of that event, which is held
    /// back until a release that can read it.
    async fn apply(
        &self,
        transaction: &mut PgConnection,
        events: &[StoredEvent],
    ) -> Result<(), ApplyError>;
}

/// Why a batch was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The database refused or failed.
    #[error("the read model's tables could not be written")]
    Database(#[from] sqlx::Error),
    /// This release cannot read the event, or what it says cannot follow what went before.
    #[error("event {event_id} ({event}) cannot be applied")]
    Unreadable {
        /// The event.
        event_id: EventId,
        /// Its stored name and version.
        event: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
