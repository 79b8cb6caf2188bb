//! What a check found, as it is kept and given away.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// What a rebuild's check found: what was compared, at which position, and what differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// The read model.
    pub model: String,
    /// The version that was served.
    pub from: String,
    /// The version that was built.
    pub to: String,
    /// The release whose code built it.
    pub code: String,
    /// The store.
    pub store: Uuid,
    /// Its generation.
    pub generation: i64,
    /// On whose authority.
    pub operator: Uuid,
    /// Why.
    pub reason: String,
    /// When it was checked, by the server's clock.
    pub checked_at: DateTime<Utc>,
    /// The events that both versions have taken.
    pub events: Events,
    /// What the tables come to, by name.
    pub tables: Vec<Table>,
    /// The number of rows that differ, or that one of the versions lacks.
    pub differing: i64,
    /// Rows that differ, the first hundred or so.
    pub differences: Vec<Difference>,
    /// The number of differing rows that the operator accepts.
    pub accepted: Option<i64>,
    /// What follows from it.
    pub verdict: Verdict,
}

/// The events that a version was made of, recomputed from the table of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    /// After this position.
    pub after: i64,
    /// Up to this one.
    pub to: i64,
    /// How many there are.
    pub count: i64,
    /// The sum of their hashed ids modulo 2^64, in hexadecimal digits.
    pub digest: String,
    /// Whether the checkpoint of the version before says the same.
    pub old_holds: bool,
    /// Whether that of the new one does.
    pub new_holds: bool,
    /// Streams that the reader of the version before has parked.
    pub old_parked: i64,
    /// Streams that the new one's has.
    pub new_parked: i64,
}

/// A table of the two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    /// Its name.
    pub table: String,
    /// In the version before.
    pub old: Side,
    /// In the new one.
    pub new: Side,
    /// Rows that differ, or that one of them lacks.
    pub differing: i64,
}

/// What a table of one version comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// Rows.
    pub rows: i64,
    /// The XOR of the rows' hashes, in hexadecimal digits.
    pub digest: String,
}

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Its table.
    pub table: String,
    /// The key of the stream that it is of.
    pub stream: String,
    /// The columns of its key.
    pub key: Value,
    /// The version that lacks it, `old` or `new`.
    pub missing: Option<String>,
    /// The fields that differ.
    pub fields: Vec<Field>,
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Field {
    /// Its name.
    pub field: String,
    /// In the version before.
    pub old: Value,
    /// In the new one.
    pub new: Value,
}

/// What follows from a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Nothing differs.
    Equal,
    /// Exactly as many rows differ as were accepted.
    Accepted,
    /// Rows differ, and not as many as were accepted.
    Differs,
    /// The new version was not made of exactly the events of the store.
    EventsDiffer,
}

impl Verdict {
    /// Whether the new version may be served.
    #[must_use]
    pub const fn allows_swap(self) -> bool {
        match self {
            Self::Equal | Self::Accepted => true,
            Self::Differs | Self::EventsDiffer => false,
        }
    }

    pub(super) const fn of(new_holds: bool, differing: i64, accepted: Option<i64>) -> Self {
        match (new_holds, differing, accepted) {
            (false, _, _) => Self::EventsDiffer,
            (true, 0, _) => Self::Equal,
            (true, _, Some(accepted)) if accepted == differing => Self::Accepted,
            (true, _, _) => Self::Differs,
        }
    }
}

impl Certificate {
    /// What it comes to, in a line.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self {
            from,
            to,
            differing,
            ..
        } = self;
        let at = format!("at position {}", self.events.to);
        match self.verdict {
            Verdict::Equal => format!("{from} and {to} are equal {at}"),
            Verdict::Accepted => format!("{differing} rows of {to} differ {at}, as accepted"),
            Verdict::Differs => format!(
                "{differing} rows of {to} differ from {from} {at}: look at them with `projector \
                 rebuild show {}`; --accept-differences {differing} serves it all the same",
                self.model
            ),
            Verdict::EventsDiffer => {
                format!(
                    "{to} was not made of exactly the events up to position {}",
                    self.events.to
                )
            }
        }
    }
}

/// A digest as it is shown: a script's numbers do not have 64 bits.
pub(super) fn shown(digest: i64) -> String {
    format!("{digest:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_number_is_accepted_and_never_other_events() {
        assert_eq!(Verdict::of(true, 0, None), Verdict::Equal);
        assert_eq!(Verdict::of(true, 0, Some(3)), Verdict::Equal);
        assert_eq!(Verdict::of(true, 3, Some(3)), Verdict::Accepted);
        for accepted in [None, Some(0), Some(2), Some(4)] {
            assert_eq!(Verdict::of(true, 3, accepted), Verdict::Differs);
        }
        assert_eq!(Verdict::of(false, 3, Some(3)), Verdict::EventsDiffer);
        assert!(!Verdict::EventsDiffer.allows_swap() && !Verdict::Differs.allows_swap());
    }
}
