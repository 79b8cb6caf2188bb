//! `POST /v1/orders/{id}/invitations`: the commissioner invites more workshops, or some again.

use axum::extract::State;
use http_edge::{Principal, Problem, problems};
use kernel::OrderId;
use order_domain::order::{InviteWorkshops, OrderCommand};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::AppState;
use crate::answer::{Done, OrderAnswer};
use crate::refusal;
use crate::request::{CommandHeaders, Sent};

problems! {
    /// How inviting workshops is refused.
    Problems: Code::ANY, Code::COMMAND, Code::ORDER_COMMAND,
        &[
            Code::UnknownWorkshop,
            Code::AlreadyInvited,
            Code::OrderTooLarge,
        ];
}

/// Who may answer too.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = InviteWorkshops)]
pub(crate) struct Body {
    /// The workshops to invite, all different: they must be in the directory and take
    /// commissions, and none may be pending or have an offer that stands. Never the commissioner's
    /// own id. An order has at most 20 seats over its life.
    #[schema(value_type = std::collections::BTreeSet<uuid::Uuid>, min_items = 1, max_items = 20)]
    workshops: Option<Vec<String>>,
}

/// Invite workshops.
///
/// While it is negotiated, its commissioner invites more workshops, or some again that have
/// declined or withdrawn: all of them or none. A new round is open then.
#[utoipa::path(
    post,
    path = "/v1/orders/{id}/invitations",
    tag = "negotiation",
    params(("id" = uuid::Uuid, Path, description = "the order"), CommandHeaders),
    request_body(content = Body, example = json!({
        "workshops": ["01938f5e-7c00-7000-8000-00000000000b"],
    })),
    security(("bearer" = [])),
    responses(Done, Problems),
)]
pub(crate) async fn invite_workshops(
    State(app): State<AppState>,
    principal: Principal,
    sent: Sent<OrderId, Body>,
) -> Result<OrderAnswer, Problem> {
    let command = InviteWorkshops::parse(sent.body.workshops).map_err(refusal::invalid)?;
    let command = OrderCommand::InviteWorkshops(command);
    app.command_order(principal.actor(), sent.path, command, sent.asked)
        .await
}
