//! The rules of a commission: what an order is, who may do what to it and when, and the facts that
//! follow. Also the directory of workshops that orders invite from.
//!
//! Deliberately absent: clocks, randomness, storage, HTTP, anything asynchronous (but for the two
//! adapter files that cqrs-es wants). Time, ids and what other streams say come in as arguments.
//!
//! Where to start: [`order::OrderCommand`] for what can be asked, [`order::decide`] for the rules
//! (one file a command), [`order::evolve`] for what a fact does to an order, [`value`] for what a
//! client may send.

#[cfg(test)]
mod fixtures;
pub mod order;
mod stored;
pub mod value;
pub mod workshop;

pub use stored::{Encoded, Undecodable, Unliftable};
