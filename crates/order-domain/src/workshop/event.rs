//! The facts of a directory entry, as they are stored; names and versions as in
//! [`crate::order::OrderFact`].

use chrono::{DateTime, Utc};
use kernel::WorkshopId;
use serde::{Deserialize, Serialize};

use crate::value::WorkshopName;

/// One fact of one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkshopEvent {
    /// The workshop.
    pub workshop_id: WorkshopId,
    /// When it happened; never before the entry's last event.
    pub occurred_at: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub fact: WorkshopFact,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all_fields = "camelCase")]
pub enum WorkshopFact {
    /// The workshop was entered into the directory.
    #[serde(rename = "WorkshopRegistered")]
    WorkshopRegistered {
        /// What it is called.
        name: WorkshopName,
        /// Whether it takes commissions.
        accepts_commissions: bool,
    },
    /// Its entry was changed; this is all of it.
    #[serde(rename = "WorkshopChanged")]
    WorkshopChanged {
        /// What it is called.
        name: WorkshopName,
        /// Whether it takes commissions.
        accepts_commissions: bool,
    },
}
