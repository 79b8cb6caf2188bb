//! The stages of an offer, as they are planned.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{FaultKind, Faults, StageDescription, StageName};

/// The most stages that an offer may have.
pub const MAX_STAGES: usize = 20;

/// Which stage, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StageNumber(NonZeroU32);

impl StageNumber {
    /// The first stage.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The stage of this number, if there can be one.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// The stage at a place counted from 0.
    #[must_use]
    pub(crate) fn from_index(index: usize) -> Option<Self> {
        Self::new(u32::try_from(index).ok()?.checked_add(1)?)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for StageNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How long a stage is meant to take, in days: 1 to 3650. What is stored is read as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DurationDays(u32);

impl DurationDays {
    /// The longest.
    pub const MAX: u32 = 3650;

    /// Reads a client's number of days.
    ///
    /// # Errors
    /// It is out of range.
    pub fn parse(days: i64) -> Result<Self, FaultKind> {
        u32::try_from(days)
            .ok()
            .filter(|days| (1..=Self::MAX).contains(days))
            .map(Self)
            .ok_or(FaultKind::DurationOutOfRange)
    }

    /// The number of days.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl From<DurationDays> for i64 {
    fn from(days: DurationDays) -> Self {
        days.0.into()
    }
}

/// One milestone, as it is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StagePlan {
    /// What it is called.
    pub name: StageName,
    /// What it is about.
    pub description: StageDescription,
    /// How long it is meant to take, if the workshop says so.
    pub duration_days: Option<DurationDays>,
    /// Whether work may not pass it until the commissioner approves.
    pub requires_approval: bool,
}

/// The stages of an offer, in order: 1 to 20, their names all different. Stored stages are read as
/// they stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StagePlans(Vec<StagePlan>);

impl StagePlans {
    /// The stages, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[StagePlan] {
        &self.0
    }

    /// The stage of this number, if the offer has so many.
    #[must_use]
    pub fn get(&self, number: StageNumber) -> Option<&StagePlan> {
        let index = usize::try_from(number.get().checked_sub(1)?).ok()?;
        self.0.get(index)
    }

    /// The one stage of an offer that names none.
    fn unstaged() -> Option<Self> {
        Some(Self(vec![StagePlan {
            name: StageName::parse("Commissioned work").ok()?,
            description: StageDescription::parse("The work as offered.").ok()?,
            duration_days: None,
            requires_approval: false,
        }]))
    }

    /// Reads the stages that stand at `pointer`; none, or an empty list, is one stage.
    pub(crate) fn read(
        pointer: &str,
        input: Option<Vec<StageInput>>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let Some(stages) = input.filter(|stages| !stages.is_empty()) else {
            return Self::unstaged();
        };
        let before = faults.count();
        let actual = stages.len();
        if actual > MAX_STAGES {
            faults.note(pointer, FaultKind::StageCount { actual });
        }
        let mut names = BTreeSet::new();
        let mut plans = Vec::new();
        for (index, stage) in stages.into_iter().enumerate() {
            let at = format!("{pointer}/{index}");
            if let Some(plan) = stage.read(&at, &mut names, faults) {
                plans.push(plan);
            }
        }
        (faults.count() == before).then_some(Self(plans))
    }
}

/// A stage as a client sends it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageInput {
    /// 1 to 120 characters, unique in the offer.
    pub name: Option<String>,
    /// 1 to 2 000 characters.
    pub description: Option<String>,
    /// 1 to 3650; optional.
    pub duration_days: Option<i64>,
    /// False unless given.
    pub requires_approval: Option<bool>,
}

impl StageInput {
    fn read(
        self,
        pointer: &str,
        names: &mut BTreeSet<StageName>,
        faults: &mut Faults,
    ) -> Option<StagePlan> {
        let at = format!("{pointer}/name");
        let name = faults.required(at.as_str(), self.name, |t| StageName::parse(&t));
        if let Some(name) = &name
            && !names.insert(name.clone())
        {
            faults.note(at, FaultKind::StageNameTaken);
        }
        let at = format!("{pointer}/description");
        let description = faults.required(at, self.description, |t| StageDescription::parse(&t));
        let at = format!("{pointer}/durationDays");
        let duration_days = faults.optional(at, self.duration_days, DurationDays::parse);
        Some(StagePlan {
            name: name?,
            description: description?,
            duration_days: duration_days?,
            requires_approval: self.requires_approval.unwrap_or(false),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_the_number_that_was_given() {
        for days in [1, 2, 3650] {
            let parsed = DurationDays::parse(days).unwrap();
            assert_eq!(i64::from(parsed.get()), days);
        }
    }

    #[test]
    fn stored_stages_are_read_as_they_stand() {
        let stage = serde_json::json!({
            "name": "Make",
            "description": "",
            "durationDays": 40_000,
            "requiresApproval": false,
        });
        let stored = serde_json::Value::from(vec![stage; 25]);
        let stages: StagePlans = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!(stages.as_slice().len(), 25);
        assert_eq!(serde_json::to_value(&stages).unwrap(), stored);
    }
}
