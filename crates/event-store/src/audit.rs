//! Auditing the store: whether every checkpoint counts what the table of events has, and whether
//! every stream is whole.
//!
//! Each audit goes page by page, so that whoever runs it can stop, renew a lease or show how far it
//! has come. Nothing that was verified before is trusted: no mark, and no checkpoint.

mod checkpoints;
mod streams;

pub use checkpoints::{CheckpointAudit, CheckpointFinding, SkippedEvent};
pub use streams::{BROKEN_SHOWN, BrokenStream, StreamAudit};
