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
}

impl AccountFact {
    /// The event's public name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PointsAwarded(_) => "PointsAwarded",
            Self::GradeChanged(_) => "GradeChanged",
        }
    }

    /// The version of the payload's schema.
    #[must_use]
    pub const fn schema_version(&self) -> &'static str {
        match self {
            Self::PointsAwarded(_) | Self::GradeChanged(_) => "1.0",
        }
    }
}

/// A fact was rewarded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[serde(rename_all = "camelCase")]
pub struct GradeChanged {
    /// The grade before.
    pub from: String,
    /// The grade after.
    pub to: String,
}
