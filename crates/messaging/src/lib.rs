//! The only crate that knows Kafka.
//!
//! - [`topics`] makes the topics that are missing, records which they are, and lets the relay write
//!   to no others.
//! - [`Relay`] is the sink that sends what the store's feed delivers, in order per key; what an event
//!   becomes on Kafka is a parameter.
//! - [`Replay`] sends stored events again, with the ids that they had.
//! - [`Consumer`] hands a group's messages to a [`Handler`], and commits what was handled.
//! - [`Redrive`] sends again what consumers gave up on; `dead-letters` keeps it.
//! - [`watch`] says whether Kafka answers.
//!
//! Everything here tries again by itself for as long as Kafka is away, and ends when told to.
//! Deliberately absent: what any message means. Start at `relay.rs` for the way out of the store,
//! at `consumer.rs` for the way in.

mod backoff;
mod client;
mod consumer;
mod failure;
pub mod instruments;
mod redrive;
mod relay;
mod replay;
mod sender;
pub mod topics;
mod watch;

pub use client::Kafka;
pub use consumer::{
    BoxedError, Consumer, ConsumerOptions, ConsumerState, HandleError, Handler, Received,
};
pub use redrive::{Redrive, RedriveError, Tally};
pub use relay::Relay;
pub use replay::{Replay, Replayed};
pub use watch::watch;
