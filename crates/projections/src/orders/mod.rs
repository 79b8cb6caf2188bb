//! The read model `orders`: an order's detail, its place in the lists, its timeline.
//!
//! Start at `read_model.rs` for how rows follow events and `apply_event.rs` for what each event
//! does to them; [`list_orders`], [`read_order`] and [`read_timeline`] are the reads.

mod apply_event;
mod from_domain;
mod from_order;
mod list_orders;
mod load_rows;
mod read_model;
mod read_order;
mod read_timeline;
mod rows;
mod status;
mod store_rows;
pub(crate) mod summary;
mod view;

pub use apply_event::Inapplicable;
pub use list_orders::{OrderFilter, OrderKey, list_orders};
pub use read_model::Orders;
pub(crate) use read_model::RecordedEvent;
pub use read_order::read_order;
pub use read_timeline::{TimelineError, read_timeline};
pub use status::{DisputedFrom, InvitationStatus, OrderState, RoleName, StageStatus, UnknownWord};
pub use view::{
    ActorView, DisputeView, InvitationView, MoneyView, OfferView, OrderDetail, OrderItem,
    RequestItem, RequestView, StagePlanView, StageView, TimelineEntry,
};
