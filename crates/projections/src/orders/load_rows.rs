//! Reads the rows of orders, set by set.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use event_store::{Position, Version};
use kernel::{Actor, CommissionerId, OrderId, Role, WorkshopId};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::rows::{DisputeRow, InvitationRow, OfferRow, OrderRow, OrderRows, StageRow, Touched};
use super::view::{MoneyView, RequestView, StagePlanView};

/// The rows of the given orders, as far as they have any.
pub(super) async fn load_rows(
    connection: &mut PgConnection,
    orders: &[OrderId],
) -> Result<BTreeMap<OrderId, OrderRows>, sqlx::Error> {
    let ids: Vec<Uuid> = orders.iter().map(|id| id.as_uuid()).collect();
    let mut loaded = load_orders(connection, &ids).await?;
    load_invitations(connection, &ids, &mut loaded).await?;
    load_stages(connection, &ids, &mut loaded).await?;
    Ok(loaded)
}

async fn load_orders(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> Result<BTreeMap<OrderId, OrderRows>, sqlx::Error> {
    let records = sqlx::query!(
        r#"
        SELECT order_id, version, state, commissioner_id, workshop_id, title, brief,
               budget_amount, budget_currency, deadline, request_revision, current_stage,
               dispute_by_role, dispute_by_id, dispute_reason, dispute_at, dispute_from,
               created_at, updated_at, first_position, last_position
        FROM read.orders
        WHERE order_id = ANY ($1)
        "#,
        ids,
    )
    .fetch_all(connection)
    .await?;

    let mut orders = BTreeMap::new();
    for record in records {
        let order_id = OrderId::from_uuid(record.order_id);
        let dispute = dispute(
            record.dispute_by_role,
            record.dispute_by_id,
            record.dispute_reason,
            record.dispute_at,
            record.dispute_from,
        )?;
        let order = OrderRow {
            order_id,
            version: Version::new(record.version),
            state: read_word(&record.state, "state")?,
            commissioner_id: CommissionerId::from_uuid(record.commissioner_id),
            workshop_id: record.workshop_id.map(WorkshopId::from_uuid),
            request: RequestView {
                title: record.title,
                brief: record.brief,
                budget: MoneyView {
                    amount: record.budget_amount,
                    currency: record.budget_currency,
                },
                deadline: record.deadline,
                revision: record.request_revision,
            },
            current_stage: record.current_stage,
            dispute,
            created_at: record.created_at,
            updated_at: record.updated_at,
            touched: touched(record.first_position, record.last_position),
        };
        orders.insert(
            order_id,
            OrderRows {
                order,
                invitations: Vec::new(),
                stages: Vec::new(),
            },
        );
    }
    Ok(orders)
}

async fn load_invitations(
    connection: &mut PgConnection,
    ids: &[Uuid],
    orders: &mut BTreeMap<OrderId, OrderRows>,
) -> Result<(), sqlx::Error> {
    let records = sqlx::query!(
        r#"
        SELECT order_id, workshop_id, seat, status, invited_at, offer_budget_amount,
               offer_budget_currency, offer_deadline, offer_description,
               offer_stages AS "offer_stages: Json<Vec<StagePlanView>>",
               offer_request_revision, offer_revision, first_position, last_position
        FROM read.invitations
        WHERE order_id = ANY ($1)
        ORDER BY order_id, seat
        "#,
        ids,
    )
    .fetch_all(connection)
    .await?;

    for record in records {
        let Some(rows) = orders.get_mut(&OrderId::from_uuid(record.order_id)) else {
            continue;
        };
        let offer = match (
            record.offer_budget_amount.zip(record.offer_budget_currency),
            record.offer_deadline,
            record.offer_description,
            record.offer_stages,
            record.offer_request_revision.zip(record.offer_revision),
        ) {
            (
                Some((amount, currency)),
                Some(deadline),
                Some(description),
                Some(Json(stages)),
                Some((request_revision, offer_revision)),
            ) => Some(OfferRow {
                budget: MoneyView { amount, currency },
                deadline,
                description,
                stages,
                request_revision,
                offer_revision,
            }),
            _ => None,
        };
        rows.invitations.push(InvitationRow {
            workshop_id: WorkshopId::from_uuid(record.workshop_id),
            seat: record.seat,
            status: read_word(&record.status, "status")?,
            invited_at: record.invited_at,
            offer,
            touched: touched(record.first_position, record.last_position),
        });
    }
    Ok(())
}

async fn load_stages(
    connection: &mut PgConnection,
    ids: &[Uuid],
    orders: &mut BTreeMap<OrderId, OrderRows>,
) -> Result<(), sqlx::Error> {
    let records = sqlx::query!(
        r#"
        SELECT order_id, number, name, description, duration_days, requires_approval, status,
               completed_at, first_position, last_position
        FROM read.stages
        WHERE order_id = ANY ($1)
        ORDER BY order_id, number
        "#,
        ids,
    )
    .fetch_all(connection)
    .await?;

    for record in records {
        let Some(rows) = orders.get_mut(&OrderId::from_uuid(record.order_id)) else {
            continue;
        };
        rows.stages.push(StageRow {
            number: record.number,
            plan: StagePlanView {
                name: record.name,
                description: record.description,
                duration_days: record.duration_days,
                requires_approval: record.requires_approval,
            },
            status: read_word(&record.status, "status")?,
            completed_at: record.completed_at,
            touched: touched(record.first_position, record.last_position),
        });
    }
    Ok(())
}

const fn touched(first: i64, last: i64) -> Touched {
    Touched {
        first: Position::new(first),
        last: Position::new(last),
    }
}

/// Reads the columns of a dispute; they are all null or none is.
pub(super) fn dispute(
    role: Option<String>,
    id: Option<Uuid>,
    reason: Option<String>,
    opened_at: Option<DateTime<Utc>>,
    from: Option<String>,
) -> Result<Option<DisputeRow>, sqlx::Error> {
    let Some(((role, id), (reason, (opened_at, from)))) =
        role.zip(id).zip(reason.zip(opened_at.zip(from)))
    else {
        return Ok(None);
    };
    Ok(Some(DisputeRow {
        opened_by: read_actor(&role, id, "dispute_by_role")?,
        reason,
        opened_at,
        from: read_word(&from, "dispute_from")?,
    }))
}

/// Reads a column that holds one of a few words.
pub(super) fn read_word<W>(word: &str, column: &'static str) -> Result<W, sqlx::Error>
where
    W: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    word.parse()
        .map_err(|error: W::Err| sqlx::Error::ColumnDecode {
            index: column.to_owned(),
            source: Box::new(error),
        })
}

/// Reads the two columns that name somebody.
pub(super) fn read_actor(role: &str, id: Uuid, column: &'static str) -> Result<Actor, sqlx::Error> {
    Ok(Actor::new(read_word::<Role>(role, column)?, id))
}
