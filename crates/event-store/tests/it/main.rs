//! The store on a real Postgres: what it promises, and what happens when it is pulled at.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in what it calls too"
)]

mod acts;
mod append;
mod audit;
mod bytes;
mod executor;
mod fixtures;
mod history;
mod isolation;
mod loss;
mod parked;
mod reader;
mod reads;
mod refused;
mod remembered;
mod requested_acts;
mod shares;
mod stock_repository;
mod together;
mod wake_up;
mod watermark;
