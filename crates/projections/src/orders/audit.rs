//! The rows of orders, compared with their events.

use std::collections::BTreeSet;
use std::error::Error;

use event_store::failure::chain;
use event_store::{StoredEvent, Version};
use kernel::OrderId;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::fold::{Fold, Touched};
use super::read_model::read;
use super::rows::OrderRows;
use super::status::DisputedFrom;
use super::timeline::Line;
use crate::audit::{Difference, Differs, Scope, differences};

/// The rows of some orders, as the events say they are: each a list of objects by column.
#[derive(Default)]
struct Expected {
    orders: Vec<Value>,
    invitations: Vec<Value>,
    stages: Vec<Value>,
    timeline: Vec<Value>,
    folds: Vec<Value>,
}

/// The keys of the rows after `after`.
pub(crate) async fn keys(
    connection: &mut PgConnection,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, sqlx::Error> {
    let after = after.parse().unwrap_or(Uuid::nil());
    sqlx::query_scalar!(
        r#"
        SELECT order_id::text AS "key!" FROM orders
        WHERE order_id > $1 ORDER BY order_id LIMIT $2
        "#,
        after,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Compares every row of these orders.
pub(crate) async fn compare(
    connection: &mut PgConnection,
    scope: &Scope,
    keys: &BTreeSet<String>,
) -> Result<Vec<Difference>, sqlx::Error> {
    let folded = scope
        .fold_each(connection, keys, "orders", |events| {
            Expected::of(events).map_err(|error| chain(error.as_ref()))
        })
        .await?;
    let mut expected = Expected::default();
    for rows in folded.come_to {
        expected.append(rows);
    }
    let ids = folded.keys.iter().flat_map(|key| key.parse::<OrderId>());
    let ids: Vec<Uuid> = ids.map(OrderId::as_uuid).collect();
    let rows = compare_rows(connection, scope, expected, &ids).await?;
    Ok(folded.unknown.into_iter().chain(rows).collect())
}

async fn compare_rows(
    connection: &mut PgConnection,
    scope: &Scope,
    expected: Expected,
    ids: &[Uuid],
) -> Result<Vec<Difference>, sqlx::Error> {
    let Expected {
        orders,
        invitations,
        stages,
        timeline,
        folds,
    } = expected;
    let mut found = Vec::new();
    let orders = differences!(
        &mut *connection,
        "orders",
        "coalesce(e.order_id, a.order_id)::text",
        "''",
        "e.order_id = a.order_id",
        "r.order_id = ANY ($3)",
        Value::Array(orders),
        ids,
    )?;
    found.extend(orders.into_iter().map(|it| it.told(scope, "orders")));
    let invitations = differences!(
        &mut *connection,
        "invitations",
        "coalesce(e.order_id, a.order_id)::text",
        "coalesce(e.workshop_id, a.workshop_id)::text",
        "e.order_id = a.order_id AND e.workshop_id = a.workshop_id",
        "r.order_id = ANY ($3)",
        Value::Array(invitations),
        ids,
    )?;
    found.extend(
        invitations
            .into_iter()
            .map(|it| it.told(scope, "invitations")),
    );
    let stages = differences!(
        &mut *connection,
        "stages",
        "coalesce(e.order_id, a.order_id)::text",
        "coalesce(e.number, a.number)::text",
        "e.order_id = a.order_id AND e.number = a.number",
        "r.order_id = ANY ($3)",
        Value::Array(stages),
        ids,
    )?;
    found.extend(stages.into_iter().map(|it| it.told(scope, "stages")));
    let timeline = differences!(
        &mut *connection,
        "timeline",
        "coalesce(e.order_id, a.order_id)::text",
        "coalesce(e.version, a.version) || '.' || coalesce(e.part, a.part)",
        "e.order_id = a.order_id AND e.version = a.version AND e.part = a.part",
        "r.order_id = ANY ($3)",
        Value::Array(timeline),
        ids,
    )?;
    found.extend(timeline.into_iter().map(|it| it.told(scope, "timeline")));
    let folds = differences!(
        &mut *connection,
        "folds",
        "coalesce(e.order_id, a.order_id)::text",
        "''",
        "e.order_id = a.order_id",
        "r.order_id = ANY ($3)",
        Value::Array(folds),
        ids,
    )?;
    let folds = folds.into_iter().map(|it| it.told(scope, "folds"));
    found.extend(but_for_other_shapes(folds.collect()));
    Ok(found)
}

/// A fold that another release stored has another shape, which its next event makes anew.
fn but_for_other_shapes(mut folds: Vec<Difference>) -> Vec<Difference> {
    let of_shape = |it: &Difference| it.field() == Some("shape");
    let others: BTreeSet<_> = folds
        .iter()
        .filter(|it| of_shape(it))
        .map(|it| it.stream.clone())
        .collect();
    folds.retain(|it| match &it.what {
        Differs::Field { name, .. } if name == "shape" || name == "fold" => {
            !others.contains(&it.stream)
        }
        Differs::Field { .. } | Differs::Missing | Differs::Surplus | Differs::Unknown { .. } => {
            true
        }
    });
    folds
}

impl Expected {
    /// What the events of an order say.
    fn of(events: &[StoredEvent]) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let mut fold = Fold::default();
        let mut timeline = Vec::new();
        for event in events {
            let delivered = read(event)?;
            fold.apply(&delivered.facts, event.version, event.position)?;
            for told in (1..).zip(&delivered.facts) {
                let by = (delivered.actor, delivered.on_behalf_of);
                timeline.push(line(&Line::of(event, told, by)?)?);
            }
        }
        let Some(rows) = &fold.rows else {
            return Ok(Self::default());
        };
        let touched = &fold.touched;
        Ok(Self {
            orders: vec![order(rows, fold.version, touched.order)],
            invitations: invitations(rows, &touched.seats).collect(),
            stages: stages(rows, &touched.stages).collect(),
            timeline,
            folds: vec![json!({
                "order_id": rows.order.order_id,
                "version": fold.version.get(),
                "shape": Fold::SHAPE,
                "fold": fold.store()?,
            })],
        })
    }

    fn append(&mut self, mut others: Self) {
        self.orders.append(&mut others.orders);
        self.invitations.append(&mut others.invitations);
        self.stages.append(&mut others.stages);
        self.timeline.append(&mut others.timeline);
        self.folds.append(&mut others.folds);
    }
}

fn order(rows: &OrderRows, version: Version, touched: Option<Touched>) -> Value {
    let order = &rows.order;
    let (agreed, dispute) = (order.agreed.as_ref(), order.dispute.as_ref());
    json!({
        "order_id": order.order_id,
        "version": version.get(),
        "state": order.state.as_str(),
        "commissioner_id": order.commissioner_id,
        "workshop_id": agreed.map(|it| it.workshop_id),
        "title": order.title,
        "budget_amount": order.budget.amount(),
        "budget_currency": order.budget.currency().to_string(),
        "deadline": order.deadline,
        "request_revision": order.request_revision,
        "agreed_amount": agreed.map(|it| it.budget.amount()),
        "agreed_currency": agreed.map(|it| it.budget.currency().to_string()),
        "agreed_deadline": agreed.map(|it| it.deadline),
        "current_stage": order.current_stage,
        "dispute_by_role": dispute.map(|it| it.opened_by.role.as_str()),
        "dispute_by_id": dispute.map(|it| it.opened_by.id),
        "dispute_reason": dispute.map(|it| it.reason.as_str()),
        "dispute_at": dispute.map(|it| it.opened_at),
        "dispute_from": dispute.map(|it| DisputedFrom::from(it.from).as_str()),
        "placed_at": order.placed_at,
        "first_offered_at": order.first_offered_at,
        "confirmed_at": agreed.map(|it| it.confirmed_at),
        "finished_at": order.finished_at,
        "completed_at": order.completed_at,
        "cancelled_at": order.cancelled_at,
        "updated_at": order.updated_at,
        "first_position": touched.map(Touched::first),
        "last_position": touched.map(Touched::last),
        "commissioners_turn": order.commissioners_turn,
    })
}

fn invitations<'a>(
    rows: &'a OrderRows,
    touched: &'a [Touched],
) -> impl Iterator<Item = Value> + 'a {
    rows.invitations.iter().zip(touched).map(|(row, touched)| {
        let offer = row.offer.as_ref();
        json!({
            "order_id": rows.order.order_id,
            "workshop_id": row.workshop_id,
            "seat": row.seat,
            "status": row.status.as_str(),
            "first_invited_at": row.first_invited_at,
            "invited_at": row.invited_at,
            "first_offered_at": row.first_offered_at,
            "offer_amount": offer.map(|it| it.budget.amount()),
            "offer_currency": offer.map(|it| it.budget.currency().to_string()),
            "offer_deadline": offer.map(|it| it.deadline),
            "offer_request_revision": offer.map(|it| it.request_revision),
            "offer_revision": offer.map(|it| it.offer_revision),
            "order_state": row.order_state.as_str(),
            "placed_at": rows.order.placed_at,
            "first_position": touched.first(),
            "last_position": touched.last(),
            "workshops_turn": row.workshops_turn,
        })
    })
}

fn stages<'a>(rows: &'a OrderRows, touched: &'a [Touched]) -> impl Iterator<Item = Value> + 'a {
    rows.stages.iter().zip(touched).map(|(row, touched)| {
        json!({
            "order_id": rows.order.order_id,
            "number": row.number,
            "name": row.name,
            "duration_days": row.duration_days,
            "requires_approval": row.requires_approval,
            "status": row.status,
            "planned_end": row.planned_end,
            "completed_at": row.completed_at,
            "first_position": touched.first(),
            "last_position": touched.last(),
        })
    })
}

fn line(line: &Line) -> Result<Value, serde_json::Error> {
    let data: Value = serde_json::from_str(&line.data)?;
    Ok(json!({
        "order_id": line.order_id,
        "version": line.version,
        "part": line.part,
        "event_id": line.event_id,
        "event": line.event,
        "schema_version": line.schema_version,
        "data": data,
        "actor_role": line.actor.role.as_str(),
        "actor_id": line.actor.id,
        "on_behalf_of_role": line.on_behalf_of.map(|it| it.role.as_str()),
        "on_behalf_of_id": line.on_behalf_of.map(|it| it.id),
        "occurred_at": line.occurred_at,
        "recorded_at": line.recorded_at,
        "position": line.position,
    }))
}
