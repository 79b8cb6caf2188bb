//! What happened between two positions, as each viewer is shown it: what live streams are read from,
//! page by page.
//!
//! A read model holds nothing beyond the watermark, so neither does a stream. An order or an
//! invitation is shown as its list shows it when the page is read; of several facts in one page, the
//! last one stands for it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use event_store::{Position, Version};
use kernel::{CommissionerId, OrderId, WorkshopId};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::list_invitations::invitations_of;
use super::list_orders::orders_of;
use super::read_timeline::{Recorded, sight};
use super::unreadable::{OrderError, reader};
use super::view::{InvitationItem, OrderItem, TimelineEntry};
use super::words::read_actor;
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
    let records = sqlx::query_as!(
        Record,
        r#"
        SELECT order_id, position, version, event, data AS "data: Json<Map<String, Value>>",
               actor_role, actor_id, on_behalf_of_role, on_behalf_of_id, occurred_at
        FROM timeline
        WHERE order_id = $1 AND version > $2 AND version <= $3 AND position <= $4
        ORDER BY version, part
        "#,
        order_id.as_uuid(),
        passed,
        passed.saturating_add(EVENTS_OF_A_PAGE),
        span.up_to.get(),
    )
    .fetch_all(&mut *connection)
    .await?;
    let reached = records
        .last()
        .map_or(span.up_to, |last| Position::new(last.position));
    let mut items = Vec::new();
    for record in records {
        let position = Position::new(record.position);
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
        Viewer::Commissioner(_) | Viewer::Marketplace => {
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
    let reader = reader(connection).await?;
    let (commissioner, workshop) = match viewer {
        Viewer::Commissioner(id) => (Some(id.as_uuid()), None),
        Viewer::Workshop(id) => (None, Some(id.as_uuid())),
        Viewer::Marketplace => (None, None),
    };
    // An order that is not known yet may be anybody's, and to one that is negotiated any workshop may
    // have been invited by what waits.
    let waits = sqlx::query_scalar!(
        r#"
        SELECT min(p.position) FROM store.parked p
        LEFT JOIN LATERAL (
            SELECT o.commissioner_id, $3::uuid IS NULL OR o.state = 'negotiating' OR EXISTS (
                SELECT FROM invitations i WHERE i.order_id = o.order_id AND i.workshop_id = $3
            ) AS concerns
            FROM orders o WHERE o.order_id = p.aggregate_id::uuid LIMIT 1
        ) o ON true
        WHERE p.reader = $1 AND p.aggregate_type = 'order'
          AND (o.commissioner_id IS NULL
               OR (($2::uuid IS NULL OR o.commissioner_id = $2) AND o.concerns))
        "#,
        reader,
        commissioner,
        workshop,
    )
    .fetch_one(&mut *connection)
    .await?;
    Ok(waits.map_or(up_to, |waits| up_to.min(Position::new(waits - 1))))
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

/// A row of the timeline.
struct Record {
    order_id: Uuid,
    position: i64,
    version: i64,
    event: String,
    data: Json<Map<String, Value>>,
    actor_role: String,
    actor_id: Uuid,
    on_behalf_of_role: Option<String>,
    on_behalf_of_id: Option<Uuid>,
    occurred_at: DateTime<Utc>,
}

impl Record {
    fn fact(self) -> Result<Recorded, sqlx::Error> {
        let in_place_of = self.on_behalf_of_role.zip(self.on_behalf_of_id);
        Ok(Recorded {
            version: Version::new(self.version),
            event: self.event,
            occurred_at: self.occurred_at,
            actor: read_actor(&self.actor_role, self.actor_id, "actor_role")?,
            on_behalf_of: in_place_of
                .map(|(role, id)| read_actor(&role, id, "on_behalf_of_role"))
                .transpose()?,
            data: self.data.0,
        })
    }
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
    let commissioner = match viewer {
        Viewer::Commissioner(id) => Some(id.as_uuid()),
        Viewer::Workshop(_) | Viewer::Marketplace => None,
    };
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
    let rows = sqlx::query!(
        r#"
        SELECT t.order_id, t.position, t.version, t.event,
               t.data AS "data: Json<Map<String, Value>>", t.actor_role, t.actor_id,
               t.on_behalf_of_role, t.on_behalf_of_id, t.occurred_at,
               o.commissioner_id, o.workshop_id
        FROM (
            SELECT * FROM timeline t
            WHERE t.position > $1 AND t.position <= $2
            ORDER BY t.position LIMIT $3
        ) t
        CROSS JOIN LATERAL (
            SELECT FROM invitations i
            WHERE i.order_id = t.order_id AND i.workshop_id = $4 LIMIT 1
        ) i
        CROSS JOIN LATERAL (SELECT * FROM orders o WHERE o.order_id = t.order_id LIMIT 1) o
        WHERE t.occurred_at >= $5
        ORDER BY t.position
        "#,
        span.after.get(),
        reached.get(),
        EVENTS_OF_A_PAGE * 2,
        workshop_id.as_uuid(),
        span.since,
    )
    .fetch_all(connection)
    .await?;
    let mut last = BTreeMap::new();
    for row in rows {
        let sight = Viewer::Workshop(workshop_id).sight(
            CommissionerId::from_uuid(row.commissioner_id),
            row.workshop_id.map(WorkshopId::from_uuid),
            |_| true,
        );
        let record = Record {
            order_id: row.order_id,
            position: row.position,
            version: row.version,
            event: row.event,
            data: row.data,
            actor_role: row.actor_role,
            actor_id: row.actor_id,
            on_behalf_of_role: row.on_behalf_of_role,
            on_behalf_of_id: row.on_behalf_of_id,
            occurred_at: row.occurred_at,
        };
        let (order_id, position) = (record.order_id, Position::new(record.position));
        let fact = record.fact()?;
        if sight
            .and_then(|sight: Sight| redact_event(sight, fact))
            .is_some()
        {
            last.insert(order_id, position);
        }
    }
    Ok(last)
}

fn by_position<T>(items: Vec<T>, position: impl Fn(&T) -> Option<Position>) -> Vec<(Position, T)> {
    let placed = items
        .into_iter()
        .filter_map(|item| Some((position(&item)?, item)));
    let mut placed: Vec<_> = placed.collect();
    placed.sort_by_key(|(position, _)| *position);
    placed
}
