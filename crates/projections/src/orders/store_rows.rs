//! Writes the rows of orders, set by set: each statement covers a whole batch.

use chrono::{DateTime, Utc};
use event_store::Version;
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use super::fold::{Fold, Touched, Touches};
use super::rows::{InvitationRow, OfferColumns, OrderRow, OrderRows, StageRow};
use super::status::DisputedFrom;
use crate::row_sets::{all_moved, column};

/// An order that a batch has changed.
pub(super) struct Changed<'a> {
    /// The version that the tables have; [`Version::NONE`] where they have no rows.
    pub(super) from: Version,
    /// What had touched the rows that they have.
    pub(super) before: &'a Touches,
    pub(super) rows: &'a OrderRows,
    pub(super) fold: &'a Fold,
    /// The fold as it is stored.
    pub(super) text: &'a str,
}

/// A seat or a stage that has changed, with its order.
struct Part<'a, R> {
    order: &'a OrderRow,
    row: &'a R,
    touched: Touched,
}

/// Writes what has changed of the orders, and nothing else.
///
/// # Errors
/// What the database said; [`sqlx::Error::Protocol`] when a row is no longer at the version that it
/// was loaded at.
pub(super) async fn store(
    connection: &mut PgConnection,
    changed: &[Changed<'_>],
) -> Result<(), sqlx::Error> {
    store_folds(connection, changed).await?;
    store_orders(connection, changed).await?;
    let mut invitations = Vec::new();
    let mut stages = Vec::new();
    for order in changed {
        let Changed {
            before, rows, fold, ..
        } = order;
        let touched = &fold.touched;
        let seats = parts(
            &rows.order,
            &before.seats,
            &rows.invitations,
            &touched.seats,
        );
        invitations.extend(seats);
        stages.extend(parts(
            &rows.order,
            &before.stages,
            &rows.stages,
            &touched.stages,
        ));
    }
    store_invitations(connection, &invitations).await?;
    store_stages(connection, &stages).await
}

/// The rows that were touched since. One that is again what it was is among them: its last position
/// does not depend on how events came in batches.
fn parts<'a, R>(
    order: &'a OrderRow,
    before: &'a [Touched],
    after: &'a [R],
    touched: &'a [Touched],
) -> impl Iterator<Item = Part<'a, R>> {
    let after = after.iter().zip(touched).enumerate();
    let changed = after.filter(|(index, (_, touched))| before.get(*index) != Some(*touched));
    changed.map(|(_, (row, touched))| Part {
        order,
        row,
        touched: *touched,
    })
}

async fn store_folds(
    connection: &mut PgConnection,
    changed: &[Changed<'_>],
) -> Result<(), sqlx::Error> {
    let stored = sqlx::query!(
        r#"
        MERGE INTO folds AS f
        USING unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[])
            AS n (order_id, from_version, version, fold)
        ON f.order_id = n.order_id
        WHEN MATCHED AND f.version = n.from_version THEN UPDATE SET
            version = n.version, shape = $5, fold = n.fold
        WHEN NOT MATCHED AND n.from_version = 0 THEN INSERT (order_id, version, shape, fold)
            VALUES (n.order_id, n.version, $5, n.fold)
        "#,
        &column(changed, |c| c.rows.order.order_id.as_uuid()),
        &column(changed, |c| c.from.get()),
        &column(changed, |c| c.fold.version.get()),
        &column(changed, |c| c.text) as &[&str],
        Fold::SHAPE,
    )
    .execute(connection)
    .await?
    .rows_affected();
    all_moved("folds", changed.len(), stored)
}

async fn store_orders(
    connection: &mut PgConnection,
    changed: &[Changed<'_>],
) -> Result<(), sqlx::Error> {
    let orders: Vec<&OrderRow> = column(changed, |c| &c.rows.order);
    let agreed = column(&orders, |o| o.agreed.as_ref());
    let disputes = column(&orders, |o| o.dispute.as_ref());
    let touched = column(changed, |c| c.fold.touched.order);
    let stored = sqlx::query!(
        r#"
        MERGE INTO orders AS o
        USING unnest(
            $1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::uuid[], $6::text[],
            $7::numeric[], $8::text[], $9::timestamptz[], $10::bigint[], $11::uuid[],
            $12::numeric[], $13::text[], $14::timestamptz[], $15::timestamptz[], $16::bigint[],
            $17::text[], $18::uuid[], $19::text[], $20::timestamptz[], $21::text[],
            $22::timestamptz[], $23::timestamptz[], $24::timestamptz[], $25::timestamptz[],
            $26::timestamptz[], $27::timestamptz[], $28::bigint[], $29::bigint[], $30::boolean[]
        ) AS n (
            order_id, from_version, version, state, commissioner_id, title, budget_amount,
            budget_currency, deadline, request_revision, workshop_id, agreed_amount,
            agreed_currency, agreed_deadline, confirmed_at, current_stage, dispute_by_role,
            dispute_by_id, dispute_reason, dispute_at, dispute_from, placed_at, first_offered_at,
            finished_at, completed_at, cancelled_at, updated_at, first_position, last_position,
            commissioners_turn
        )
        ON o.order_id = n.order_id
        WHEN MATCHED AND o.version = n.from_version THEN UPDATE SET
            version = n.version, state = n.state, title = n.title,
            budget_amount = n.budget_amount, budget_currency = n.budget_currency,
            deadline = n.deadline, request_revision = n.request_revision,
            workshop_id = n.workshop_id, agreed_amount = n.agreed_amount,
            agreed_currency = n.agreed_currency, agreed_deadline = n.agreed_deadline,
            confirmed_at = n.confirmed_at, current_stage = n.current_stage,
            dispute_by_role = n.dispute_by_role, dispute_by_id = n.dispute_by_id,
            dispute_reason = n.dispute_reason, dispute_at = n.dispute_at,
            dispute_from = n.dispute_from, first_offered_at = n.first_offered_at,
            finished_at = n.finished_at, completed_at = n.completed_at,
            cancelled_at = n.cancelled_at, updated_at = n.updated_at,
            last_position = n.last_position, commissioners_turn = n.commissioners_turn
        WHEN NOT MATCHED AND n.from_version = 0 THEN INSERT (
            order_id, version, state, commissioner_id, title, budget_amount, budget_currency,
            deadline, request_revision, workshop_id, agreed_amount, agreed_currency,
            agreed_deadline, confirmed_at, current_stage, dispute_by_role, dispute_by_id,
            dispute_reason, dispute_at, dispute_from, placed_at, first_offered_at, finished_at,
            completed_at, cancelled_at, updated_at, first_position, last_position,
            commissioners_turn
        ) VALUES (
            n.order_id, n.version, n.state, n.commissioner_id, n.title, n.budget_amount,
            n.budget_currency, n.deadline, n.request_revision, n.workshop_id, n.agreed_amount,
            n.agreed_currency, n.agreed_deadline, n.confirmed_at, n.current_stage,
            n.dispute_by_role, n.dispute_by_id, n.dispute_reason, n.dispute_at, n.dispute_from,
            n.placed_at, n.first_offered_at, n.finished_at, n.completed_at, n.cancelled_at,
            n.updated_at, n.first_position, n.last_position, n.commissioners_turn
        )
        "#,
        &column(&orders, |o| o.order_id.as_uuid()),
        &column(changed, |c| c.from.get()),
        &column(changed, |c| c.fold.version.get()),
        &column(&orders, |o| o.state.as_str()) as &[&str],
        &column(&orders, |o| o.commissioner_id.as_uuid()),
        &column(&orders, |o| o.title.as_str()) as &[&str],
        &column(&orders, |o| o.budget.amount()),
        &column(&orders, |o| o.budget.currency().to_string()),
        &column(&orders, |o| o.deadline),
        &column(&orders, |o| o.request_revision),
        &column(&agreed, |a| a.map(|a| a.workshop_id.as_uuid())) as &[Option<Uuid>],
        &column(&agreed, |a| a.map(|a| a.budget.amount())) as &[Option<Decimal>],
        &column(&agreed, |a| a.map(|a| a.budget.currency().to_string())) as &[Option<String>],
        &column(&agreed, |a| a.map(|a| a.deadline)) as &[Option<DateTime<Utc>>],
        &column(&agreed, |a| a.map(|a| a.confirmed_at)) as &[Option<DateTime<Utc>>],
        &column(&orders, |o| o.current_stage) as &[Option<i64>],
        &column(&disputes, |d| d.map(|d| d.opened_by.role.as_str())) as &[Option<&str>],
        &column(&disputes, |d| d.map(|d| d.opened_by.id)) as &[Option<Uuid>],
        &column(&disputes, |d| d.map(|d| d.reason.as_str())) as &[Option<&str>],
        &column(&disputes, |d| d.map(|d| d.opened_at)) as &[Option<DateTime<Utc>>],
        &column(&disputes, |d| d
            .map(|d| DisputedFrom::from(d.from).as_str())) as &[Option<&str>],
        &column(&orders, |o| o.placed_at),
        &column(&orders, |o| o.first_offered_at) as &[Option<DateTime<Utc>>],
        &column(&orders, |o| o.finished_at) as &[Option<DateTime<Utc>>],
        &column(&orders, |o| o.completed_at) as &[Option<DateTime<Utc>>],
        &column(&orders, |o| o.cancelled_at) as &[Option<DateTime<Utc>>],
        &column(&orders, |o| o.updated_at),
        &column(&touched, |t| t.map(Touched::first)) as &[Option<i64>],
        &column(&touched, |t| t.map(Touched::last)) as &[Option<i64>],
        &column(&orders, |o| o.commissioners_turn),
    )
    .execute(connection)
    .await?
    .rows_affected();
    all_moved("orders", orders.len(), stored)
}

async fn store_invitations(
    connection: &mut PgConnection,
    parts: &[Part<'_, InvitationRow>],
) -> Result<(), sqlx::Error> {
    if parts.is_empty() {
        return Ok(());
    }
    let rows: Vec<&InvitationRow> = column(parts, |part| part.row);
    let offers: Vec<Option<&OfferColumns>> = column(&rows, |row| row.offer.as_ref());
    sqlx::query!(
        r#"
        INSERT INTO invitations (
            order_id, workshop_id, seat, status, first_invited_at, invited_at, first_offered_at,
            offer_amount, offer_currency, offer_deadline, offer_request_revision, offer_revision,
            order_state, placed_at, first_position, last_position, workshops_turn
        )
        SELECT * FROM unnest(
            $1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::timestamptz[],
            $6::timestamptz[], $7::timestamptz[], $8::numeric[], $9::text[], $10::timestamptz[],
            $11::bigint[], $12::bigint[], $13::text[], $14::timestamptz[], $15::bigint[],
            $16::bigint[], $17::boolean[]
        )
        ON CONFLICT (order_id, workshop_id) DO UPDATE SET
            status = excluded.status, invited_at = excluded.invited_at,
            first_offered_at = excluded.first_offered_at,
            offer_amount = excluded.offer_amount, offer_currency = excluded.offer_currency,
            offer_deadline = excluded.offer_deadline,
            offer_request_revision = excluded.offer_request_revision,
            offer_revision = excluded.offer_revision, order_state = excluded.order_state,
            last_position = excluded.last_position, workshops_turn = excluded.workshops_turn
        "#,
        &column(parts, |part| part.order.order_id.as_uuid()),
        &column(&rows, |row| row.workshop_id.as_uuid()),
        &column(&rows, |row| row.seat),
        &column(&rows, |row| row.status.as_str()) as &[&str],
        &column(&rows, |row| row.first_invited_at),
        &column(&rows, |row| row.invited_at),
        &column(&rows, |row| row.first_offered_at) as &[Option<DateTime<Utc>>],
        &column(&offers, |o| o.map(|o| o.budget.amount())) as &[Option<Decimal>],
        &column(&offers, |o| o.map(|o| o.budget.currency().to_string())) as &[Option<String>],
        &column(&offers, |o| o.map(|o| o.deadline)) as &[Option<DateTime<Utc>>],
        &column(&offers, |o| o.map(|o| o.request_revision)) as &[Option<i64>],
        &column(&offers, |o| o.map(|o| o.offer_revision)) as &[Option<i64>],
        &column(&rows, |row| row.order_state.as_str()) as &[&str],
        &column(parts, |part| part.order.placed_at),
        &column(parts, |part| part.touched.first()),
        &column(parts, |part| part.touched.last()),
        &column(&rows, |row| row.workshops_turn),
    )
    .execute(connection)
    .await
    .map(drop)
}

async fn store_stages(
    connection: &mut PgConnection,
    parts: &[Part<'_, StageRow>],
) -> Result<(), sqlx::Error> {
    if parts.is_empty() {
        return Ok(());
    }
    let rows: Vec<&StageRow> = column(parts, |part| part.row);
    sqlx::query!(
        r#"
        INSERT INTO stages (
            order_id, number, name, duration_days, requires_approval, status, planned_end,
            completed_at, first_position, last_position
        )
        SELECT * FROM unnest(
            $1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::boolean[], $6::text[],
            $7::timestamptz[], $8::timestamptz[], $9::bigint[], $10::bigint[]
        )
        ON CONFLICT (order_id, number) DO UPDATE SET
            status = excluded.status, completed_at = excluded.completed_at,
            last_position = excluded.last_position
        "#,
        &column(parts, |part| part.order.order_id.as_uuid()),
        &column(&rows, |row| row.number),
        &column(&rows, |row| row.name.as_str()) as &[&str],
        &column(&rows, |row| row.duration_days) as &[Option<i64>],
        &column(&rows, |row| row.requires_approval),
        &column(&rows, |row| row.status) as &[&str],
        &column(&rows, |row| row.planned_end) as &[Option<DateTime<Utc>>],
        &column(&rows, |row| row.completed_at) as &[Option<DateTime<Utc>>],
        &column(parts, |part| part.touched.first()),
        &column(parts, |part| part.touched.last()),
    )
    .execute(connection)
    .await
    .map(drop)
}
