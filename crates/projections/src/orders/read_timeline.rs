//! An order's life, fact by fact.

use event_store::Version;
use kernel::{CommissionerId, EventId, OrderId, WorkshopId};
use order_domain::order::stored;
use sqlx::PgConnection;

use super::load_rows::read_actor;
use super::read_model::RecordedEvent;
use super::unreadable::{OrderError, unless_held_back};
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
    let Some(sight) = unless_held_back(connection, viewer, order_id, sight).await? else {
        return Ok(None);
    };
    // A viewer who is not told everything is told as much in a page as anyone else.
    let wanted = limit.saturating_add(1);
    let mut events = Vec::new();
    let mut after = after;
    loop {
        let read = recorded(connection, order_id, after, wanted).await?;
        let Some((last, _)) = read.last() else {
            break;
        };
        after = *last;
        events.extend(read.iter().filter_map(|(version, facts)| {
            let told = facts.iter().filter_map(|fact| redact_event(sight, fact));
            let told: Vec<TimelineEntry> = told.collect();
            (!told.is_empty()).then_some((*version, told))
        }));
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

async fn sight(
    connection: &mut PgConnection,
    viewer: Viewer,
    order_id: OrderId,
) -> Result<Option<Sight>, sqlx::Error> {
    let seated = match viewer {
        Viewer::Workshop(id) => Some(id.as_uuid()),
        Viewer::Commissioner(_) | Viewer::Marketplace => None,
    };
    let parties = sqlx::query!(
        r#"
        SELECT o.commissioner_id, o.workshop_id,
               EXISTS (SELECT FROM read.invitations i
                       WHERE i.order_id = o.order_id AND i.workshop_id = $2) AS "has_seat!"
        FROM read.orders o
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

async fn recorded(
    connection: &mut PgConnection,
    order_id: OrderId,
    after: Version,
    limit: i64,
) -> Result<Vec<(Version, Vec<RecordedEvent>)>, OrderError> {
    let records = sqlx::query!(
        r#"
        SELECT version, event_id, event_type, event_version, payload, actor_role, actor_id,
               on_behalf_of_role, on_behalf_of_id
        FROM read.timeline
        WHERE order_id = $1 AND version > $2
        ORDER BY version
        LIMIT $3
        "#,
        order_id.as_uuid(),
        after.get(),
        limit,
    )
    .fetch_all(connection)
    .await?;

    records
        .into_iter()
        .map(|record| {
            let facts = stored::decode(&record.event_type, &record.event_version, &record.payload)
                .map_err(|source| OrderError::Unreadable {
                    order_id,
                    event_id: EventId::from_uuid(record.event_id),
                    source: Box::new(source),
                })?;
            let version = Version::new(record.version);
            let actor = read_actor(&record.actor_role, record.actor_id, "actor_role")?;
            let in_place_of = record.on_behalf_of_role.zip(record.on_behalf_of_id);
            let on_behalf_of = in_place_of
                .map(|(role, id)| read_actor(&role, id, "on_behalf_of_role"))
                .transpose()?;
            let told = |event| RecordedEvent {
                version,
                actor,
                on_behalf_of,
                event,
            };
            Ok((version, facts.into_iter().map(told).collect()))
        })
        .collect()
}
