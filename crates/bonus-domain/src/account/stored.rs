//! Account events to and from the form in which the store keeps them: a name, the version of the
//! payload's schema, and a payload that also names the event, so that it can be read alone.

use serde_json::Value;

use super::{AccountEvent, AccountFact};

/// Why a stored event cannot be read by this release.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    /// Its name or version came with a later release.
    #[error("no account event {event_type} of version {event_version} is known")]
    Unknown {
        /// Its stored name.
        event_type: String,
        /// Its stored version.
        event_version: String,
    },
    /// Its payload is not what name and version promise.
    #[error("the payload of an account event {event_type} is malformed")]
    Malformed {
        /// Its stored name.
        event_type: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// Its payload names another event.
    #[error("the payload of an account event {event_type} is that of a {payload}")]
    Mislabelled {
        /// Its stored name.
        event_type: String,
        /// The event that the payload names.
        payload: &'static str,
    },
}

impl AccountFact {
    /// The stored name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PointsAwarded { .. } => "PointsAwarded",
            Self::GradeChanged { .. } => "GradeChanged",
            Self::VipAcquired { .. } => "VipAcquired",
            Self::VipLost => "VipLost",
            Self::AwardDeferred { .. } => "AwardDeferred",
            Self::PolicyRecomputed { .. } => "PolicyRecomputed",
        }
    }

    /// The version in which the payload is written today.
    #[must_use]
    pub const fn schema_version(&self) -> &'static str {
        match self {
            Self::PointsAwarded { .. }
            | Self::GradeChanged { .. }
            | Self::VipAcquired { .. }
            | Self::VipLost
            | Self::AwardDeferred { .. }
            | Self::PolicyRecomputed { .. } => "1.0",
        }
    }
}

/// The stored form: name, version, payload.
#[must_use]
pub fn encode(event: &AccountEvent) -> (&'static str, &'static str, Value) {
    #[expect(
        clippy::expect_used,
        reason = "an account event holds strings and numbers alone, which JSON always has"
    )]
    let payload = serde_json::to_value(event).expect("an account event is JSON");
    (event.fact.name(), event.fact.schema_version(), payload)
}

/// Reads the stored form.
///
/// # Errors
/// See [`Undecodable`].
pub fn decode(
    event_type: &str,
    event_version: &str,
    payload: &str,
) -> Result<AccountEvent, Undecodable> {
    match (event_type, event_version) {
        (
            "PointsAwarded" | "GradeChanged" | "VipAcquired" | "VipLost" | "AwardDeferred"
            | "PolicyRecomputed",
            "1.0",
        ) => current(event_type, payload),
        (_, _) => Err(Undecodable::Unknown {
            event_type: event_type.to_owned(),
            event_version: event_version.to_owned(),
        }),
    }
}

/// Reads a payload in today's shape.
fn current(event_type: &str, payload: &str) -> Result<AccountEvent, Undecodable> {
    let event: AccountEvent =
        serde_json::from_str(payload).map_err(|source| Undecodable::Malformed {
            event_type: event_type.to_owned(),
            source,
        })?;
    if event.fact.name() != event_type {
        return Err(Undecodable::Mislabelled {
            event_type: event_type.to_owned(),
            payload: event.fact.name(),
        });
    }
    Ok(event)
}
