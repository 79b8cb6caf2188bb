//! Orders that cannot be told, because an event of theirs waits: this release cannot read it, or
//! the tables refuse it.

use std::error::Error;

use event_store::{Position, StreamId, parked, parked_at};
use kernel::{EventId, OrderId};
use sqlx::PgConnection;

use super::read_timeline::sight;
use super::recall::RecallError;
use crate::redaction::Viewer;

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
    if found.is_none() && viewer != Viewer::Marketplace {
        return Ok(None);
    }
    let reader = reader(connection).await?;
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
    let reader = reader(connection).await?;
    let waits = parked(connection, &reader, &StreamId::order(order_id)).await?;
    Ok(waits.is_some())
}

/// Whether the event at `position` waits in a parked order that lists would show to the viewer: a
/// list then has not come to that position, whatever the checkpoint says. An order that is not
/// known yet may be anybody's.
///
/// # Errors
/// What the database said.
pub async fn sees_parked(
    connection: &mut PgConnection,
    viewer: Viewer,
    position: Position,
) -> Result<bool, sqlx::Error> {
    let reader = reader(connection).await?;
    let Some(waits) = parked_at(connection, &reader, position).await? else {
        return Ok(false);
    };
    let Ok(order_id) = waits.stream.key().parse::<OrderId>() else {
        return Ok(false);
    };
    let known = sqlx::query_scalar!(
        "SELECT order_id FROM orders WHERE order_id = $1",
        order_id.as_uuid(),
    )
    .fetch_optional(&mut *connection)
    .await?;
    Ok(known.is_none() || sight(connection, viewer, order_id).await?.is_some())
}

/// The name of the reader that fills the tables which the connection reads: that of their schema.
pub(super) async fn reader(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT current_schema()::text AS "name!""#)
        .fetch_one(connection)
        .await
}
