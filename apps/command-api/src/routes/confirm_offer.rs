//! `POST /v1/orders/{id}/offers/{W}/confirm`: the commissioner takes one offer.

use axum::extract::State;
use http_edge::{Principal, Problem, problems};
use kernel::{OrderId, WorkshopId};
use order_domain::order::{ConfirmOffer, OrderCommand};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::AppState;
use crate::answer::{Done, OrderAnswer};
use crate::refusal;
use crate::request::{CommandHeaders, Sent};

problems! {
    /// How confirming an offer is refused.
    Problems: Code::ANY, Code::COMMAND, Code::ORDER_COMMAND,
        &[
            Code::OfferNotStanding,
            Code::OfferOutdated,
            Code::OfferChanged,
        ];
}

/// Which revision of the offer is meant.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ConfirmOffer)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body {
    /// The revision that was read; if another stands, nothing is confirmed.
    #[schema(minimum = 1)]
    offer_revision: Option<i64>,
}

/// Confirm an offer.
///
/// The commissioner takes the offer that stands; its terms are the agreed ones, and every other
/// open invitation is not selected.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/offers/{workshopId}/confirm",
    tag = "negotiation",
    params(
        ("id" = uuid::Uuid, Path, description = "the order"),
        ("workshopId" = uuid::Uuid, Path, description = "the workshop"),
        CommandHeaders,
    ),
    request_body(content = Option<Body>, example = json!({"offerRevision": 1})),
    security(("bearer" = [])),
    responses(Done, Problems),
)]
pub(crate) async fn confirm_offer(
    State(app): State<AppState>,
    principal: Principal,
    sent: Sent<(OrderId, WorkshopId), Body>,
) -> Result<OrderAnswer, Problem> {
    let (order_id, workshop_id) = sent.path;
    let command =
        ConfirmOffer::parse(workshop_id, sent.body.offer_revision).map_err(refusal::invalid)?;
    let command = OrderCommand::ConfirmOffer(command);
    app.command_order(principal.actor(), order_id, command, sent.asked)
        .await
}
