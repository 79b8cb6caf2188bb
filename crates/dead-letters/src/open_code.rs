//! What is wrong with an event that a consumer gave up on.

use kernel::EventId;
use sqlx::PgConnection;

/// The code of the open dead letter of an event; none where there is none.
///
/// # Errors
/// What the database said.
pub async fn open_code(
    connection: &mut PgConnection,
    consumer: &str,
    event: EventId,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT code FROM ops.dead_letters
         WHERE ce_id = $2 AND consumer = $1 AND closed_at IS NULL
         LIMIT 1",
        consumer,
        event.as_uuid(),
    )
    .fetch_optional(connection)
    .await
}
