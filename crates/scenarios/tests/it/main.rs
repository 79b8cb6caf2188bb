//! Scenarios over several processes: contention, races, what rivals see, crashes, outages.

mod commission;
mod contention;
mod known_elsewhere;
// The rules' model and its dice: of the domain's own random runs, and independent of its code.
#[path = "../../../order-domain/tests/it/model.rs"]
mod model;
mod people;
mod races;
mod state_machine;
mod system;
#[path = "../../../order-domain/tests/it/toss.rs"]
mod toss;
mod visibility;
