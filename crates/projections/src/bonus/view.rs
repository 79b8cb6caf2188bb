//! What the reads of accounts answer with, key for key as documented.

use bonus_domain::{Grade, NextGrade};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::orders::RoleName;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountView {
    /// Whose account it is.
    pub id: Uuid,
    /// In which role.
    pub role: RoleName,
    /// Every point ever awarded, less what was reversed.
    #[schema(minimum = 0)]
    pub lifetime_points: i64,
    /// The highest grade that these points reach.
    pub grade: GradeName,
    /// The grade above it; null at the highest.
    #[schema(required)]
    pub next_grade: Option<NextGradeView>,
    /// The VIP standing at `asOf`.
    pub vip: VipView,
    /// The policy that the account was computed with.
    #[schema(minimum = 1)]
    pub policy_version: u16,
    /// The instant of the answer.
    pub as_of: DateTime<Utc>,
}

/// The rank of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub enum GradeName {
    /// Where every account begins.
    Bronze,
    /// The second.
    Silver,
    /// The third.
    Gold,
    /// The highest.
    Platinum,
}

impl From<Grade> for GradeName {
    fn from(grade: Grade) -> Self {
        match grade {
            Grade::Bronze => Self::Bronze,
            Grade::Silver => Self::Silver,
            Grade::Gold => Self::Gold,
            Grade::Platinum => Self::Platinum,
        }
    }
}

/// What an account has before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextGradeView {
    /// The grade above the present one.
    pub name: GradeName,
    /// How many points are missing.
    #[schema(minimum = 1)]
    pub points_to_go: i64,
}

impl From<NextGrade> for NextGradeView {
    fn from(next: NextGrade) -> Self {
        Self {
            name: next.grade.into(),
            points_to_go: next.points_to_go.get(),
        }
    }
}

/// The VIP standing of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VipView {
    /// Whether it is VIP.
    pub active: bool,
    /// The points in the window.
    #[schema(minimum = 0)]
    pub window_points: i64,
    /// The points in the window from which on it is VIP.
    #[schema(minimum = 1)]
    pub threshold: i64,
    /// While it is VIP: until when, if nothing more happens.
    #[schema(required)]
    pub until: Option<DateTime<Utc>>,
}
