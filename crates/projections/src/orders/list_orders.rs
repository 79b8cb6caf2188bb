//! Orders in a list, newest first.

use chrono::{DateTime, Utc};
use kernel::{CommissionerId, OrderId, WorkshopId};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::load_rows::{dispute, read_word};
use super::rows::DisputeRow;
use super::status::OrderState;
use super::view::{MoneyView, OrderItem, RequestItem};
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
}

/// Where an order lies in the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderKey {
    /// When it was placed.
    pub created_at: DateTime<Utc>,
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
    let records = select_items(connection, filter, after, limit.saturating_add(1)).await?;
    let records = Slice::cut(records, limit, |last| OrderKey {
        created_at: last.created_at,
        order_id: OrderId::from_uuid(last.order_id),
    });
    let items = records
        .items
        .into_iter()
        .map(ItemRecord::item)
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
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// The columns of an item, and what follows them in each of the statements.
macro_rules! items {
    ($connection:ident, $rest:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            ItemRecord,
            "SELECT o.order_id, o.version, o.state, o.commissioner_id, o.workshop_id, o.title,
                    o.budget_amount, o.budget_currency, o.deadline, o.request_revision,
                    o.current_stage, o.dispute_by_role, o.dispute_by_id, o.dispute_reason,
                    o.dispute_at, o.dispute_from, o.created_at, o.updated_at
             FROM " + $rest,
            $($argument),+
        )
        .fetch_all($connection)
        .await
    };
}

/// One statement for each index that serves a list.
async fn select_items(
    connection: &mut PgConnection,
    filter: OrderFilter,
    after: Option<OrderKey>,
    limit: i64,
) -> Result<Vec<ItemRecord>, sqlx::Error> {
    let before = after.map_or(DateTime::<Utc>::MAX_UTC, |key| key.created_at);
    let before_id = after.map_or(Uuid::max(), |key| key.order_id.as_uuid());
    let state = filter.state.map(OrderState::as_str);
    let commissioner_id = filter.commissioner_id.map(CommissionerId::as_uuid);
    let workshop_id = filter.workshop_id.map(WorkshopId::as_uuid);
    match (workshop_id, commissioner_id, state) {
        (Some(workshop_id), commissioner_id, state) => items!(
            connection,
            // One look at an order for each seat, however many orders there are.
            "read.invitations i
             CROSS JOIN LATERAL (
                 SELECT * FROM read.orders o
                 WHERE o.order_id = i.order_id
                   AND ($4::uuid IS NULL OR o.commissioner_id = $4)
                   AND ($5::text IS NULL OR o.state = $5)
                 LIMIT 1
             ) o
             WHERE i.workshop_id = $1 AND (i.order_created_at, i.order_id) < ($2, $3)
             ORDER BY i.order_created_at DESC, i.order_id DESC
             LIMIT $6",
            workshop_id,
            before,
            before_id,
            commissioner_id,
            state,
            limit,
        ),
        (None, Some(commissioner_id), state) => items!(
            connection,
            "read.orders o
             WHERE o.commissioner_id = $1
               AND (o.created_at, o.order_id) < ($2, $3)
               AND ($4::text IS NULL OR o.state = $4)
             ORDER BY o.created_at DESC, o.order_id DESC
             LIMIT $5",
            commissioner_id,
            before,
            before_id,
            state,
            limit,
        ),
        (None, None, Some(state)) => items!(
            connection,
            // An equality would let the planner walk all orders, newest first, for a rare state.
            "read.orders o
             WHERE o.state >= $1 AND (o.state, o.created_at, o.order_id) < ($1, $2, $3)
             ORDER BY o.state DESC, o.created_at DESC, o.order_id DESC
             LIMIT $4",
            state,
            before,
            before_id,
            limit,
        ),
        (None, None, None) => items!(
            connection,
            "read.orders o
             WHERE (o.created_at, o.order_id) < ($1, $2)
             ORDER BY o.created_at DESC, o.order_id DESC
             LIMIT $3",
            before,
            before_id,
            limit,
        ),
    }
}

impl ItemRecord {
    fn item(self) -> Result<OrderItem, sqlx::Error> {
        let dispute = dispute(
            self.dispute_by_role,
            self.dispute_by_id,
            self.dispute_reason,
            self.dispute_at,
            self.dispute_from,
        )?;
        Ok(OrderItem {
            order_id: OrderId::from_uuid(self.order_id),
            version: self.version,
            state: read_word(&self.state, "state")?,
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
            dispute: dispute.as_ref().map(DisputeRow::view),
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}
