//! The order domain from outside: random runs of commands against a small model of the rules that
//! shares no code with them.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod audit;
mod claims;
mod model;
mod order;
mod runs;
mod toss;
