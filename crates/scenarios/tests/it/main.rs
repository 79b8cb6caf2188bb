//! Scenarios over several processes: contention, races, what rivals see, crashes, outages.

mod commission;
mod contention;
mod known_elsewhere;
mod system;
mod visibility;
