//! Where an order stands, for one viewer.

use chrono::{DateTime, Utc};
use event_store::{StreamId, is_parked, stream_bytes};
use kernel::{Actor, OrderId};
use sqlx::PgConnection;

use super::read_as_of::sight;
use super::read_order::folded;
use super::situation::{Asked, HouseView, Situation};
use super::unreadable::{OrderError, unless_parked};
use crate::redaction::Viewer;

/// Where the order stands at the instant `now`, for `actor`; none if there is none, or the actor may
/// not know of it. What is read here has a lag of 0; the caller knows that of its snapshot.
///
/// # Errors
/// See [`OrderError`].
pub async fn read_situation(
    connection: &mut PgConnection,
    actor: Actor,
    order_id: OrderId,
    now: DateTime<Utc>,
) -> Result<Option<Situation>, OrderError> {
    let viewer = Viewer::from(actor);
    let stream = StreamId::order(order_id);
    let fold = folded(connection, order_id).await?;
    let seen = fold.and_then(|fold| sight(viewer, &fold.order).map(|sight| (fold, sight)));
    let mut found = None;
    if let Some((fold, sight)) = seen {
        let asked = Asked {
            actor,
            now,
            stored_bytes: stream_bytes(connection, &stream).await?,
            house: HouseView {
                parked: is_parked(connection, &stream).await?,
                lag_seconds: 0.0,
            },
        };
        found = Situation::of(&fold.order, fold.version, sight, &asked);
    }
    unless_parked(connection, viewer, order_id, found).await
}
