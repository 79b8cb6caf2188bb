//! From stored events, which may change behind an upcaster, to public ones, which others build on:
//! one exhaustive match a domain.
//!
//! Deliberately absent: the store and Kafka. Whoever has a stored event hands its parts to
//! [`messages`], and sends what comes back. [`order::publish`] gives the payload alone, for those
//! who show it.

pub mod account;
pub mod message;
pub mod order;

pub use message::{StoredFact, Unpublishable, messages};
