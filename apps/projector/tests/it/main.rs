//! The projector's command line, run as operators run it, against a real Postgres; and what
//! analysts read of what it keeps.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod analytics;
mod auditor;
mod policy;
mod program;
mod status;
mod store;
mod verify;
