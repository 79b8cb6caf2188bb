//! Orders that this release cannot tell: an event of theirs is of another one.

use std::error::Error;

use event_store::{StreamId, held_back};
use kernel::{EventId, OrderId};
use sqlx::PgConnection;

use super::read_model::Orders;
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

/// Gives what was found of an order, unless its rows wait for a release that can read an event of
/// it. Who was no party when it was last known is told nothing of that either.
pub(super) async fn unless_held_back<T>(
    connection: &mut PgConnection,
    viewer: Viewer,
    order_id: OrderId,
    found: Option<T>,
) -> Result<Option<T>, OrderError> {
    if found.is_none() && viewer != Viewer::Marketplace {
        return Ok(None);
    }
    let held = held_back(connection, Orders::NAME, &StreamId::order(order_id)).await?;
    held.map_or(Ok(found), |held| {
        Err(OrderError::Unreadable {
            order_id,
            event_id: held.event_id,
            source: Box::new(held),
        })
    })
}
