//! The projector's command line, run as operators run it, against a real Postgres.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod auditor;
mod program;
mod status;
mod store;
mod verify;
