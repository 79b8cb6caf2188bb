//! One file a read: its route, its parameters, and how it is refused.

mod examples;
mod list_invitations;
mod list_orders;
mod list_projections;
mod list_workshops;
mod read_as_of;
mod read_bonus_account;
mod read_bonus_ledger;
mod read_order;
mod read_timeline;

pub(crate) use list_projections::Projections;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;

/// Every route of the contract.
pub(crate) fn all() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_orders::list_orders))
        .routes(routes!(read_order::read_order))
        .routes(routes!(read_timeline::read_timeline))
        .routes(routes!(read_as_of::read_as_of))
        .routes(routes!(list_invitations::list_invitations))
        .routes(routes!(list_workshops::list_workshops))
        .routes(routes!(read_bonus_account::read_bonus_account))
        .routes(routes!(read_bonus_ledger::read_bonus_ledger))
        .routes(routes!(list_projections::list_projections))
}
