//! `POST /v1/orders/{id}/invitations/{W}/decline`: an invited workshop answers with no.

use axum::extract::State;
use http_edge::{Principal, Problem, problems};
use kernel::{OrderId, WorkshopId};
use order_domain::order::{DeclineInvitation, OrderCommand};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::AppState;
use crate::answer::{Done, OrderAnswer};
use crate::refusal;
use crate::request::{CommandHeaders, Sent};

problems! {
    /// How declining an invitation is refused.
    Problems: Code::ANY, Code::COMMAND, Code::ORDER_COMMAND,
        &[Code::InvitationNotOpen];
}

/// Why the workshop declines, if it says so.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DeclineInvitation)]
pub(crate) struct Body {
    /// Why.
    #[schema(min_length = 1, max_length = 2000)]
    reason: Option<String>,
}

/// Decline an invitation.
///
/// An invited workshop says that it will make no offer.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/invitations/{workshopId}/decline",
    tag = "negotiation",
    params(
        ("id" = uuid::Uuid, Path, description = "the order"),
        ("workshopId" = uuid::Uuid, Path, description = "the workshop"),
        CommandHeaders,
    ),
    request_body(content = Option<Body>, example = json!({"reason": "Fully booked until summer."})),
    security(("bearer" = [])),
    responses(Done, Problems),
)]
pub(crate) async fn decline_invitation(
    State(app): State<AppState>,
    principal: Principal,
    sent: Sent<(OrderId, WorkshopId), Body>,
) -> Result<OrderAnswer, Problem> {
    let (order_id, workshop_id) = sent.path;
    let command = DeclineInvitation::parse(workshop_id, sent.body.reason.as_deref())
        .map_err(refusal::invalid)?;
    let command = OrderCommand::DeclineInvitation(command);
    app.command_order(principal.actor(), order_id, command, sent.asked)
        .await
}
