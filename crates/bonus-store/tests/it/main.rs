//! The bonus tables on a real Postgres: what goes in, what comes out, and what races do.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod fixtures;
mod ingest;
mod page;
mod plans;
mod policies;
mod races;
mod rights;
