//! `POST /v1/orders/{id}/offers/{W}/withdraw`: a workshop takes back the offer that stands.

use axum::extract::State;
use http_edge::{Principal, Problem, problems};
use kernel::{OrderId, WorkshopId};
use order_domain::order::{OrderCommand, WithdrawOffer};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::AppState;
use crate::answer::{Done, OrderAnswer};
use crate::refusal;
use crate::request::{CommandHeaders, Sent};

problems! {
    /// How withdrawing an offer is refused.
    Problems: Code::ANY, Code::COMMAND, Code::ORDER_COMMAND,
        &[Code::OfferNotStanding];
}

/// Why the workshop withdraws, if it says so.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WithdrawOffer)]
pub(crate) struct Body {
    /// Why.
    #[schema(min_length = 1, max_length = 2000)]
    reason: Option<String>,
}

/// Withdraw an offer.
///
/// While the order is negotiated, a workshop takes back the offer that stands. It may be invited
/// again.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/offers/{workshopId}/withdraw",
    tag = "negotiation",
    params(
        ("id" = uuid::Uuid, Path, description = "the order"),
        ("workshopId" = uuid::Uuid, Path, description = "the workshop"),
        CommandHeaders,
    ),
    request_body(content = Option<Body>, example = json!({"reason": "Our oak is sold out."})),
    security(("bearer" = [])),
    responses(Done, Problems),
)]
pub(crate) async fn withdraw_offer(
    State(app): State<AppState>,
    principal: Principal,
    sent: Sent<(OrderId, WorkshopId), Body>,
) -> Result<OrderAnswer, Problem> {
    let (order_id, workshop_id) = sent.path;
    let command =
        WithdrawOffer::parse(workshop_id, sent.body.reason.as_deref()).map_err(refusal::invalid)?;
    let command = OrderCommand::WithdrawOffer(command);
    app.command_order(principal.actor(), order_id, command, sent.asked)
        .await
}
