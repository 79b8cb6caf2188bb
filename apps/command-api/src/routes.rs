//! One file a command: its route, its body, and how it is refused.

mod accept_work;
mod approve_stage;
mod cancel_order;
mod complete_stage;
mod confirm_offer;
mod decline_invitation;
mod edit_request;
mod invite_workshops;
mod money;
mod place_order;
mod put_workshop;
mod request_act;
mod request_stage_changes;
mod resolve_dispute;
mod submit_offer;
mod withdraw_offer;

use http_edge::Problem;
use order_domain::value::StageNumber;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;

/// Every route of the contract.
pub(crate) fn all() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(place_order::place_order))
        .routes(routes!(edit_request::edit_request))
        .routes(routes!(invite_workshops::invite_workshops))
        .routes(routes!(decline_invitation::decline_invitation))
        .routes(routes!(submit_offer::submit_offer))
        .routes(routes!(withdraw_offer::withdraw_offer))
        .routes(routes!(confirm_offer::confirm_offer))
        .routes(routes!(complete_stage::complete_stage))
        .routes(routes!(approve_stage::approve_stage))
        .routes(routes!(request_stage_changes::request_stage_changes))
        .routes(routes!(accept_work::accept_work))
        .routes(routes!(cancel_order::cancel_order))
        .routes(routes!(resolve_dispute::resolve_dispute))
        .routes(routes!(put_workshop::put_workshop))
        .routes(routes!(request_act::request_act))
}

/// The stage that a path names.
fn stage_number(number: u32) -> Result<StageNumber, Problem> {
    StageNumber::new(number).ok_or_else(|| Problem::malformed("stages are numbered from 1"))
}
