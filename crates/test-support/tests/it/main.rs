//! Databases for tests, on a real Postgres.

mod database;
mod server;
