//! The command API over a real Postgres: the router in process, and once the process itself.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod access;
mod acts;
mod apart;
mod api;
mod as_stored;
mod attacks;
mod authorization;
mod commission;
mod contention;
mod disputes;
mod env_example;
mod failures;
mod fuzz;
mod health;
mod idempotency;
mod if_match;
mod ignored;
mod leavers;
mod limits;
mod lost_answers;
mod malformed;
mod negotiation;
mod openapi;
mod order_of_checks;
mod people;
mod process;
mod rate_limits;
mod redis_faults;
mod refusals;
mod running;
mod same_thing;
mod scene;
mod shutdown;
mod steady;
mod store_restarts;
mod workshops;
