//! Auditing the store: whether every checkpoint counts what the table of events has, and whether
//! every stream is whole; and the record of what audits have found.
//!
//! Each audit goes page by page, so that whoever runs it can stop, renew a lease or show how far it
//! has come. Nothing that was verified before is trusted: no mark, and no checkpoint.

mod checkpoints;
mod record;
mod streams;

pub use checkpoints::{CheckpointAudit, CheckpointFinding, SkippedEvent};
pub use record::{
    Auditorship, Finding, KeptFinding, Part, RecordError, Round, count_findings, findings, rounds,
};
pub use streams::{BROKEN_SHOWN, BrokenStream, StreamAudit};
