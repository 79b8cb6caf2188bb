//! Scenarios over several processes: contention, races, what rivals see, crashes, outages.

mod commission;
mod contention;
mod known_elsewhere;
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
    pub(crate) mod toss;
}

use rules::{model, toss};
