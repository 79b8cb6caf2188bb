//! Scenarios over several processes: contention, crashes, outages.

mod audit;
mod commission;
mod contention;
mod crash;
mod kafka;
mod load;
mod outage;
mod system;
