//! What tests stand on: a database of their own on a real Postgres, servers of their own to crash,
//! a proxy to put in front of them, waits that end, and an OpenAPI document that answers are held
//! against.
//!
//! Deliberately absent: anything of ours but the servers. A test that needs a clock or ids driven
//! by hand implements kernel's traits; a test that needs orders uses the domain's fixtures.
//!
//! Start at [`TestDatabase::create`]. Under `cargo xtask test` all tests share one server, named by
//! `ATLAS_TEST_POSTGRES` (a superuser's URL); without it each test binary starts its own.

#![expect(
    clippy::panic,
    reason = "a test that cannot have what it stands on fails, with the reason"
)]

mod additive;
mod database;
mod document;
mod eventually;
mod gateway;
pub mod measure;
mod pooler;
mod prometheus;
mod proxy;
mod redis;
mod saboteur;
mod server;
mod template;

pub use additive::{added_to, api_added_to};
pub use database::TestDatabase;
pub use document::{Answered, Document};
pub use eventually::eventually;
pub use gateway::TestGateway;
pub use pooler::TestPooler;
pub use prometheus::TestPrometheus;
pub use proxy::{Cut, Proxy};
pub use redis::TestRedis;
pub use saboteur::{Sabotaged, Saboteur};
pub use server::{TestServer, isolation_tester};
