//! `POST /v1/orders/{id}/stages/{N}/complete`: the confirmed workshop says that the current stage
//! is done.

use axum::extract::State;
use http_edge::{Principal, Problem, problems};
use kernel::OrderId;
use order_domain::order::{CompleteStage, OrderCommand};

use super::stage_number;
use crate::AppState;
use crate::answer::{Done, OrderAnswer};
use crate::request::{CommandHeaders, NoBody, Sent};

problems! {
    /// How completing a stage is refused.
    Problems: Code::ANY, Code::COMMAND, Code::ORDER_COMMAND,
        &[Code::NotCurrentStage, Code::StageAwaitingApproval];
}

/// Complete a stage.
///
/// The confirmed workshop says that the current stage is done. One that requires approval waits
/// for the commissioner; when the last stage completes, the order is finished.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/stages/{number}/complete",
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
pub(crate) async fn complete_stage(
    State(app): State<AppState>,
    principal: Principal,
    sent: Sent<(OrderId, u32), NoBody>,
) -> Result<OrderAnswer, Problem> {
    let (order_id, number) = sent.path;
    let stage = stage_number(number)?;
    let command = OrderCommand::CompleteStage(CompleteStage { stage });
    app.command_order(principal.actor(), order_id, command, sent.asked)
        .await
}
