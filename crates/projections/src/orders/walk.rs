//! What happened between two positions, as each viewer is shown it: what live streams are read from,
//! page by page.
//!
//! A read model holds nothing beyond the watermark, so neither does a stream. An order or an
//! invitation is shown as its list shows it when the page is read; of several facts in one page, the
//! last one stands for it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use event_store::Position;
use kernel::{CommissionerId, OrderId, WorkshopId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::list_invitations::invitations_of;
use super::list_orders::orders_of;
use super::read_timeline::sight;
use super::recorded::{Record, records};
use super::unreadable::{OrderError, first_waiting};
use super::view::{InvitationItem, OrderItem, TimelineEntry};
use crate::redaction::{Sight, Viewer, redact_event};

/// How many events one page looks at, whatever the viewer is shown of them.
const EVENTS_OF_A_PAGE: i64 = 200;

/// The part of the log that a page is to be read from: after the one position, up to the other,
/// without what occurred before the instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The last position that was passed.
    pub after: Position,
    /// The last position that may be passed.
    pub up_to: Position,
    /// What occurred before is passed over.
    pub since: DateTime<Utc>,
}

/// A page of what happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Walked<T> {
    /// What is shown, each with the position of its own event, ascending.
    pub items: Vec<(Position, T)>,
    /// The position up to which there is nothing else.
    pub reached: Position,
}

/// The facts of an order; none if there is no such order, or the viewer may not know of it.
///
/// # Errors
/// What the database said.
pub async fn walk_timeline(
    connection: &mut PgConnection,
    viewer: Viewer,
    order_id: OrderId,
    span: Span,
) -> Result<Option<Walked<TimelineEntry>>, sqlx::Error> {
    let Some(sight) = sight(connection, viewer, order_id).await? else {
        return Ok(None);
    };
    let passed = sqlx::query_scalar!(
        r#"
        SELECT version FROM timeline
        WHERE order_id = $1 AND position <= $2
        ORDER BY version DESC LIMIT 1
        "#,
        order_id.as_uuid(),
        span.after.get(),
    )
    .fetch_optional(&mut *connection)
    .await?;
    let passed = passed.unwrap_or(0);
    let records = records!(
        &mut *connection,
        "timeline t
         WHERE t.order_id = $1 AND t.version > $2 AND t.version <= $3 AND t.position <= $4
         ORDER BY t.version, t.part",
        order_id.as_uuid(),
        passed,
        passed.saturating_add(EVENTS_OF_A_PAGE),
        span.up_to.get(),
    )?;
    let reached = records.last().map_or(span.up_to, Record::position);
    let mut items = Vec::new();
    for record in records {
        let position = record.position();
        let fact = record.fact()?;
        if fact.occurred_at < span.since {
            continue;
        }
        items.extend(redact_event(sight, fact).map(|told| (position, told)));
    }
    Ok(Some(Walked { items, reached }))
}

/// The orders of which something happened that the viewer is told.
///
/// # Errors
/// What the database said.
pub async fn walk_orders(
    connection: &mut PgConnection,
    viewer: Viewer,
    span: Span,
) -> Result<Walked<OrderItem>, sqlx::Error> {
    let reached = page_end(connection, span).await?;
    let last = match viewer {
        Viewer::Workshop(me) => told_to(connection, me, span, reached).await?,
        Viewer::Commissioner(_) | Viewer::Operator | Viewer::Analyst => {
            happened(connection, viewer, span, reached).await?
        }
    };
    let ids: Vec<Uuid> = last.keys().copied().collect();
    let items = orders_of(connection, viewer, &ids).await?;
    Ok(Walked {
        items: by_position(items, |item| last.get(&item.order_id.as_uuid()).copied()),
        reached,
    })
}

/// The invitations of the workshop of whose orders something happened that it is told.
///
/// # Errors
/// What the database said.
pub async fn walk_invitations(
    connection: &mut PgConnection,
    workshop_id: WorkshopId,
    now: DateTime<Utc>,
    span: Span,
) -> Result<Walked<InvitationItem>, sqlx::Error> {
    let reached = page_end(connection, span).await?;
    let last = told_to(connection, workshop_id, span, reached).await?;
    let ids: Vec<Uuid> = last.keys().copied().collect();
    let items = invitations_of(connection, workshop_id, &ids, now).await?;
    Ok(Walked {
        items: by_position(items, |item| last.get(&item.order_id.as_uuid()).copied()),
        reached,
    })
}

/// Up to where what the viewer may see is complete, but no further than `up_to`: before the first
/// event that waits in a parked order of the viewer's, which will be told when it can be.
///
/// # Errors
/// See [`OrderError`].
pub async fn complete_up_to(
    connection: &mut PgConnection,
    viewer: Viewer,
    up_to: Position,
) -> Result<Position, OrderError> {
    let waits = first_waiting(connection, viewer, None).await?;
    Ok(waits.map_or(up_to, |waits| up_to.min(Position::new(waits.get() - 1))))
}

/// A position before everything that occurred at `since` or later, and near to it: facts of different
/// orders are stored in the order of their instants, but for how far clocks lie apart.
///
/// # Errors
/// What the database said.
pub async fn position_before(
    connection: &mut PgConnection,
    since: DateTime<Utc>,
    up_to: Position,
) -> Result<Position, sqlx::Error> {
    let since = since - chrono::TimeDelta::minutes(1);
    let (mut before, mut after) = (0, up_to.get());
    // Halving: some fifty looks along the index at most.
    while before < after {
        let middle = before + (after - before) / 2;
        let next = sqlx::query!(
            r#"
            SELECT position, occurred_at FROM timeline
            WHERE position > $1 AND position <= $2
            ORDER BY position LIMIT 1
            "#,
            middle,
            after,
        )
        .fetch_optional(&mut *connection)
        .await?;
        match next {
            Some(event) if event.occurred_at < since => before = event.position,
            Some(_) | None => after = middle,
        }
    }
    Ok(Position::new(before))
}

/// Where a page of the span ends.
async fn page_end(connection: &mut PgConnection, span: Span) -> Result<Position, sqlx::Error> {
    let last = sqlx::query_scalar!(
        r#"
        SELECT position FROM timeline
        WHERE position > $1 AND position <= $2
        ORDER BY position OFFSET $3 LIMIT 1
        "#,
        span.after.get(),
        span.up_to.get(),
        EVENTS_OF_A_PAGE - 1,
    )
    .fetch_optional(connection)
    .await?;
    Ok(last.map_or(span.up_to, Position::new))
}

/// The last position at which something happened to each order that the viewer sees whole.
async fn happened(
    connection: &mut PgConnection,
    viewer: Viewer,
    span: Span,
    reached: Position,
) -> Result<BTreeMap<Uuid, Position>, sqlx::Error> {
    let commissioner = viewer.commissioner().map(CommissionerId::as_uuid);
    let rows = sqlx::query!(
        r#"
        SELECT t.order_id, t.position
        FROM (
            SELECT * FROM timeline t
            WHERE t.position > $1 AND t.position <= $2
            ORDER BY t.position LIMIT $3
        ) t
        CROSS JOIN LATERAL (
            SELECT FROM orders o
            WHERE o.order_id = t.order_id AND ($4::uuid IS NULL OR o.commissioner_id = $4)
            LIMIT 1
        ) o
        WHERE t.occurred_at >= $5
        ORDER BY t.position
        "#,
        span.after.get(),
        reached.get(),
        EVENTS_OF_A_PAGE * 2,
        commissioner,
        span.since,
    )
    .fetch_all(connection)
    .await?;
    let rows = rows.into_iter();
    Ok(rows
        .map(|row| (row.order_id, Position::new(row.position)))
        .collect())
}

/// The last position at which something happened to each order that the workshop is told.
async fn told_to(
    connection: &mut PgConnection,
    workshop_id: WorkshopId,
    span: Span,
    reached: Position,
) -> Result<BTreeMap<Uuid, Position>, sqlx::Error> {
    let records = records!(
        &mut *connection,
        "(
             SELECT * FROM timeline t
             WHERE t.position > $1 AND t.position <= $2
             ORDER BY t.position LIMIT $3
         ) t
         CROSS JOIN LATERAL (
             SELECT FROM invitations i
             WHERE i.order_id = t.order_id AND i.workshop_id = $4 LIMIT 1
         ) i
         WHERE t.occurred_at >= $5
         ORDER BY t.position",
        span.after.get(),
        reached.get(),
        EVENTS_OF_A_PAGE * 2,
        workshop_id.as_uuid(),
        span.since,
    )?;
    let sights = sights(connection, workshop_id, &records).await?;
    let mut last = BTreeMap::new();
    for record in records {
        let (order_id, position) = (record.order_id, record.position());
        let Some(sight) = sights.get(&order_id) else {
            continue;
        };
        if redact_event(*sight, record.fact()?).is_some() {
            last.insert(order_id, position);
        }
    }
    Ok(last)
}

/// What the workshop sees of each of these orders; it has a seat at all of them.
async fn sights(
    connection: &mut PgConnection,
    workshop_id: WorkshopId,
    records: &[Record],
) -> Result<BTreeMap<Uuid, Sight>, sqlx::Error> {
    let ids: BTreeSet<Uuid> = records.iter().map(|record| record.order_id).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let orders = sqlx::query!(
        "SELECT o.order_id, o.commissioner_id, o.workshop_id
         FROM unnest($1::uuid[]) AS s (order_id)
         CROSS JOIN LATERAL (SELECT * FROM orders o WHERE o.order_id = s.order_id LIMIT 1) o",
        &ids,
    )
    .fetch_all(connection)
    .await?;
    let sights = orders.into_iter().filter_map(|order| {
        let sight = Viewer::Workshop(workshop_id).sight(
            CommissionerId::from_uuid(order.commissioner_id),
            order.workshop_id.map(WorkshopId::from_uuid),
            |_| true,
        );
        Some((order.order_id, sight?))
    });
    Ok(sights.collect())
}

fn by_position<T>(items: Vec<T>, position: impl Fn(&T) -> Option<Position>) -> Vec<(Position, T)> {
    let placed = items
        .into_iter()
        .filter_map(|item| Some((position(&item)?, item)));
    let mut placed: Vec<_> = placed.collect();
    placed.sort_by_key(|(position, _)| *position);
    placed
}
