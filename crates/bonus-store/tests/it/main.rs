//! The bonus tables on a real Postgres: what goes in, what comes out, and what races do.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod diff;
mod fixtures;
mod giant;
mod ingest;
mod large;
mod page;
mod plans;
mod policies;
mod policy_changes;
mod races;
mod rights;
mod stuck;
mod time_zone;
mod vip;

/// The rules once more, from the domain's own tests: they share no code with the policies.
#[path = "../../../bonus-domain/tests/it/oracle.rs"]
mod oracle;
