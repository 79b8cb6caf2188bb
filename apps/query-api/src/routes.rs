//! One file a read: its route, its parameters, and how it is refused.

mod act_request;
mod count_order_states;
mod diff_policies;
mod examples;
mod explain_bonus_account;
mod explanation;
mod foreign;
mod list_acts;
mod list_dead_letter_groups;
mod list_dead_letters;
mod list_invitations;
mod list_orders;
mod list_policies;
mod list_projections;
mod list_rebuilds;
mod list_workshops;
mod policies;
mod policy_diff;
mod read_act;
mod read_as_of;
mod read_bonus_account;
mod read_bonus_ledger;
mod read_dead_letter;
mod read_order;
mod read_policy;
mod read_situation;
mod read_timeline;
mod seen_as;

pub(crate) use count_order_states::OrderStates;
pub(crate) use explanation::Explained;
pub(crate) use list_acts::ActItem;
pub(crate) use list_dead_letter_groups::DeadLetterGroup;
pub(crate) use list_dead_letters::{DeadLetterCodeName, DeadLetterItem, DeadLetterKindName};
pub(crate) use list_orders::TurnFilter;
pub(crate) use list_projections::{Projection, Projections};
pub(crate) use list_rebuilds::Rebuilds;
pub(crate) use policies::PolicyView;
pub(crate) use policy_diff::PolicyDiff;
pub(crate) use read_dead_letter::DeadLetterDetail;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::AppState;

/// Every route of the contract.
pub(crate) fn all() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_orders::list_orders))
        .routes(routes!(read_order::read_order))
        .routes(routes!(read_situation::read_situation))
        .routes(routes!(read_timeline::read_timeline))
        .routes(routes!(read_as_of::read_as_of))
        .routes(routes!(list_invitations::list_invitations))
        .routes(routes!(list_workshops::list_workshops))
        .routes(routes!(read_bonus_account::read_bonus_account))
        .routes(routes!(read_bonus_ledger::read_bonus_ledger))
        .routes(routes!(explain_bonus_account::explain_bonus_account))
        .routes(routes!(list_policies::list_policies))
        .routes(routes!(read_policy::read_policy))
        .routes(routes!(diff_policies::diff_policies))
        .routes(routes!(count_order_states::count_order_states))
        .routes(routes!(list_projections::list_projections))
        .routes(routes!(list_rebuilds::list_rebuilds))
        .routes(routes!(list_dead_letters::list_dead_letters))
        .routes(routes!(list_dead_letter_groups::list_dead_letter_groups))
        .routes(routes!(read_dead_letter::read_dead_letter))
        .routes(routes!(list_acts::list_acts))
        .routes(routes!(read_act::read_act))
}
