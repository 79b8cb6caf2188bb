//! The read model `orders`: an order's detail, its place in the lists, its timeline.
//!
//! Start at `read_model.rs` for how rows follow events and `apply_event.rs` for what each event
//! does to them; [`list_orders`], [`list_invitations`], [`read_order`] and [`read_timeline`] are the
//! reads. [`read_as_of`] folds the same detail from the events, at any moment of the past.

mod apply_event;
mod from_domain;
mod from_order;
mod list_invitations;
mod list_orders;
mod load_rows;
mod read_as_of;
mod read_model;
mod read_order;
mod read_timeline;
mod rows;
mod status;
mod store_rows;
pub(crate) mod summary;
mod unreadable;
mod view;

pub use apply_event::Inapplicable;
pub use list_invitations::{InvitationKey, list_invitations};
pub use list_orders::{OrderFilter, OrderKey, list_orders};
pub use read_as_of::{AsOf, read_as_of};
pub use read_model::Orders;
pub(crate) use read_model::RecordedEvent;
pub use read_order::read_order;
pub use read_timeline::read_timeline;
pub use status::{DisputedFrom, InvitationStatus, OrderState, RoleName, StageStatus, UnknownWord};
pub use unreadable::OrderError;
pub use view::{
    ActorView, AsOfView, DisputeView, InvitationItem, InvitationView, MoneyView, OfferView,
    OrderAsOf, OrderDetail, OrderItem, RequestItem, RequestView, StagePlanView, StageView,
    TimelineEntry,
};
