//! The read model `workshops`: the directory.

pub(crate) mod audit;
mod list_workshops;
mod read_model;

pub use list_workshops::{WorkshopItem, WorkshopKey, list_workshops};
pub use read_model::Workshops;
