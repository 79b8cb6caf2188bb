//! The query API: tells each viewer how its commissions stand.
//!
//! A route reads a read model of `projections` in one snapshot, which also says how current the
//! answer is. Who may see what is decided there, by `projections::redaction`; here are only the
//! route's own 403 and 404.
//!
//! Deliberately absent: SQL (it is that of the crates that own the tables) and anything that
//! changes something. Where to start: [`app()`] for the routes, `routes/` for one file a read,
//! `reading.rs` for how an answer is made no older than the client asks.

mod access;
mod app;
mod config;
mod live;
mod moves;
mod pages;
mod positions;
mod reading;
mod refusal;
mod routes;
mod state;
mod surveys;

pub use access::ACCESS;
pub use app::{app, openapi};
pub use config::Config;
pub use pages::PagesConfig;
pub use state::AppState;

/// The name of the process, in logs, traces and on the database server.
pub const NAME: &str = "query-api";
