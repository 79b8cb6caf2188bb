//! The read model `orders`: an order's detail, its place in the lists, its timeline.
//!
//! Start at `read_model.rs` for how rows follow events: the rules fold them (`fold.rs`), and
//! `rows.rs` says what the folded order comes to in rows. [`list_orders`], [`list_invitations`],
//! [`read_order`], [`read_situation`] and [`read_timeline`] are the reads. [`read_as_of`] folds the same detail from
//! the events, at any moment of the past.

pub(crate) mod audit;
mod count_by_state;
mod detail;
mod fold;
mod from_domain;
mod list_invitations;
mod list_orders;
mod read_as_of;
mod read_model;
mod read_order;
mod read_situation;
mod read_timeline;
mod recall;
mod recorded;
mod rows;
mod situation;
mod status;
mod store_rows;
pub(crate) mod summary;
mod timeline;
mod unreadable;
mod view;
mod walk;
mod words;

pub use count_by_state::{InState, count_by_state};
pub(crate) use fold::FOLD_SHAPE;
pub use list_invitations::{InvitationFilter, InvitationKey, list_invitations};
pub use list_orders::{OrderFilter, OrderKey, list_orders};
pub use read_as_of::{AsOf, read_as_of};
pub use read_model::Orders;
pub use read_order::read_order;
pub use read_situation::read_situation;
pub use read_timeline::read_timeline;
pub(crate) use recorded::Recorded;
pub use situation::{CommandView, HouseView, PassingView, Situation, WaitView};
pub use status::{
    DisputedFrom, InvitationStatus, OrderState, PassingName, RoleName, StageStatus, TaskName, Turn,
    UnknownWord,
};
pub use unreadable::{OrderError, is_parked, sees_parked};
pub use view::{
    ActorView, AsOfView, DisputeView, InvitationItem, InvitationView, MoneyView, OfferView,
    OrderAsOf, OrderDetail, OrderItem, RequestItem, RequestView, StagePlanView, StageView,
    TimelineEntry,
};
pub use walk::{
    Span, Walked, complete_up_to, position_before, walk_invitations, walk_orders, walk_timeline,
};
