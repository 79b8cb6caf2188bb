//! The agreed work, and how far it is.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use kernel::WorkshopId;
use serde::{Deserialize, Serialize};

use crate::value::{OfferTerms, StageNumber, StagePlan};

/// What was agreed with whom, and how far it is. Stages run in order, so the completed ones are
/// always the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    #[serde(rename = "workshop")]
    workshop_id: WorkshopId,
    terms: OfferTerms,
    #[serde(rename = "confirmed")]
    confirmed_at: DateTime<Utc>,
    /// When each of the completed stages was completed.
    #[serde(rename = "stagesCompleted")]
    completed_at: Vec<DateTime<Utc>>,
    /// Whether the first open stage is marked, and waits for the commissioner.
    #[serde(rename = "awaitsApproval")]
    awaiting_approval: bool,
    /// How often a stage was marked for approval, over all stages.
    markings: u32,
    #[serde(rename = "finished")]
    finished_at: Option<DateTime<Utc>>,
    /// Since when the first open stage is as it is.
    since: DateTime<Utc>,
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
    /// When it was to be completed: the confirmation and the days of this stage and of all before
    /// it, each of 24 hours. None from the first stage on that names no days, and past the year
    /// 9999.
    pub planned_end: Option<DateTime<Utc>>,
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
    pub(super) fn new(
        workshop_id: WorkshopId,
        terms: OfferTerms,
        confirmed_at: DateTime<Utc>,
    ) -> Self {
        Self {
            workshop_id,
            terms,
            confirmed_at,
            completed_at: Vec::new(),
            awaiting_approval: false,
            markings: 0,
            finished_at: None,
            since: confirmed_at,
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

    /// When the offer was confirmed.
    #[must_use]
    pub const fn confirmed_at(&self) -> DateTime<Utc> {
        self.confirmed_at
    }

    /// When the last stage was completed; none before.
    #[must_use]
    pub const fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.finished_at
    }

    /// Since when the first open stage is as it is.
    pub(super) const fn since(&self) -> DateTime<Utc> {
        self.since
    }

    /// How often the workshop has marked a stage for approval: it tells one marking of a stage from the next.
    pub(super) const fn markings(&self) -> u32 {
        self.markings
    }

    /// The stages, in order.
    pub fn stages(&self) -> impl Iterator<Item = Stage<'_>> {
        let mut planned_end = Some(self.confirmed_at);
        let plans = self.terms.stages.as_slice().iter().enumerate();
        plans.filter_map(move |(index, plan)| {
            planned_end = planned_end.and_then(|start| end_of(plan, start));
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
                planned_end,
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

    pub(super) fn await_approval(&mut self, at: DateTime<Utc>) {
        self.since = at;
        self.awaiting_approval = true;
        self.markings = self.markings.saturating_add(1);
    }

    pub(super) fn request_changes(&mut self, at: DateTime<Utc>) {
        self.since = at;
        self.awaiting_approval = false;
    }

    pub(super) fn complete_stage(&mut self, at: DateTime<Utc>) {
        self.since = at;
        self.completed_at.push(at);
        self.awaiting_approval = false;
    }

    pub(super) const fn finish(&mut self, at: DateTime<Utc>) {
        self.finished_at = Some(at);
    }
}

/// When a stage that begins at `start` is to be completed, if anybody can say.
fn end_of(plan: &StagePlan, start: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let days = TimeDelta::try_days(plan.duration_days?.get().into())?;
    let end = start.checked_add_signed(days)?;
    (end.year() <= 9999).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::scenario::*;
    use crate::order::{CancelledFrom, DisputedFrom, Order, Resolution, ResolvedState};
    use crate::value::{OfferRevision, RequestRevision};

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

    /// When each stage of work with stages of so many days is planned to end, in days from the
    /// confirmation.
    fn planned(days: &[Option<i64>]) -> Vec<Option<i64>> {
        let names: Vec<_> = (0..days.len()).map(|n| format!("Stage {n}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let mut input = offer_input(&names);
        for (stage, days) in input.stages.iter_mut().flatten().zip(days) {
            stage.duration_days = *days;
        }
        let draft = input.parse("", minute(0)).unwrap();
        let terms = draft.at_revisions(RequestRevision::FIRST, OfferRevision::FIRST);
        let work = Work::new(ALDER, terms, minute(0));
        let ends = work.stages().map(|stage| stage.planned_end);
        ends.map(|end| end.map(|end| (end - minute(0)).num_days()))
            .collect()
    }

    #[test]
    fn a_stage_is_planned_to_end_after_its_days_and_those_of_the_stages_before() {
        assert_eq!(
            planned(&[Some(3), Some(10), Some(1)]),
            [Some(3), Some(13), Some(14)]
        );
    }

    #[test]
    fn nobody_can_say_when_a_stage_without_days_ends_nor_those_after_it() {
        assert_eq!(planned(&[Some(3), None, Some(1)]), [Some(3), None, None]);
        assert_eq!(planned(&[None, Some(1)]), [None, None]);
    }

    #[test]
    fn the_planned_end_is_nowhere_past_the_last_year() {
        let late = "9999-12-20T00:00:00Z".parse().unwrap();
        let work = Work::new(ALDER, terms(&["Make"]), late);
        assert_eq!(work.first_open().unwrap().planned_end, None);
    }

    #[test]
    fn work_remembers_when_it_was_agreed_and_finished_also_through_a_dispute() {
        let confirmed = given(alder_works(&["Make"])).order;
        assert_eq!(confirmed.work().unwrap().confirmed_at(), minute(3));
        assert_eq!(confirmed.work().unwrap().finished_at(), None);
        let mut history = alder_finished();
        history.extend([
            disputed(DisputedFrom::Finished, COMMISSIONER),
            resolved(Resolution::Cancel, ResolvedState::Cancelled),
            cancelled_by_dispute(CancelledFrom::Finished),
        ]);
        let order = given(history).order;
        assert!(matches!(order, Order::Cancelled { .. }));
        assert_eq!(order.work().unwrap().confirmed_at(), minute(3));
        assert_eq!(order.work().unwrap().finished_at(), Some(minute(5)));
        assert_eq!(order.cancelled_at(), Some(minute(8)));
        assert_eq!(order.completed_at(), None);
    }

    #[test]
    fn markings_and_disputes_are_counted() {
        let stages = ["Make!"];
        let mut history = alder_works(&stages);
        history.extend([
            marked(1, &stages),
            changes_requested(1, &stages),
            marked(1, &stages),
            disputed(DisputedFrom::InProgress, COMMISSIONER),
            resolved(Resolution::Resume, ResolvedState::InProgress),
        ]);
        let order = given(history).order;
        assert_eq!(order.work().unwrap().markings(), 2);
        assert_eq!(order.placement().unwrap().disputes(), 1);
    }
}
