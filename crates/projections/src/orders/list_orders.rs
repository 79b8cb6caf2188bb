//! Orders in a list, newest first.

use chrono::{DateTime, Utc};
use kernel::{CommissionerId, OrderId, WorkshopId};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::status::OrderState;
use super::view::{MoneyView, OrderItem, RequestItem};
use super::words::{read_dispute, read_word};
use crate::page::Slice;
use crate::redaction::{Viewer, redact_item};

/// Which orders to list, beside what the viewer may see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct OrderFilter {
    /// In this state.
    pub state: Option<OrderState>,
    /// With a seat of this workshop.
    pub workshop_id: Option<WorkshopId>,
    /// Of this commissioner.
    pub commissioner_id: Option<CommissionerId>,
    /// That wait for the viewer.
    pub mine: bool,
}

/// Where an order lies in the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderKey {
    /// When it was placed.
    pub placed_at: DateTime<Utc>,
    /// Its id, for orders placed at the same instant.
    pub order_id: OrderId,
}

/// Lists at most `limit` orders after `after`, as the viewer may see them.
///
/// # Errors
/// What the database said.
pub async fn list_orders(
    connection: &mut PgConnection,
    viewer: Viewer,
    filter: OrderFilter,
    after: Option<OrderKey>,
    limit: i64,
) -> Result<Slice<OrderItem, OrderKey>, sqlx::Error> {
    let Some(filter) = within_sight(viewer, filter) else {
        return Ok(Slice::empty());
    };
    let limits = (after, limit.saturating_add(1));
    let records = if filter.mine {
        select_mine(connection, viewer, filter, limits).await?
    } else {
        select_items(connection, filter, limits).await?
    };
    let records = Slice::cut(records, limit, |last| OrderKey {
        placed_at: last.placed_at,
        order_id: OrderId::from_uuid(last.order_id),
    });
    let items = records
        .items
        .into_iter()
        .map(|record| record.item(viewer))
        .filter_map(|item| item.map(|item| redact_item(viewer, item)).transpose())
        .collect::<Result<_, _>>()?;
    Ok(Slice {
        items,
        next: records.next,
    })
}

/// The filter narrowed to what the viewer may see; none if that leaves nothing.
fn within_sight(viewer: Viewer, filter: OrderFilter) -> Option<OrderFilter> {
    match viewer {
        // Who runs the marketplace is waited for by disputes alone.
        Viewer::Marketplace if filter.mine => {
            let disputed = filter.state.unwrap_or(OrderState::Disputed) == OrderState::Disputed;
            disputed.then_some(OrderFilter {
                state: Some(OrderState::Disputed),
                mine: false,
                ..filter
            })
        }
        Viewer::Marketplace => Some(filter),
        Viewer::Commissioner(me) => {
            (filter.commissioner_id.unwrap_or(me) == me).then_some(OrderFilter {
                commissioner_id: Some(me),
                ..filter
            })
        }
        Viewer::Workshop(me) => (filter.workshop_id.unwrap_or(me) == me).then_some(OrderFilter {
            workshop_id: Some(me),
            ..filter
        }),
    }
}

struct ItemRecord {
    order_id: Uuid,
    version: i64,
    state: String,
    commissioner_id: Uuid,
    workshop_id: Option<Uuid>,
    title: String,
    budget_amount: Decimal,
    budget_currency: String,
    deadline: DateTime<Utc>,
    request_revision: i64,
    current_stage: Option<i64>,
    dispute_by_role: Option<String>,
    dispute_by_id: Option<Uuid>,
    dispute_reason: Option<String>,
    dispute_at: Option<DateTime<Utc>>,
    dispute_from: Option<String>,
    placed_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    commissioners_turn: bool,
    workshops_turn: bool,
}

/// The columns of an item, from what gives the orders `o`, the newest of each state.
macro_rules! items {
    ($connection:ident, $orders:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            ItemRecord,
            "SELECT o.order_id, o.version, o.state, o.commissioner_id, o.workshop_id, o.title,
                    o.budget_amount, o.budget_currency, o.deadline, o.request_revision,
                    o.current_stage, o.dispute_by_role, o.dispute_by_id, o.dispute_reason,
                    o.dispute_at, o.dispute_from, o.placed_at, o.updated_at,
                    o.commissioners_turn, o.workshops_turn AS \"workshops_turn!\"
             FROM unnest($1::text[]) AS s (state)
             CROSS JOIN LATERAL (" + $orders + ") o
             ORDER BY o.placed_at DESC, o.order_id DESC
             LIMIT $4",
            $($argument),+
        )
        .fetch_all($connection)
        .await
    };
}

/// One statement for each index that serves a list: one walk along it for each state asked for,
/// however rare, and of what they find the newest.
async fn select_items(
    connection: &mut PgConnection,
    filter: OrderFilter,
    (after, limit): (Option<OrderKey>, i64),
) -> Result<Vec<ItemRecord>, sqlx::Error> {
    let (before, before_id) = before(after);
    let states = states(filter);
    let commissioner_id = filter.commissioner_id.map(CommissionerId::as_uuid);
    match (filter.workshop_id.map(WorkshopId::as_uuid), commissioner_id) {
        (Some(workshop_id), commissioner_id) => items!(
            connection,
            "SELECT o.*, i.workshops_turn
             FROM invitations i
             CROSS JOIN LATERAL (
                 SELECT * FROM orders o
                 WHERE o.order_id = i.order_id AND ($6::uuid IS NULL OR o.commissioner_id = $6)
                 LIMIT 1
             ) o
             WHERE i.workshop_id = $5 AND i.order_state = s.state
               AND (i.placed_at, i.order_id) < ($2, $3)
             ORDER BY i.placed_at DESC, i.order_id DESC
             LIMIT $4",
            &states as &[&str],
            before,
            before_id,
            limit,
            workshop_id,
            commissioner_id,
        ),
        (None, Some(commissioner_id)) => items!(
            connection,
            "SELECT o.*, false AS workshops_turn FROM orders o
             WHERE o.commissioner_id = $5 AND o.state = s.state
               AND (o.placed_at, o.order_id) < ($2, $3)
             ORDER BY o.placed_at DESC, o.order_id DESC
             LIMIT $4",
            &states as &[&str],
            before,
            before_id,
            limit,
            commissioner_id,
        ),
        (None, None) => items!(
            connection,
            "SELECT o.*, false AS workshops_turn FROM orders o
             WHERE o.state = s.state AND (o.placed_at, o.order_id) < ($2, $3)
             ORDER BY o.placed_at DESC, o.order_id DESC
             LIMIT $4",
            &states as &[&str],
            before,
            before_id,
            limit,
        ),
    }
}

/// These orders, as the viewer may see them; those that it may not are left out.
pub(super) async fn orders_of(
    connection: &mut PgConnection,
    viewer: Viewer,
    ids: &[Uuid],
) -> Result<Vec<OrderItem>, sqlx::Error> {
    let seat = match viewer {
        Viewer::Workshop(me) => Some(me.as_uuid()),
        Viewer::Commissioner(_) | Viewer::Marketplace => None,
    };
    let records = sqlx::query_as!(
        ItemRecord,
        r#"
        SELECT o.order_id, o.version, o.state, o.commissioner_id, o.workshop_id, o.title,
               o.budget_amount, o.budget_currency, o.deadline, o.request_revision,
               o.current_stage, o.dispute_by_role, o.dispute_by_id, o.dispute_reason,
               o.dispute_at, o.dispute_from, o.placed_at, o.updated_at, o.commissioners_turn,
               coalesce(i.workshops_turn, false) AS "workshops_turn!"
        FROM unnest($1::uuid[]) AS s (order_id)
        CROSS JOIN LATERAL (SELECT * FROM orders o WHERE o.order_id = s.order_id LIMIT 1) o
        LEFT JOIN LATERAL (
            SELECT i.workshops_turn FROM invitations i
            WHERE i.order_id = o.order_id AND i.workshop_id = $2 LIMIT 1
        ) i ON true
        "#,
        ids,
        seat,
    )
    .fetch_all(connection)
    .await?;
    let items = records.into_iter().map(|record| record.item(viewer));
    items
        .filter_map(|item| item.map(|item| redact_item(viewer, item)).transpose())
        .collect()
}

/// The same of the orders that wait for the viewer, each from the index of what waits for such.
async fn select_mine(
    connection: &mut PgConnection,
    viewer: Viewer,
    filter: OrderFilter,
    (after, limit): (Option<OrderKey>, i64),
) -> Result<Vec<ItemRecord>, sqlx::Error> {
    let (before, before_id) = before(after);
    let states = states(filter);
    match viewer {
        Viewer::Workshop(me) => items!(
            connection,
            "SELECT o.*, i.workshops_turn
             FROM invitations i
             CROSS JOIN LATERAL (
                 SELECT * FROM orders o
                 WHERE o.order_id = i.order_id AND ($6::uuid IS NULL OR o.commissioner_id = $6)
                 LIMIT 1
             ) o
             WHERE i.workshop_id = $5 AND i.order_state = s.state AND i.workshops_turn
               AND (i.placed_at, i.order_id) < ($2, $3)
             ORDER BY i.placed_at DESC, i.order_id DESC
             LIMIT $4",
            &states as &[&str],
            before,
            before_id,
            limit,
            me.as_uuid(),
            filter.commissioner_id.map(CommissionerId::as_uuid),
        ),
        Viewer::Commissioner(me) => items!(
            connection,
            "SELECT o.*, false AS workshops_turn FROM orders o
             WHERE o.commissioner_id = $5 AND o.state = s.state AND o.commissioners_turn
               AND (o.placed_at, o.order_id) < ($2, $3)
               AND ($6::uuid IS NULL OR EXISTS (
                   SELECT FROM invitations i
                   WHERE i.order_id = o.order_id AND i.workshop_id = $6))
             ORDER BY o.placed_at DESC, o.order_id DESC
             LIMIT $4",
            &states as &[&str],
            before,
            before_id,
            limit,
            me.as_uuid(),
            filter.workshop_id.map(WorkshopId::as_uuid),
        ),
        Viewer::Marketplace => Ok(vec![]),
    }
}

fn before(after: Option<OrderKey>) -> (DateTime<Utc>, Uuid) {
    after.map_or((DateTime::<Utc>::MAX_UTC, Uuid::max()), |key| {
        (key.placed_at, key.order_id.as_uuid())
    })
}

fn states(filter: OrderFilter) -> Vec<&'static str> {
    match filter.state {
        Some(state) => vec![state.as_str()],
        None => OrderState::ALL.iter().map(|s| s.as_str()).collect(),
    }
}

impl ItemRecord {
    fn item(self, viewer: Viewer) -> Result<OrderItem, sqlx::Error> {
        let dispute = read_dispute(
            self.dispute_by_role,
            self.dispute_by_id,
            self.dispute_reason,
            self.dispute_at,
            self.dispute_from,
        )?;
        let state = read_word(&self.state, "state")?;
        Ok(OrderItem {
            order_id: OrderId::from_uuid(self.order_id),
            version: self.version,
            state,
            your_turn: match viewer {
                Viewer::Commissioner(_) => self.commissioners_turn,
                Viewer::Workshop(_) => self.workshops_turn,
                Viewer::Marketplace => state == OrderState::Disputed,
            },
            commissioner_id: CommissionerId::from_uuid(self.commissioner_id),
            workshop_id: self.workshop_id.map(WorkshopId::from_uuid),
            request: RequestItem {
                title: self.title,
                budget: MoneyView {
                    amount: self.budget_amount,
                    currency: self.budget_currency,
                },
                deadline: self.deadline,
                revision: self.request_revision,
            },
            current_stage: self.current_stage,
            dispute,
            created_at: self.placed_at,
            updated_at: self.updated_at,
        })
    }
}
