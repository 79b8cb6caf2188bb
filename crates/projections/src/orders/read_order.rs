//! One order in full.

use chrono::{DateTime, Utc};
use kernel::OrderId;
use sqlx::PgConnection;

use super::load_rows::load_rows;
use super::unreadable::{OrderError, unless_held_back};
use super::view::OrderDetail;
use crate::redaction::{Viewer, redact_detail};

/// The order at the instant `now`, as the viewer may see it; none if there is none, or the viewer
/// may not know of it.
///
/// # Errors
/// See [`OrderError`].
pub async fn read_order(
    connection: &mut PgConnection,
    viewer: Viewer,
    order_id: OrderId,
    now: DateTime<Utc>,
) -> Result<Option<OrderDetail>, OrderError> {
    let mut rows = load_rows(connection, &[order_id]).await?;
    let found = rows
        .remove(&order_id)
        .and_then(|rows| redact_detail(viewer, rows.detail(now)));
    unless_held_back(connection, viewer, order_id, found).await
}
