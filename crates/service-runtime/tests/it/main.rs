//! The runtime against the world: Postgres, a collector, signals, HTTP.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in what it calls too"
)]

mod collector;
mod env_example;
mod postgres;
mod process;
