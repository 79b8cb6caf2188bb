//! Payloads of the account events: one shape for each, under one head.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The value of a message on `atlas.bonus-events.v1`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountPayload {
    /// Whose account it is.
    pub beneficiary_id: Uuid,
    /// In which role: `commissioner` or `workshop`.
    pub beneficiary_role: String,
    /// The beneficiary again, for a commissioner; left out for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commissioner_id: Option<Uuid>,
    /// The version of the policy that the account was computed with.
    pub policy_version: u32,
    /// When it was found out.
    pub occurred_at: DateTime<Utc>,
    /// What happened: the further fields of the payload.
    #[serde(flatten)]
    pub fact: AccountFact,
}

/// What happened to an account. On the wire the header `ce_type` names it, not the payload.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AccountFact {
    /// See [`PointsAwarded`].
    PointsAwarded(PointsAwarded),
    /// See [`GradeChanged`].
    GradeChanged(GradeChanged),
    /// See [`VipAcquired`].
    VipAcquired(VipAcquired),
    /// See [`VipLost`].
    VipLost(VipLost),
    /// See [`AwardDeferred`].
    AwardDeferred(AwardDeferred),
    /// See [`PolicyRecomputed`].
    PolicyRecomputed(PolicyRecomputed),
}

impl AccountFact {
    /// The event's public name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PointsAwarded(_) => "PointsAwarded",
            Self::GradeChanged(_) => "GradeChanged",
            Self::VipAcquired(_) => "VipAcquired",
            Self::VipLost(_) => "VipLost",
            Self::AwardDeferred(_) => "AwardDeferred",
            Self::PolicyRecomputed(_) => "PolicyRecomputed",
        }
    }

    /// The version of the payload's schema.
    #[must_use]
    pub const fn schema_version(&self) -> &'static str {
        match self {
            Self::PointsAwarded(_)
            | Self::GradeChanged(_)
            | Self::VipAcquired(_)
            | Self::VipLost(_)
            | Self::AwardDeferred(_)
            | Self::PolicyRecomputed(_) => "1.0",
        }
    }
}

/// A fact was rewarded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PointsAwarded {
    /// The rewarded event's global id.
    pub source_event_id: Uuid,
    /// The rewarded event's name.
    pub source_type: String,
    /// When the rewarded event happened.
    pub source_occurred_at: DateTime<Utc>,
    /// The order that it belongs to, if any.
    pub order_id: Option<Uuid>,
    /// What it was worth.
    pub points: i64,
    /// The account's total after it.
    pub lifetime_points: i64,
}

/// The lifetime total reached, or fell below, a threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct GradeChanged {
    /// The grade before.
    pub from: String,
    /// The grade after.
    pub to: String,
}

/// Enough points lie within the last days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct VipAcquired {
    /// Until when, if nothing more happens.
    pub until: DateTime<Utc>,
}

/// Too few points lie within the last days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct VipLost {}

/// A fact was kept, and is counted by the account's next recompute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AwardDeferred {
    /// The kept event's global id.
    pub source_event_id: Uuid,
}

/// Every fact of the account was counted anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PolicyRecomputed {
    /// The policy before; null where there was no account.
    pub from_version: Option<u32>,
    /// The policy from now on.
    pub to_version: u32,
    /// The account's total before.
    pub points_before: i64,
    /// The account's total after it.
    pub points_after: i64,
}
