//! The agreed work, and how far it is.

use chrono::{DateTime, Utc};
use kernel::WorkshopId;
use serde::{Deserialize, Serialize};

use crate::value::{OfferTerms, StageNumber, StagePlan};

/// What was agreed with whom, and how far it is. Stages run in order, so the completed ones are
/// always the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    workshop_id: WorkshopId,
    terms: OfferTerms,
    completed_at: Vec<DateTime<Utc>>,
    awaiting_approval: bool,
}

/// A stage of the agreed work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage<'a> {
    /// Its number.
    pub number: StageNumber,
    /// What was agreed.
    pub plan: &'a StagePlan,
    /// How far it is.
    pub status: StageStatus,
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageStatus {
    /// Not marked as done.
    Pending,
    /// Marked as done; the commissioner has to approve.
    AwaitingApproval,
    /// Done.
    Completed {
        /// Since when.
        at: DateTime<Utc>,
    },
}

impl StageStatus {
    /// The name used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::AwaitingApproval => "awaitingApproval",
            Self::Completed { .. } => "completed",
        }
    }

    /// When the stage was completed.
    #[must_use]
    pub const fn completed_at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Completed { at } => Some(at),
            Self::Pending | Self::AwaitingApproval => None,
        }
    }
}

impl Work {
    pub(super) fn new(workshop_id: WorkshopId, terms: OfferTerms) -> Self {
        Self {
            workshop_id,
            terms,
            completed_at: Vec::new(),
            awaiting_approval: false,
        }
    }

    /// The confirmed workshop.
    #[must_use]
    pub const fn workshop_id(&self) -> WorkshopId {
        self.workshop_id
    }

    /// The agreed terms.
    #[must_use]
    pub const fn terms(&self) -> &OfferTerms {
        &self.terms
    }

    /// The stages, in order.
    pub fn stages(&self) -> impl Iterator<Item = Stage<'_>> {
        let plans = self.terms.stages.as_slice().iter().enumerate();
        plans.filter_map(|(index, plan)| {
            let status = match self.completed_at.get(index) {
                Some(at) => StageStatus::Completed { at: *at },
                None if self.awaiting_approval && index == self.completed_at.len() => {
                    StageStatus::AwaitingApproval
                }
                None => StageStatus::Pending,
            };
            let number = StageNumber::from_index(index)?;
            Some(Stage {
                number,
                plan,
                status,
            })
        })
    }

    /// The first stage that is not completed.
    #[must_use]
    pub fn first_open(&self) -> Option<Stage<'_>> {
        self.stages()
            .find(|stage| stage.status.completed_at().is_none())
    }

    /// Whether only one stage is left to complete.
    pub(super) fn is_last_open(&self) -> bool {
        self.completed_at.len() + 1 == self.terms.stages.as_slice().len()
    }

    pub(super) fn await_approval(&mut self) {
        self.awaiting_approval = true;
    }

    pub(super) fn request_changes(&mut self) {
        self.awaiting_approval = false;
    }

    pub(super) fn complete_stage(&mut self, at: DateTime<Utc>) {
        self.completed_at.push(at);
        self.awaiting_approval = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::scenario::minute;

    #[test]
    fn a_stage_has_one_of_three_statuses() {
        for (status, name) in [
            (StageStatus::Pending, "pending"),
            (StageStatus::AwaitingApproval, "awaitingApproval"),
            (StageStatus::Completed { at: minute(0) }, "completed"),
        ] {
            assert_eq!(status.as_str(), name);
        }
    }
}
