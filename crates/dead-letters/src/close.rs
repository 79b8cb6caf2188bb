//! Rows are closed once what they are about is handled.

use contracts::Incoming;
use kernel::EventId;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Rows that are open about one event, at most, that are closed at once.
const MOST_OF_ONE: i64 = 1000;

/// An event that is open somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenEvent {
    /// The row.
    pub id: Uuid,
    /// The event.
    pub event: EventId,
}

/// Closes what is open about messages that were handled: every row of their events, and for a
/// message without an id the row that it was sent again for, if that has none either.
///
/// # Errors
/// What the database said.
pub async fn close_handled(
    database: &PgPool,
    consumer: &str,
    handled: impl IntoIterator<Item = Incoming<'_>>,
) -> Result<u64, sqlx::Error> {
    let mut events = Vec::new();
    let mut redrives = Vec::new();
    let mut nameless = Vec::new();
    for message in handled {
        let (event, redrive) = (message.event_id().ok(), message.redrive_of());
        events.extend(event.map(EventId::as_uuid));
        redrives.extend(redrive);
        nameless.extend(redrive.filter(|_| event.is_none()));
    }
    if events.is_empty() && nameless.is_empty() {
        return Ok(0);
    }
    let mut connection = database.acquire().await?;
    close(&mut connection, consumer, &events, &nameless, &redrives).await
}

/// Closes what is open about events that were handled in another way than by a message.
///
/// # Errors
/// What the database said.
pub async fn close_events(
    connection: &mut PgConnection,
    consumer: &str,
    events: &[EventId],
) -> Result<u64, sqlx::Error> {
    let events: Vec<Uuid> = events.iter().map(|event| event.as_uuid()).collect();
    close(connection, consumer, &events, &[], &[]).await
}

/// Rows are locked oldest first everywhere, so that nobody waits in a circle.
async fn close(
    connection: &mut PgConnection,
    consumer: &str,
    events: &[Uuid],
    nameless: &[Uuid],
    redrives: &[Uuid],
) -> Result<u64, sqlx::Error> {
    let closed = sqlx::query!(
        "
        WITH open AS MATERIALIZED (
            SELECT d.id FROM ops.dead_letters d
            WHERE d.id = ANY (ARRAY(
                SELECT l.id FROM unnest($2::uuid[]) AS e (id)
                CROSS JOIN LATERAL (
                    SELECT o.id FROM ops.dead_letters o
                    WHERE o.ce_id = e.id AND o.consumer = $1 AND o.closed_at IS NULL
                    LIMIT $5
                ) l
                UNION
                SELECT o.id FROM unnest($3::uuid[]) AS n (id)
                CROSS JOIN LATERAL (
                    SELECT o.id FROM ops.dead_letters o
                    WHERE o.id = n.id AND o.ce_id IS NULL AND o.consumer = $1
                      AND o.closed_at IS NULL
                    LIMIT 1
                ) o
            )) AND d.closed_at IS NULL
            ORDER BY d.id
            FOR UPDATE
        )
        UPDATE ops.dead_letters d SET
            closed_as = CASE WHEN d.id = ANY ($4) THEN 'redriven' ELSE 'handled' END,
            closed_at = clock_timestamp(), claimed_by = NULL, claimed_until = NULL
        WHERE d.id = ANY (ARRAY(SELECT id FROM open))
        ",
        consumer,
        events,
        nameless,
        redrives,
        MOST_OF_ONE,
    )
    .execute(connection)
    .await?;
    Ok(closed.rows_affected())
}

/// The events that are open at a consumer, by the ids of their rows after `after`, at most `limit`.
///
/// # Errors
/// What the database said.
pub async fn open_events(
    connection: &mut PgConnection,
    consumer: &str,
    after: Uuid,
    limit: i64,
) -> Result<Vec<OpenEvent>, sqlx::Error> {
    sqlx::query!(
        r#"
        SELECT id, ce_id AS "ce_id!"
        FROM ops.dead_letters
        WHERE closed_at IS NULL AND id > $2 AND consumer = $1 AND ce_id IS NOT NULL
        ORDER BY id
        LIMIT $3
        "#,
        consumer,
        after,
        limit,
    )
    .map(|row| OpenEvent {
        id: row.id,
        event: EventId::from_uuid(row.ce_id),
    })
    .fetch_all(connection)
    .await
}
