//! The read models on real Postgres: rows follow events, and reads find them.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod as_of;
mod audit;
mod histories;
mod invitations;
mod lists;
mod other_shapes;
mod plans;
mod reader_plans;
mod rebuild;
mod refused;
mod rows_equal_a_fold;
mod safety_net;
mod store;
mod timeline;
mod unreadable;
mod versions;
mod workshops;
