//! Grades, and the lifetime points from which on an account has one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Points;

/// The rank of an account, lowest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum Grade {
    /// Where every account begins.
    #[default]
    Bronze,
    /// The second.
    Silver,
    /// The third.
    Gold,
    /// The highest.
    Platinum,
}

impl Grade {
    /// Every grade, ascending.
    pub const ALL: [Self; 4] = [Self::Bronze, Self::Silver, Self::Gold, Self::Platinum];

    /// The name used on every wire and in every store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bronze => "Bronze",
            Self::Silver => "Silver",
            Self::Gold => "Gold",
            Self::Platinum => "Platinum",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no [`Grade`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no grade")]
pub struct UnknownGrade(String);

impl FromStr for Grade {
    type Err = UnknownGrade;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|grade| grade.as_str() == text)
            .ok_or_else(|| UnknownGrade(text.to_owned()))
    }
}

/// What an account has before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextGrade {
    /// The grade above the present one.
    pub grade: Grade,
    /// How many points are missing.
    pub points_to_go: Points,
}

/// The lifetime points from which on an account has each grade: from 0, strictly ascending.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ThresholdsFile")]
pub(crate) struct Thresholds([(Grade, Points); 4]);

/// The table `grades` of a policy's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct ThresholdsFile {
    bronze: Points,
    silver: Points,
    gold: Points,
    platinum: Points,
}

/// Thresholds that do not start at 0, or do not ascend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the thresholds of the grades start at 0 and ascend strictly")]
struct DisorderlyThresholds;

impl TryFrom<ThresholdsFile> for Thresholds {
    type Error = DisorderlyThresholds;

    fn try_from(file: ThresholdsFile) -> Result<Self, Self::Error> {
        let ascending =
            Points::ZERO < file.silver && file.silver < file.gold && file.gold < file.platinum;
        if file.bronze != Points::ZERO || !ascending {
            return Err(DisorderlyThresholds);
        }
        Ok(Self([
            (Grade::Bronze, file.bronze),
            (Grade::Silver, file.silver),
            (Grade::Gold, file.gold),
            (Grade::Platinum, file.platinum),
        ]))
    }
}

impl Thresholds {
    /// Each grade with its threshold, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Grade, Points)> {
        self.0.iter().copied()
    }

    /// The highest grade whose threshold `lifetime` reaches.
    pub(crate) fn grade(&self, lifetime: Points) -> Grade {
        self.0
            .iter()
            .rev()
            .find(|(_, threshold)| lifetime >= *threshold)
            .map_or(Grade::Bronze, |(grade, _)| *grade)
    }

    /// The lowest grade whose threshold `lifetime` does not reach; none above the highest.
    pub(crate) fn next(&self, lifetime: Points) -> Option<NextGrade> {
        let (grade, threshold) = self.0.iter().find(|(_, above)| *above > lifetime)?;
        Some(NextGrade {
            grade: *grade,
            points_to_go: threshold.minus(lifetime).ok()?,
        })
    }
}
