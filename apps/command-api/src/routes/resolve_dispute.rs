//! `POST /v1/orders/{id}/dispute/resolve`: an operator decides whether the order ends.

use axum::extract::State;
use http_edge::{Principal, Problem, problems};
use kernel::OrderId;
use order_domain::order::{OrderCommand, ResolveDispute};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::AppState;
use crate::answer::{Done, OrderAnswer};
use crate::refusal;
use crate::request::{CommandHeaders, Sent};

problems! {
    /// How resolving a dispute is refused.
    Problems: Code::ANY, Code::COMMAND, Code::ORDER_COMMAND;
}

/// How a dispute is resolved, and why so.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ResolveDispute)]
pub(crate) struct Body {
    /// Whether the order goes on exactly where it was, is cancelled, or is completed as it stands.
    #[schema(value_type = String, pattern = "^(resume|cancel|complete)$", example = "resume")]
    resolution: Option<String>,
    /// Why so.
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    note: Option<String>,
}

/// Resolve a dispute.
///
/// An operator decides: the order goes on exactly where it was, is cancelled, or is completed.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/dispute/resolve",
    tag = "orders",
    params(("id" = uuid::Uuid, Path, description = "the order"), CommandHeaders),
    request_body(content = Body, example = json!({
        "resolution": "resume",
        "note": "Both sides agree on a later deadline.",
    })),
    security(("bearer" = [])),
    responses(Done, Problems),
)]
pub(crate) async fn resolve_dispute(
    State(app): State<AppState>,
    principal: Principal,
    sent: Sent<OrderId, Body>,
) -> Result<OrderAnswer, Problem> {
    let Body { resolution, note } = sent.body;
    let command =
        ResolveDispute::parse(resolution.as_deref(), note.as_deref()).map_err(refusal::invalid)?;
    let command = OrderCommand::ResolveDispute(command);
    app.command_order(principal.actor(), sent.path, command, sent.asked)
        .await
}
