//! What both sides send while the work goes on.

use crate::value::{Fault, Faults, Note, StageNumber};

/// Say that the current stage is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompleteStage {
    /// The stage.
    pub stage: StageNumber,
}

/// Let the work pass a blocking stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApproveStage {
    /// The stage.
    pub stage: StageNumber,
}

/// Send a marked stage back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestStageChanges {
    /// The stage.
    pub stage: StageNumber,
    /// What is to be changed.
    pub note: Note,
}

impl RequestStageChanges {
    /// Reads a client's body.
    ///
    /// # Errors
    /// The note is absent or no legal text.
    pub fn parse(stage: StageNumber, note: Option<&str>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let note = faults.required("/note", note, Note::parse);
        faults.finish(note.map(|note| Self { stage, note }))
    }
}
