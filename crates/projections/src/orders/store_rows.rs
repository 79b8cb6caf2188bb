//! Writes the rows of orders back, set by set: each statement covers a whole batch.

use chrono::{DateTime, Utc};
use event_store::{Position, Version};
use kernel::OrderId;
use rust_decimal::Decimal;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::read_model::Delivered;
use super::rows::{InvitationRow, OfferRow, OrderRow, OrderRows, StageRow};
use crate::row_sets::{all_moved, column};

/// The rows of an order that a batch has changed.
pub(super) struct Changed<'a> {
    /// The version that the table has; [`Version::NONE`] where it has no row.
    pub(super) from: Version,
    /// The last position that had touched the order before.
    pub(super) since: Position,
    pub(super) rows: &'a OrderRows,
}

/// Writes what the batch has changed, and nothing else.
///
/// # Errors
/// What the database said; [`sqlx::Error::Protocol`] when a row is no longer at the version that it
/// was loaded at.
pub(super) async fn store_rows(
    connection: &mut PgConnection,
    changed: &[Changed<'_>],
) -> Result<(), sqlx::Error> {
    store_orders(connection, changed).await?;

    let mut invitations = Vec::new();
    let mut stages = Vec::new();
    for Changed { since, rows, .. } in changed {
        let order = &rows.order;
        let invited = rows.invitations.iter();
        invitations.extend(
            invited
                .filter(|row| row.touched.last > *since)
                .map(|row| (order, row)),
        );
        let staged = rows.stages.iter();
        stages.extend(
            staged
                .filter(|row| row.touched.last > *since)
                .map(|row| (order.order_id, row)),
        );
    }
    store_invitations(connection, &invitations).await?;
    store_stages(connection, &stages).await
}

async fn store_orders(
    connection: &mut PgConnection,
    changed: &[Changed<'_>],
) -> Result<(), sqlx::Error> {
    let orders: Vec<&OrderRow> = column(changed, |c| &c.rows.order);
    let disputes = column(&orders, |o| o.dispute.as_ref());
    let stored = sqlx::query!(
        r#"
        MERGE INTO read.orders AS o
        USING unnest(
            $1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::uuid[], $6::uuid[], $7::text[],
            $8::text[], $9::numeric[], $10::text[], $11::timestamptz[], $12::bigint[],
            $13::bigint[], $14::text[], $15::uuid[], $16::text[], $17::timestamptz[],
            $18::text[], $19::timestamptz[], $20::timestamptz[], $21::bigint[], $22::bigint[]
        ) AS n (
            order_id, from_version, version, state, commissioner_id, workshop_id, title,
            brief, budget_amount, budget_currency, deadline, request_revision,
            current_stage, dispute_by_role, dispute_by_id, dispute_reason, dispute_at,
            dispute_from, created_at, updated_at, first_position, last_position
        )
        ON o.order_id = n.order_id
        WHEN MATCHED AND o.version = n.from_version THEN UPDATE SET
            version = n.version, state = n.state, workshop_id = n.workshop_id, title = n.title,
            brief = n.brief, budget_amount = n.budget_amount, budget_currency = n.budget_currency,
            deadline = n.deadline, request_revision = n.request_revision,
            current_stage = n.current_stage, dispute_by_role = n.dispute_by_role,
            dispute_by_id = n.dispute_by_id, dispute_reason = n.dispute_reason,
            dispute_at = n.dispute_at, dispute_from = n.dispute_from,
            updated_at = n.updated_at, last_position = n.last_position
        WHEN NOT MATCHED AND n.from_version = 0 THEN INSERT (
            order_id, version, state, commissioner_id, workshop_id, title, brief, budget_amount,
            budget_currency, deadline, request_revision, current_stage, dispute_by_role,
            dispute_by_id, dispute_reason, dispute_at, dispute_from, created_at, updated_at,
            first_position, last_position
        ) VALUES (
            n.order_id, n.version, n.state, n.commissioner_id, n.workshop_id, n.title, n.brief,
            n.budget_amount, n.budget_currency, n.deadline, n.request_revision, n.current_stage,
            n.dispute_by_role, n.dispute_by_id, n.dispute_reason, n.dispute_at, n.dispute_from,
            n.created_at, n.updated_at, n.first_position, n.last_position
        )
        "#,
        &column(&orders, |o| o.order_id.as_uuid()),
        &column(changed, |c| c.from.get()),
        &column(&orders, |o| o.version.get()),
        &column(&orders, |o| o.state.as_str()) as &[&str],
        &column(&orders, |o| o.commissioner_id.as_uuid()),
        &column(&orders, |o| o.workshop_id.map(|id| id.as_uuid())) as &[Option<Uuid>],
        &column(&orders, |o| o.request.title.as_str()) as &[&str],
        &column(&orders, |o| o.request.brief.as_str()) as &[&str],
        &column(&orders, |o| o.request.budget.amount),
        &column(&orders, |o| o.request.budget.currency.as_str()) as &[&str],
        &column(&orders, |o| o.request.deadline),
        &column(&orders, |o| o.request.revision),
        &column(&orders, |o| o.current_stage) as &[Option<i64>],
        &column(&disputes, |d| d.map(|d| d.opened_by.role.as_str())) as &[Option<&str>],
        &column(&disputes, |d| d.map(|d| d.opened_by.id)) as &[Option<Uuid>],
        &column(&disputes, |d| d.map(|d| d.reason.as_str())) as &[Option<&str>],
        &column(&disputes, |d| d.map(|d| d.opened_at)) as &[Option<DateTime<Utc>>],
        &column(&disputes, |d| d.map(|d| d.from.as_str())) as &[Option<&str>],
        &column(&orders, |o| o.created_at),
        &column(&orders, |o| o.updated_at),
        &column(&orders, |o| o.touched.first.get()),
        &column(&orders, |o| o.touched.last.get()),
    )
    .execute(connection)
    .await?
    .rows_affected();
    all_moved("read.orders", orders.len(), stored)
}

async fn store_invitations(
    connection: &mut PgConnection,
    invitations: &[(&OrderRow, &InvitationRow)],
) -> Result<(), sqlx::Error> {
    if invitations.is_empty() {
        return Ok(());
    }
    let rows: Vec<&InvitationRow> = column(invitations, |(_, row)| *row);
    let offers: Vec<Option<&OfferRow>> = column(&rows, |row| row.offer.as_ref());
    let stage_plans = column(&offers, |o| {
        o.map(|o| serde_json::to_value(&o.stages)).transpose()
    })
    .into_iter()
    .collect::<Result<Vec<Option<Value>>, _>>()
    .map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    sqlx::query!(
        r#"
        INSERT INTO read.invitations (
            order_id, workshop_id, seat, status, invited_at, order_created_at,
            offer_budget_amount, offer_budget_currency, offer_deadline, offer_description,
            offer_stages, offer_request_revision, offer_revision, first_position, last_position
        )
        SELECT * FROM unnest(
            $1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::timestamptz[],
            $6::timestamptz[], $7::numeric[], $8::text[], $9::timestamptz[], $10::text[],
            $11::jsonb[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[]
        )
        ON CONFLICT (order_id, workshop_id) DO UPDATE SET
            status = excluded.status, invited_at = excluded.invited_at,
            offer_budget_amount = excluded.offer_budget_amount,
            offer_budget_currency = excluded.offer_budget_currency,
            offer_deadline = excluded.offer_deadline,
            offer_description = excluded.offer_description,
            offer_stages = excluded.offer_stages,
            offer_request_revision = excluded.offer_request_revision,
            offer_revision = excluded.offer_revision,
            last_position = excluded.last_position
        "#,
        &column(invitations, |(order, _)| order.order_id.as_uuid()),
        &column(&rows, |row| row.workshop_id.as_uuid()),
        &column(&rows, |row| row.seat),
        &column(&rows, |row| row.status.as_str()) as &[&str],
        &column(&rows, |row| row.invited_at),
        &column(invitations, |(order, _)| order.created_at),
        &column(&offers, |o| o.map(|o| o.budget.amount)) as &[Option<Decimal>],
        &column(&offers, |o| o.map(|o| o.budget.currency.as_str())) as &[Option<&str>],
        &column(&offers, |o| o.map(|o| o.deadline)) as &[Option<DateTime<Utc>>],
        &column(&offers, |o| o.map(|o| o.description.as_str())) as &[Option<&str>],
        &stage_plans as &[Option<Value>],
        &column(&offers, |o| o.map(|o| o.request_revision)) as &[Option<i64>],
        &column(&offers, |o| o.map(|o| o.offer_revision)) as &[Option<i64>],
        &column(&rows, |row| row.touched.first.get()),
        &column(&rows, |row| row.touched.last.get()),
    )
    .execute(connection)
    .await
    .map(drop)
}

async fn store_stages(
    connection: &mut PgConnection,
    stages: &[(OrderId, &StageRow)],
) -> Result<(), sqlx::Error> {
    if stages.is_empty() {
        return Ok(());
    }
    let rows: Vec<&StageRow> = column(stages, |(_, row)| *row);
    sqlx::query!(
        r#"
        INSERT INTO read.stages (
            order_id, number, name, description, duration_days, requires_approval, status,
            completed_at, first_position, last_position
        )
        SELECT * FROM unnest(
            $1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::boolean[],
            $7::text[], $8::timestamptz[], $9::bigint[], $10::bigint[]
        )
        ON CONFLICT (order_id, number) DO UPDATE SET
            status = excluded.status, completed_at = excluded.completed_at,
            last_position = excluded.last_position
        "#,
        &column(stages, |(order_id, _)| order_id.as_uuid()),
        &column(&rows, |row| row.number),
        &column(&rows, |row| row.plan.name.as_str()) as &[&str],
        &column(&rows, |row| row.plan.description.as_str()) as &[&str],
        &column(&rows, |row| row.plan.duration_days) as &[Option<i64>],
        &column(&rows, |row| row.plan.requires_approval),
        &column(&rows, |row| row.status.as_str()) as &[&str],
        &column(&rows, |row| row.completed_at) as &[Option<DateTime<Utc>>],
        &column(&rows, |row| row.touched.first.get()),
        &column(&rows, |row| row.touched.last.get()),
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Adds events to the timelines; one that is there already stays as it is.
pub(super) async fn store_timeline(
    connection: &mut PgConnection,
    events: &[Delivered<'_>],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        INSERT INTO read.timeline (
            order_id, version, event_id, event_type, event_version, payload, actor_role, actor_id,
            on_behalf_of_role, on_behalf_of_id, occurred_at, position
        )
        SELECT * FROM unnest(
            $1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::jsonb[],
            $7::text[], $8::uuid[], $9::text[], $10::uuid[], $11::timestamptz[], $12::bigint[]
        )
        ON CONFLICT (order_id, version) DO NOTHING
        "#,
        &column(events, |e| e.order_id.as_uuid()),
        &column(events, |e| e.stored.version.get()),
        &column(events, |e| e.stored.event_id.as_uuid()),
        &column(events, |e| e.stored.event_type.as_str()) as &[&str],
        &column(events, |e| e.stored.event_version.as_str()) as &[&str],
        &column(events, |e| &e.stored.payload) as &[&Value],
        &column(events, |e| e.actor.role.as_str()) as &[&str],
        &column(events, |e| e.actor.id),
        &column(events, |e| e.on_behalf_of.map(|a| a.role.as_str())) as &[Option<&str>],
        &column(events, |e| e.on_behalf_of.map(|a| a.id)) as &[Option<Uuid>],
        &column(events, |e| e.occurred_at),
        &column(events, |e| e.stored.position.get()),
    )
    .execute(connection)
    .await
    .map(drop)
}
