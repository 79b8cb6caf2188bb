//! `POST /v1/orders/{id}/stages/{N}/request-changes`: the commissioner sends a marked stage back.

use axum::extract::State;
use http_edge::{Principal, Problem, problems};
use kernel::OrderId;
use order_domain::order::{OrderCommand, RequestStageChanges};
use serde::Deserialize;
use utoipa::ToSchema;

use super::stage_number;
use crate::AppState;
use crate::answer::{Done, OrderAnswer};
use crate::refusal;
use crate::request::{CommandHeaders, Sent};

problems! {
    /// How requesting changes is refused.
    Problems: Code::ANY, Code::COMMAND, Code::ORDER_COMMAND,
        &[
            Code::NotCurrentStage,
            Code::StageNotAwaitingApproval,
            Code::OrderTooLarge,
        ];
}

/// What is to be changed.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = RequestStageChanges)]
pub(crate) struct Body {
    /// What the workshop should do.
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    note: Option<String>,
}

/// Request changes to a stage.
///
/// The commissioner sends the current stage back, which the workshop has marked as done: it is
/// pending again.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/stages/{number}/request-changes",
    tag = "work",
    params(
        ("id" = uuid::Uuid, Path, description = "the order"),
        ("number" = i64, Path, minimum = 1, maximum = 4_294_967_295_u32, description = "the stage, numbered from 1"),
        CommandHeaders,
    ),
    request_body(content = Body, example = json!({"note": "Rounder corners, please."})),
    security(("bearer" = [])),
    responses(Done, Problems),
)]
pub(crate) async fn request_stage_changes(
    State(app): State<AppState>,
    principal: Principal,
    sent: Sent<(OrderId, u32), Body>,
) -> Result<OrderAnswer, Problem> {
    let (order_id, number) = sent.path;
    let stage = stage_number(number)?;
    let command =
        RequestStageChanges::parse(stage, sent.body.note.as_deref()).map_err(refusal::invalid)?;
    let command = OrderCommand::RequestStageChanges(command);
    app.command_order(principal.actor(), order_id, command, sent.asked)
        .await
}
