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
    let fold = folded(connection, order_id).await?;
    let detail = fold.and_then(|fold| OrderDetail::from_order(&fold.order, fold.version, now));
    let found = detail.and_then(|detail| redact_detail(viewer, detail));
    unless_parked(connection, viewer, order_id, found).await
}

/// The order as the rules fold it, as far as the read model has come; none if there is none.
pub(super) async fn folded(
    connection: &mut PgConnection,
    order_id: OrderId,
) -> Result<Option<Fold>, OrderError> {
    let record = sqlx::query!(
        "SELECT version, shape, fold FROM folds WHERE order_id = $1",
        order_id.as_uuid(),
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(record) = record else {
        return Ok(None);
    };
    let version = Version::new(record.version);
    Ok(Some(
        match Fold::read(version, record.shape, &record.fold) {
            Some(fold) => fold,
            None => from_stream(connection, order_id, version).await?,
        },
    ))
}
