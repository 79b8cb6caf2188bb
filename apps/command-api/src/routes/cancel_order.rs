//! `POST /v1/orders/{id}/cancel`: somebody ends the order, or opens a dispute about ending it.

use axum::extract::State;
use http_edge::{Principal, Problem, problems};
use kernel::OrderId;
use order_domain::order::{CancelOrder, OrderCommand};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::AppState;
use crate::answer::{Done, OrderAnswer};
use crate::refusal;
use crate::request::{CommandHeaders, Sent};

problems! {
    /// How cancelling an order is refused.
    Problems: Code::ANY, Code::COMMAND, Code::ORDER_COMMAND,
        &[Code::OrderTooLarge];
}

/// Why the order should end.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CancelOrder)]
pub(crate) struct Body {
    /// Why.
    #[schema(value_type = String, min_length = 1, max_length = 2000)]
    reason: Option<String>,
}

/// Cancel an order.
///
/// While it is negotiated, its commissioner ends it at once. Once work was agreed, its
/// commissioner or the confirmed workshop opens a dispute, which an operator decides.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/cancel",
    tag = "orders",
    params(("id" = uuid::Uuid, Path, description = "the order"), CommandHeaders),
    request_body(content = Body, example = json!({"reason": "We are moving abroad."})),
    security(("bearer" = [])),
    responses(Done, Problems),
)]
pub(crate) async fn cancel_order(
    State(app): State<AppState>,
    principal: Principal,
    sent: Sent<OrderId, Body>,
) -> Result<OrderAnswer, Problem> {
    let command = CancelOrder::parse(sent.body.reason.as_deref()).map_err(refusal::invalid)?;
    let command = OrderCommand::CancelOrder(command);
    app.command_order(principal.actor(), sent.path, command, sent.asked)
        .await
}
