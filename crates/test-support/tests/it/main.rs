//! Databases for tests, on a real Postgres.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, in its helpers too"
)]

mod database;
mod server;
