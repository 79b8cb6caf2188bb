//! Scenarios over several processes: contention, crashes, outages.

mod commission;
mod contention;
mod system;
