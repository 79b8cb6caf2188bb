//! The projector's command line, run as operators run it, against a real Postgres.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod program;
mod status;
mod verify;
