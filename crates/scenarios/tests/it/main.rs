//! Scenarios over several processes: contention, races, what rivals see, crashes, outages.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in what it calls too"
)]

mod acts;
mod analysts;
mod audit;
mod bounded;
mod cluster;
mod commission;
mod contention;
mod contract;
mod crash;
mod dead_letters;
mod degraded;
mod drained;
mod faults;
mod gateway;
mod images;
mod inbox;
mod instants;
mod kafka;
mod known_elsewhere;
mod leases;
mod load;
mod many_dead_letters;
mod metrics;
mod opposite_orders;
mod outage;
mod pages;
mod people;
mod policies;
mod postgres_away;
mod producer;
mod races;
mod readers;
mod rebuild;
mod replay;
mod restore;
mod rolling;
mod schemathesis;
mod sdk;
mod situation;
mod state_machine;
mod step_by_step;
mod streams;
mod system;
mod takeovers;
mod telemetry;
mod topics;
mod traces;
mod traffic;
mod vip;
mod visibility;
mod walkthroughs;
mod watched;
mod whole;

/// The model of the rules and its dice, from the domain's own random runs: they share no code with
/// the domain.
#[path = "../../../order-domain/tests/it"]
#[expect(dead_code, reason = "time stands still in these lives")]
mod rules {
    pub(crate) mod model;
    pub(crate) mod toss;
}

use rules::{model, toss};
