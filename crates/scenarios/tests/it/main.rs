//! Scenarios over several processes: contention, races, what rivals see, crashes, outages.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in what it calls too"
)]
#![expect(
    clippy::result_large_err,
    clippy::wildcard_enum_match_arm,
    reason = "a step that a scenario does not take is told apart in one line"
)]

mod audit;
mod commission;
mod contention;
mod crash;
mod kafka;
mod known_elsewhere;
mod load;
mod outage;
mod people;
mod races;
mod state_machine;
mod system;
mod visibility;

/// The model of the rules and its dice, from the domain's own random runs: they share no code with
/// the domain.
#[path = "../../../order-domain/tests/it"]
mod rules {
    pub(crate) mod model;
    #[expect(dead_code, reason = "runs over HTTP take the time as it is")]
    pub(crate) mod toss;
}

use rules::{model, toss};
