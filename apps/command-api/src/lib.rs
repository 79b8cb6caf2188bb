//! The command API: takes what the parties of a commission want done, and answers with what came
//! of it.
//!
//! A route reads a request into a command of `order-domain`; [`AppState`] gives it to the event
//! store's executor as a decision; the answer, or the refusal as a problem, goes back.
//!
//! Deliberately absent: rules (they are `order-domain`'s), SQL (`event-store`'s) and anything that
//! reads (the query API's). Where to start: [`app()`] for the routes, `routes/` for one file a
//! command, `decision.rs` for how the rules meet the store, `refusal.rs` for what every refusal
//! looks like.

mod access;
mod answer;
mod app;
mod config;
mod decision;
mod refusal;
mod request;
mod routes;
mod state;
mod store_pool;

pub use access::ACCESS;
pub use app::{app, openapi};
pub use config::{Config, PlacingConfig};
pub use state::AppState;
pub use store_pool::store_pool;

/// The name of the process, in logs, traces and on the database server.
pub const NAME: &str = "command-api";
