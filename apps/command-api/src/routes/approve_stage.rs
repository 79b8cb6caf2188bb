//! `POST /v1/orders/{id}/stages/{N}/approve`: the commissioner lets the work pass a blocking stage.

use axum::extract::State;
use http_edge::{Principal, Problem, problems};
use kernel::OrderId;
use order_domain::order::{ApproveStage, OrderCommand};

use super::stage_number;
use crate::AppState;
use crate::answer::{Done, OrderAnswer};
use crate::request::{CommandHeaders, NoBody, Sent};

problems! {
    /// How approving a stage is refused.
    Problems: Code::ANY, Code::COMMAND, Code::ORDER_COMMAND,
        &[Code::NotCurrentStage, Code::StageNotAwaitingApproval];
}

/// Approve a stage.
///
/// The commissioner lets the work pass the current stage, which the workshop has marked as done.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/stages/{number}/approve",
    tag = "work",
    params(
        ("id" = uuid::Uuid, Path, description = "the order"),
        ("number" = i64, Path, minimum = 1, maximum = 4_294_967_295_u32, description = "the stage, numbered from 1"),
        CommandHeaders,
    ),
    request_body(content = Option<NoBody>, example = json!({})),
    security(("bearer" = [])),
    responses(Done, Problems),
)]
pub(crate) async fn approve_stage(
    State(app): State<AppState>,
    principal: Principal,
    sent: Sent<(OrderId, u32), NoBody>,
) -> Result<OrderAnswer, Problem> {
    let (order_id, number) = sent.path;
    let stage = stage_number(number)?;
    let command = OrderCommand::ApproveStage(ApproveStage { stage });
    app.command_order(principal.actor(), order_id, command, sent.asked)
        .await
}
