//! Orders that cannot be told, because an event of theirs waits: this release cannot read it, or
//! the tables refuse it.

use std::error::Error;

use event_store::{Position, StreamId, parked, parked_at};
use kernel::{CommissionerId, EventId, OrderId, WorkshopId};
use sqlx::PgConnection;

use super::recall::RecallError;
use crate::redaction::Viewer;
use crate::version::reader_here;

/// Why an order cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The database failed.
    #[error("the order was not read")]
    Database(#[from] sqlx::Error),
    /// It holds an event that this release cannot read.
    #[error("event {event_id} of order {order_id} cannot be read")]
    Unreadable {
        /// The order.
        order_id: OrderId,
        /// The event.
        event_id: EventId,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl From<RecallError> for OrderError {
    fn from(error: RecallError) -> Self {
        match error {
            RecallError::Database(error) => Self::Database(error),
            RecallError::Unreadable {
                order_id,
                event_id,
                source,
            } => Self::Unreadable {
                order_id,
                event_id,
                source,
            },
        }
    }
}

/// Gives what was found of an order, unless its stream is parked. Who was no party when it was last
/// known is told nothing of that either.
pub(super) async fn unless_parked<T>(
    connection: &mut PgConnection,
    viewer: Viewer,
    order_id: OrderId,
    found: Option<T>,
) -> Result<Option<T>, OrderError> {
    if found.is_none() && !viewer.sees_all() {
        return Ok(None);
    }
    let reader = reader_here(connection).await?;
    let waits = parked(connection, &reader, &StreamId::order(order_id)).await?;
    waits.map_or(Ok(found), |waits| {
        Err(OrderError::Unreadable {
            order_id,
            event_id: waits.event_id,
            source: Box::new(waits),
        })
    })
}

/// Whether the order is parked: what happens to it is not told.
///
/// # Errors
/// What the database said.
pub async fn is_parked(
    connection: &mut PgConnection,
    order_id: OrderId,
) -> Result<bool, sqlx::Error> {
    let reader = reader_here(connection).await?;
    let waits = parked(connection, &reader, &StreamId::order(order_id)).await?;
    Ok(waits.is_some())
}

/// Whether the event at `position` waits in a parked order that may be shown to the viewer once it is
/// told: what is read has then not come to that position, whatever the checkpoint says.
///
/// # Errors
/// What the database said.
pub async fn sees_parked(
    connection: &mut PgConnection,
    viewer: Viewer,
    position: Position,
) -> Result<bool, sqlx::Error> {
    let reader = reader_here(connection).await?;
    let Some(waits) = parked_at(connection, &reader, position).await? else {
        return Ok(false);
    };
    let Ok(order_id) = waits.stream.key().parse::<OrderId>() else {
        return Ok(false);
    };
    let waiting = first_waiting(connection, viewer, Some(order_id)).await?;
    Ok(waiting.is_some())
}

/// The first event that waits in a parked order, this one or any, that may be shown to the viewer. An
/// order that is not known yet may be anybody's, and to one that is negotiated any workshop may have
/// been invited by what waits.
pub(super) async fn first_waiting(
    connection: &mut PgConnection,
    viewer: Viewer,
    order_id: Option<OrderId>,
) -> Result<Option<Position>, sqlx::Error> {
    let reader = reader_here(connection).await?;
    let waits = sqlx::query_scalar!(
        r#"
        SELECT min(p.position) FROM store.parked p
        LEFT JOIN LATERAL (
            SELECT o.commissioner_id, $3::uuid IS NULL OR o.state = 'negotiating' OR EXISTS (
                SELECT FROM invitations i WHERE i.order_id = o.order_id AND i.workshop_id = $3
            ) AS concerns
            FROM orders o WHERE o.order_id = p.aggregate_id::uuid LIMIT 1
        ) o ON true
        WHERE p.reader = $1 AND p.aggregate_type = 'order'
          AND ($4::uuid IS NULL OR p.aggregate_id = $4::text)
          AND (o.commissioner_id IS NULL
               OR (($2::uuid IS NULL OR o.commissioner_id = $2) AND o.concerns))
        "#,
        reader,
        viewer.commissioner().map(CommissionerId::as_uuid),
        viewer.workshop().map(WorkshopId::as_uuid),
        order_id.map(OrderId::as_uuid),
    )
    .fetch_one(connection)
    .await?;
    Ok(waits.map(Position::new))
}
