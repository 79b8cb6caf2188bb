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
    let Some((state, walk)) = walk(viewer, filter) else {
        return Ok(Slice::empty());
    };
    let records = select(connection, state, walk, (after, limit.saturating_add(1))).await?;
    let records = Slice::cut(records, limit, |last| OrderKey {
        placed_at: last.placed_at,
        order_id: OrderId::from_uuid(last.order_id),
    });
    Ok(Slice {
        items: shown(viewer, records.items)?,
        next: records.next,
    })
}

/// Along which index a list is read.
#[derive(Debug, Clone, Copy)]
enum Walk {
    /// The orders at which a workshop has a seat, of one commissioner or any; all, or those that wait
    /// for the workshop.
    Seated(WorkshopId, Option<CommissionerId>, Waiting),
    /// The orders of a commissioner, with a seat of one workshop or not; all, or those that wait for
    /// the commissioner.
    Placed(CommissionerId, Option<WorkshopId>, Waiting),
    /// Every order.
    All,
}

/// Whether only what waits for its viewer is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    No,
    Only,
}

impl Walk {
    /// To every order of that commissioner, and with that seat.
    fn to(commissioner_id: Option<CommissionerId>, workshop_id: Option<WorkshopId>) -> Self {
        match (workshop_id, commissioner_id) {
            (Some(seat), of) => Self::Seated(seat, of, Waiting::No),
            (None, Some(of)) => Self::Placed(of, None, Waiting::No),
            (None, None) => Self::All,
        }
    }
}

/// In which state, and how, what is asked for is found within what the viewer may see; none if that
/// leaves nothing.
fn walk(viewer: Viewer, filter: OrderFilter) -> Option<(Option<OrderState>, Walk)> {
    let (of, seat) = (filter.commissioner_id, filter.workshop_id);
    match viewer {
        Viewer::Analyst if filter.mine => None,
        // Of operators disputes alone wait.
        Viewer::Operator if filter.mine => {
            let disputed = filter.state.unwrap_or(OrderState::Disputed) == OrderState::Disputed;
            disputed.then(|| (Some(OrderState::Disputed), Walk::to(of, seat)))
        }
        Viewer::Operator | Viewer::Analyst => Some((filter.state, Walk::to(of, seat))),
        Viewer::Commissioner(me) => (of.unwrap_or(me) == me).then(|| {
            let walk = match filter.mine {
                true => Walk::Placed(me, seat, Waiting::Only),
                false => Walk::to(Some(me), seat),
            };
            (filter.state, walk)
        }),
        Viewer::Workshop(me) => (seat.unwrap_or(me) == me).then(|| {
            let waiting = match filter.mine {
                true => Waiting::Only,
                false => Waiting::No,
            };
            (filter.state, Walk::Seated(me, of, waiting))
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

/// The columns of an item, from what gives the orders `o`.
macro_rules! items {
    ($connection:ident, $orders:literal $(+ $more:literal)*, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            ItemRecord,
            "SELECT o.order_id, o.version, o.state, o.commissioner_id, o.workshop_id, o.title,
                    o.budget_amount, o.budget_currency, o.deadline, o.request_revision,
                    o.current_stage, o.dispute_by_role, o.dispute_by_id, o.dispute_reason,
                    o.dispute_at, o.dispute_from, o.placed_at, o.updated_at,
                    o.commissioners_turn, o.workshops_turn AS \"workshops_turn!\"
             FROM " + $orders $(+ $more)*,
            $($argument),+
        )
        .fetch_all($connection)
        .await
    };
}

/// The newest items, one walk along an index for each state asked for, however rare, and of what they
/// find the newest; `$turn` narrows the walk to what another index has.
macro_rules! newest {
    ($connection:ident, $walk:literal, $turn:literal, $rest:literal, $($argument:expr),+ $(,)?) => {
        items!(
            $connection,
            "unnest($1::text[]) AS s (state)
             CROSS JOIN LATERAL (" + $walk + $turn + $rest + ") o
             ORDER BY o.placed_at DESC, o.order_id DESC
             LIMIT $4",
            $($argument),+
        )
    };
}

/// Orders at which a workshop has a seat.
macro_rules! seated {
    ($connection:ident, $turn:literal, $($argument:expr),+ $(,)?) => {
        newest!(
            $connection,
            "SELECT o.*, i.workshops_turn
             FROM invitations i
             CROSS JOIN LATERAL (
                 SELECT * FROM orders o
                 WHERE o.order_id = i.order_id AND ($6::uuid IS NULL OR o.commissioner_id = $6)
                 LIMIT 1
             ) o
             WHERE i.workshop_id = $5 AND i.order_state = s.state",
            $turn,
            " AND (i.placed_at, i.order_id) < ($2, $3)
             ORDER BY i.placed_at DESC, i.order_id DESC
             LIMIT $4",
            $($argument),+
        )
    };
}

/// Orders of a commissioner.
macro_rules! placed {
    ($connection:ident, $turn:literal, $($argument:expr),+ $(,)?) => {
        newest!(
            $connection,
            "SELECT o.*, false AS workshops_turn FROM orders o
             WHERE o.commissioner_id = $5 AND o.state = s.state",
            $turn,
            " AND (o.placed_at, o.order_id) < ($2, $3)
               AND ($6::uuid IS NULL OR EXISTS (
                   SELECT FROM invitations i
                   WHERE i.order_id = o.order_id AND i.workshop_id = $6))
             ORDER BY o.placed_at DESC, o.order_id DESC
             LIMIT $4",
            $($argument),+
        )
    };
}

/// One statement for each index that serves a list.
async fn select(
    connection: &mut PgConnection,
    state: Option<OrderState>,
    walk: Walk,
    (after, limit): (Option<OrderKey>, i64),
) -> Result<Vec<ItemRecord>, sqlx::Error> {
    let (before, before_id) = before(after);
    let states: Vec<&str> = match state {
        Some(state) => vec![state.as_str()],
        None => OrderState::ALL.iter().map(|s| s.as_str()).collect(),
    };
    let states = states.as_slice();
    match walk {
        Walk::Seated(seat, of, Waiting::No) => seated!(
            connection,
            "",
            states as &[&str],
            before,
            before_id,
            limit,
            seat.as_uuid(),
            of.map(CommissionerId::as_uuid),
        ),
        Walk::Seated(seat, of, Waiting::Only) => seated!(
            connection,
            " AND i.workshops_turn",
            states as &[&str],
            before,
            before_id,
            limit,
            seat.as_uuid(),
            of.map(CommissionerId::as_uuid),
        ),
        Walk::Placed(of, seat, Waiting::No) => placed!(
            connection,
            "",
            states as &[&str],
            before,
            before_id,
            limit,
            of.as_uuid(),
            seat.map(WorkshopId::as_uuid),
        ),
        Walk::Placed(of, seat, Waiting::Only) => placed!(
            connection,
            " AND o.commissioners_turn",
            states as &[&str],
            before,
            before_id,
            limit,
            of.as_uuid(),
            seat.map(WorkshopId::as_uuid),
        ),
        Walk::All => newest!(
            connection,
            "SELECT o.*, false AS workshops_turn FROM orders o WHERE o.state = s.state",
            "",
            " AND (o.placed_at, o.order_id) < ($2, $3)
             ORDER BY o.placed_at DESC, o.order_id DESC
             LIMIT $4",
            states as &[&str],
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
    let records = items!(
        connection,
        "unnest($1::uuid[]) AS s (order_id)
         CROSS JOIN LATERAL (
             SELECT o.*, coalesce(i.workshops_turn, false) AS workshops_turn
             FROM orders o
             LEFT JOIN LATERAL (
                 SELECT i.workshops_turn FROM invitations i
                 WHERE i.order_id = o.order_id AND i.workshop_id = $2 LIMIT 1
             ) i ON true
             WHERE o.order_id = s.order_id LIMIT 1
         ) o",
        ids,
        viewer.workshop().map(WorkshopId::as_uuid),
    )?;
    shown(viewer, records)
}

/// What the viewer is shown of what was read.
fn shown(viewer: Viewer, records: Vec<ItemRecord>) -> Result<Vec<OrderItem>, sqlx::Error> {
    let items = records.into_iter().map(|record| record.item(viewer));
    items
        .filter_map(|item| item.map(|item| redact_item(viewer, item)).transpose())
        .collect()
}

fn before(after: Option<OrderKey>) -> (DateTime<Utc>, Uuid) {
    after.map_or((DateTime::<Utc>::MAX_UTC, Uuid::max()), |key| {
        (key.placed_at, key.order_id.as_uuid())
    })
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
                Viewer::Operator => state == OrderState::Disputed,
                Viewer::Analyst => false,
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
