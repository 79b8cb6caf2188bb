//! `POST /v1/orders/{id}/accept`: the commissioner accepts the finished work.

use axum::extract::State;
use http_edge::{Principal, Problem, problems};
use kernel::OrderId;
use order_domain::order::OrderCommand;

use crate::AppState;
use crate::answer::{Done, OrderAnswer};
use crate::request::{CommandHeaders, NoBody, Sent};

problems! {
    /// How accepting the work is refused.
    Problems: Code::ANY, Code::COMMAND, Code::ORDER_COMMAND;
}

/// Accept the work.
///
/// The commissioner accepts what the workshop has finished; the order is completed.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/accept",
    tag = "work",
    params(("id" = uuid::Uuid, Path, description = "the order"), CommandHeaders),
    request_body(content = Option<NoBody>, example = json!({})),
    security(("bearer" = [])),
    responses(Done, Problems),
)]
pub(crate) async fn accept_work(
    State(app): State<AppState>,
    principal: Principal,
    sent: Sent<OrderId, NoBody>,
) -> Result<OrderAnswer, Problem> {
    app.command_order(
        principal.actor(),
        sent.path,
        OrderCommand::AcceptWork,
        sent.asked,
    )
    .await
}
