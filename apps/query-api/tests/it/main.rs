//! The query API over a real Postgres: the router in process, and once the process itself.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod access;
mod acts;
mod api;
mod as_of;
mod as_stored;
mod bonus;
mod conditional;
mod dead_letters;
mod env_example;
mod explain;
mod frames;
mod fuzz;
mod invitations;
mod lists;
mod live;
mod live_ledger;
mod live_readers;
mod openapi;
mod order_states;
mod orders;
mod pages;
mod people;
mod policy_diff;
mod position;
mod process;
mod projections;
mod rebuilds;
mod refusals;
mod scene;
mod seen_as;
mod situation;
mod story;
mod unreadable;
