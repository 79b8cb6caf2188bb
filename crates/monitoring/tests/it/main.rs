//! Tests of what operators watch.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod generated;
mod rules;
