//! What is sent to end an order, and to decide a dispute about that.

use crate::order::Resolution;
use crate::value::{Fault, Faults, Note, Reason};

/// End the order, or open a dispute about ending it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelOrder {
    /// Why.
    pub reason: Reason,
}

impl CancelOrder {
    /// Reads a client's body.
    ///
    /// # Errors
    /// The reason is absent or no legal text.
    pub fn parse(reason: Option<&str>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let reason = faults.required("/reason", reason, Reason::parse);
        faults.finish(reason.map(|reason| Self { reason }))
    }
}

/// Decide a dispute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveDispute {
    /// How.
    pub resolution: Resolution,
    /// Why so.
    pub note: Note,
}

impl ResolveDispute {
    /// Reads a client's body.
    ///
    /// # Errors
    /// All faults at once.
    pub fn parse(resolution: Option<&str>, note: Option<&str>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let resolution = faults.required("/resolution", resolution, Resolution::parse);
        let note = faults.required("/note", note, Note::parse);
        let command = resolution
            .zip(note)
            .map(|(resolution, note)| Self { resolution, note });
        faults.finish(command)
    }
}
