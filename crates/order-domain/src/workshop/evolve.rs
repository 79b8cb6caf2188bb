//! What an entry of the directory is, and what a fact does to it.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use kernel::WorkshopId;
use serde::{Deserialize, Serialize};

use super::{WorkshopEvent, WorkshopFact};
use crate::value::WorkshopName;

/// A workshop, as far as the directory knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Workshop {
    /// Before the first fact.
    #[default]
    Unregistered,
    /// In the directory.
    Registered(Entry),
}

/// An entry of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The workshop.
    pub workshop_id: WorkshopId,
    /// What it is called.
    pub name: WorkshopName,
    /// Whether it takes commissions.
    pub accepts_commissions: bool,
    /// When the last fact happened.
    pub updated_at: DateTime<Utc>,
}

/// A fact that cannot follow what went before: the stream is corrupt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{event} cannot follow in the stream of workshop {workshop_id}")]
pub struct Corrupt {
    /// The workshop.
    pub workshop_id: WorkshopId,
    /// The name of the fact.
    pub event: Cow<'static, str>,
}

/// The workshop after all of `events`, oldest first.
///
/// # Errors
/// One of them cannot follow the ones before it.
pub fn fold<'a>(events: impl IntoIterator<Item = &'a WorkshopEvent>) -> Result<Workshop, Corrupt> {
    events.into_iter().try_fold(Workshop::default(), evolve)
}

/// The workshop after `event`.
///
/// # Errors
/// The event cannot follow.
pub fn evolve(workshop: Workshop, event: &WorkshopEvent) -> Result<Workshop, Corrupt> {
    let workshop_id = event.workshop_id;
    let follows = match (&event.fact, workshop) {
        (WorkshopFact::WorkshopRegistered { .. }, Workshop::Unregistered) => true,
        (WorkshopFact::WorkshopChanged { .. }, Workshop::Registered(entry)) => {
            entry.workshop_id == workshop_id
        }
        (WorkshopFact::WorkshopRegistered { .. }, Workshop::Registered(_))
        | (WorkshopFact::WorkshopChanged { .. }, Workshop::Unregistered) => false,
    };
    if !follows {
        return Err(Corrupt {
            workshop_id,
            event: event.fact.event_type().into(),
        });
    }
    let (WorkshopFact::WorkshopRegistered {
        name,
        accepts_commissions,
    }
    | WorkshopFact::WorkshopChanged {
        name,
        accepts_commissions,
    }) = &event.fact;
    Ok(Workshop::Registered(Entry {
        workshop_id,
        name: name.clone(),
        accepts_commissions: *accepts_commissions,
        updated_at: event.occurred_at,
    }))
}

impl Workshop {
    /// The entry; none before the workshop is registered.
    #[must_use]
    pub const fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Unregistered => None,
            Self::Registered(entry) => Some(entry),
        }
    }
}
