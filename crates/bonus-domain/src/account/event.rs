//! The facts of an account, as they are stored.
//!
//! Names and versions are literals of the store, not of Rust: renaming a variant changes nothing,
//! changing a shape needs a new version and an upcaster (see [`super::stored`]).

use chrono::{DateTime, Utc};
use kernel::{EventId, OrderId, Role};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Beneficiary, Grade, Points, PolicyVersion, SourceType};

/// One change in the standing of an account, as it was known when it was evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountEvent {
    /// Whose account it is.
    pub beneficiary_id: Uuid,
    /// In which role.
    pub beneficiary_role: Role,
    /// The policy that it was evaluated with.
    pub policy_version: PolicyVersion,
    /// When it was evaluated; never before the account's last event.
    pub occurred_at: DateTime<Utc>,
    /// What changed.
    #[serde(flatten)]
    pub fact: AccountFact,
}

impl AccountEvent {
    /// Whose account it is.
    #[must_use]
    pub const fn beneficiary(&self) -> Beneficiary {
        Beneficiary::new(self.beneficiary_role, self.beneficiary_id)
    }
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all_fields = "camelCase")]
pub enum AccountFact {
    /// A fact moved the account's points.
    #[serde(rename = "PointsAwarded")]
    PointsAwarded {
        /// The rewarded event's global id.
        source_event_id: EventId,
        /// The rewarded event's name.
        source_type: SourceType,
        /// When the rewarded event occurred.
        source_occurred_at: DateTime<Utc>,
        /// The order that it belongs to, if any.
        order_id: Option<OrderId>,
        /// By how much the total moved; negative where the fact reverses others.
        points: Points,
        /// The total afterwards.
        lifetime_points: Points,
    },
    /// The total passed a threshold, up or down.
    #[serde(rename = "GradeChanged")]
    GradeChanged {
        /// The grade before.
        from: Grade,
        /// The grade after.
        to: Grade,
    },
    /// VIP began.
    #[serde(rename = "VipAcquired")]
    VipAcquired {
        /// When it ends if nothing more happens.
        until: DateTime<Utc>,
    },
    /// VIP ended.
    #[serde(rename = "VipLost")]
    VipLost,
    /// A fact was kept, and counts from the next recompute on: the account is of another policy
    /// than the active one.
    #[serde(rename = "AwardDeferred")]
    AwardDeferred {
        /// The kept event's global id.
        source_event_id: EventId,
    },
    /// Every fact was counted anew, under the policy that the event names.
    #[serde(rename = "PolicyRecomputed")]
    PolicyRecomputed {
        /// The policy before; none where there was no account.
        from_version: Option<PolicyVersion>,
        /// The policy from now on.
        to_version: PolicyVersion,
        /// The total before.
        points_before: Points,
        /// The total afterwards.
        points_after: Points,
    },
}
