//! Scenarios over several processes: contention, races, what rivals see, crashes, outages.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in what it calls too"
)]

mod audit;
mod commission;
mod contention;
mod crash;
mod kafka;
mod known_elsewhere;
mod load;
mod outage;
mod system;
mod visibility;
