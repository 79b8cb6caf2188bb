//! One order as it was: folded from its events, not read from rows.

use std::error::Error;

use chrono::{DateTime, Utc};
use event_store::{StoredEvent, StreamId, Version, load_page};
use kernel::OrderId;
use order_domain::order::{Order, OrderEvent, Work, evolve, stored};
use sqlx::PgConnection;

use super::unreadable::OrderError;
use super::view::{AsOfView, OrderAsOf, OrderDetail};
use crate::redaction::{Sight, Viewer, cut_detail};

/// The moment at which an order is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// After this many of its events.
    Version(Version),
    /// After every event that had occurred by then.
    At(DateTime<Utc>),
}

impl AsOf {
    fn includes(self, version: Version, occurred_at: DateTime<Utc>) -> bool {
        match self {
            Self::Version(last) => version <= last,
            Self::At(last) => occurred_at <= last,
        }
    }
}

/// An order as it was after one of its events.
#[derive(Debug, Clone, Default)]
struct Past {
    order: Order,
    version: Version,
    occurred_at: DateTime<Utc>,
}

/// The order as it was at `as_of`, as the viewer may see it today; none if there was none by then,
/// if it has not come to that version, or if the viewer may not know of it.
///
/// # Errors
/// See [`OrderError`].
pub async fn read_as_of(
    connection: &mut PgConnection,
    viewer: Viewer,
    order_id: OrderId,
    as_of: AsOf,
) -> Result<Option<OrderAsOf>, OrderError> {
    let stream = StreamId::order(order_id);
    let (mut now, mut then) = (Past::default(), None);
    let mut seen = None;
    let mut more = true;
    while more {
        let page = load_page(connection, &stream, now.version).await?;
        more = page.more;
        for event in &page.events {
            let facts = match read(event) {
                Ok(facts) => facts,
                Err(source) => return unreadable(viewer, seen, order_id, event, source),
            };
            let occurred_at = facts
                .last()
                .map_or(now.occurred_at, |fact| fact.occurred_at);
            if then.is_none() && !as_of.includes(event.version, occurred_at) {
                then = Some(now.clone());
            }
            now = match facts.iter().try_fold(now.order, evolve) {
                Ok(order) => Past {
                    order,
                    version: event.version,
                    occurred_at,
                },
                Err(source) => return unreadable(viewer, seen, order_id, event, source.into()),
            };
            seen = sight(viewer, &now.order);
        }
    }
    let then = then.unwrap_or(now);
    Ok(seen.and_then(|sight| tell(sight, &then, as_of)))
}

fn read(event: &StoredEvent) -> Result<Vec<OrderEvent>, Box<dyn Error + Send + Sync>> {
    stored::decode(&event.event_type, &event.event_version, &event.payload).map_err(Into::into)
}

/// Who was no party by the last event that could be read is told nothing of one that could not.
fn unreadable(
    viewer: Viewer,
    seen: Option<Sight>,
    order_id: OrderId,
    event: &StoredEvent,
    source: Box<dyn Error + Send + Sync>,
) -> Result<Option<OrderAsOf>, OrderError> {
    if seen.is_none() && !viewer.sees_all() {
        return Ok(None);
    }
    Err(OrderError::Unreadable {
        order_id,
        event_id: event.event_id,
        source,
    })
}

/// What the viewer sees of the order; none if it may not know of it.
pub(super) fn sight(viewer: Viewer, order: &Order) -> Option<Sight> {
    let placement = order.placement()?;
    viewer.sight(
        placement.commissioner_id(),
        order.work().map(Work::workshop_id),
        |id| placement.invitation(id).is_some(),
    )
}

fn tell(sight: Sight, then: &Past, as_of: AsOf) -> Option<OrderAsOf> {
    let at = match as_of {
        AsOf::Version(version) if version != then.version => return None,
        AsOf::Version(_) => then.occurred_at,
        AsOf::At(at) => at,
    };
    let detail = OrderDetail::from_order(&then.order, then.version, at)?;
    Some(OrderAsOf {
        detail: cut_detail(sight, detail),
        as_of: AsOfView {
            version: then.version.get(),
            at,
        },
    })
}
