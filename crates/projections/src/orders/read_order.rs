//! One order in full.

use chrono::{DateTime, Utc};
use event_store::Version;
use kernel::OrderId;
use sqlx::PgConnection;

use super::fold::Fold;
use super::recall::from_stream;
use super::unreadable::{OrderError, unless_parked};
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
    let record = sqlx::query!(
        "SELECT version, shape, fold FROM folds WHERE order_id = $1",
        order_id.as_uuid(),
    )
    .fetch_optional(&mut *connection)
    .await?;
    let mut detail = None;
    if let Some(record) = record {
        let version = Version::new(record.version);
        let fold = match Fold::read(version, record.shape, &record.fold) {
            Some(fold) => fold,
            None => from_stream(connection, order_id, version).await?,
        };
        detail = OrderDetail::from_order(&fold.order, version, now);
    }
    let found = detail.and_then(|detail| redact_detail(viewer, detail));
    unless_parked(connection, viewer, order_id, found).await
}
