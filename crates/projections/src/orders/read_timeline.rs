//! An order's life, fact by fact.

use event_store::Version;
use kernel::{CommissionerId, OrderId, WorkshopId};
use sqlx::PgConnection;

use super::recorded::{Record, Recorded, records};
use super::unreadable::{OrderError, unless_parked};
use super::view::TimelineEntry;
use crate::page::Slice;
use crate::redaction::{Sight, Viewer, redact_event};

/// Tells at most `limit` events after the version `after`, oldest first, as the viewer may know
/// them; none if there is no such order, or the viewer may not know of it. The key of the page is
/// the last version told. An event that is told as several facts since is one of the `limit`.
///
/// # Errors
/// See [`OrderError`].
pub async fn read_timeline(
    connection: &mut PgConnection,
    viewer: Viewer,
    order_id: OrderId,
    after: Version,
    limit: i64,
) -> Result<Option<Slice<TimelineEntry, Version>>, OrderError> {
    let sight = sight(connection, viewer, order_id).await?;
    let Some(sight) = unless_parked(connection, viewer, order_id, sight).await? else {
        return Ok(None);
    };
    // A viewer who is not told everything is told as much in a page as anyone else.
    let wanted = limit.saturating_add(1);
    let mut events: Vec<(Version, Vec<TimelineEntry>)> = Vec::new();
    let mut after = after;
    loop {
        let read = recorded(connection, order_id, after, wanted).await?;
        let Some(last) = read.last() else {
            break;
        };
        after = last.version;
        for fact in read {
            let version = fact.version;
            let Some(told) = redact_event(sight, fact) else {
                continue;
            };
            match events.last_mut() {
                Some((same, entries)) if *same == version => entries.push(told),
                _ => events.push((version, vec![told])),
            }
        }
        if i64::try_from(events.len()).unwrap_or(i64::MAX) >= wanted {
            break;
        }
    }
    let page = Slice::cut(events, limit, |(last, _)| *last);
    Ok(Some(Slice {
        items: page.items.into_iter().flat_map(|(_, told)| told).collect(),
        next: page.next,
    }))
}

/// What the viewer sees of an order; none if there is none, or it may not know of it.
pub(super) async fn sight(
    connection: &mut PgConnection,
    viewer: Viewer,
    order_id: OrderId,
) -> Result<Option<Sight>, sqlx::Error> {
    let seated = viewer.workshop().map(WorkshopId::as_uuid);
    let parties = sqlx::query!(
        r#"
        SELECT o.commissioner_id, o.workshop_id,
               EXISTS (SELECT FROM invitations i
                       WHERE i.order_id = o.order_id AND i.workshop_id = $2) AS "has_seat!"
        FROM orders o
        WHERE o.order_id = $1
        "#,
        order_id.as_uuid(),
        seated,
    )
    .fetch_optional(connection)
    .await?;
    Ok(parties.and_then(|parties| {
        viewer.sight(
            CommissionerId::from_uuid(parties.commissioner_id),
            parties.workshop_id.map(WorkshopId::from_uuid),
            |_| parties.has_seat,
        )
    }))
}

/// The facts of the `limit` events after `after`.
async fn recorded(
    connection: &mut PgConnection,
    order_id: OrderId,
    after: Version,
    limit: i64,
) -> Result<Vec<Recorded>, sqlx::Error> {
    let records = records!(
        connection,
        "timeline t
         WHERE t.order_id = $1 AND t.version > $2 AND t.version <= $3
         ORDER BY t.version, t.part",
        order_id.as_uuid(),
        after.get(),
        after.get().saturating_add(limit),
    )?;
    records.into_iter().map(Record::fact).collect()
}
