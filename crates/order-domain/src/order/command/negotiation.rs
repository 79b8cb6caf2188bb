//! What both sides send while they negotiate: offers and answers.

use chrono::{DateTime, Utc};
use kernel::WorkshopId;

use crate::value::{Fault, Faults, OfferDraft, OfferInput, OfferRevision, Reason};

/// Answer an invitation with terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitOffer {
    /// The invited workshop.
    pub workshop_id: WorkshopId,
    /// Its terms.
    pub offer: OfferDraft,
}

impl SubmitOffer {
    /// Reads a client's body.
    ///
    /// # Errors
    /// All faults at once, a passed deadline among them. A passed deadline alone is left to the
    /// decision.
    pub fn parse(
        workshop_id: WorkshopId,
        input: OfferInput,
        now: DateTime<Utc>,
    ) -> Result<Self, Vec<Fault>> {
        let offer = input.parse("", now)?;
        Ok(Self { workshop_id, offer })
    }
}

/// Put other terms in the place of those that stand, or affirm them. What a client sends is a
/// [`SubmitOffer`]; [`super::OrderCommand::revising_what_stands`] makes it this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviseOffer {
    /// The workshop whose offer stands.
    pub workshop_id: WorkshopId,
    /// Its terms from here on.
    pub offer: OfferDraft,
}

/// Take an offer back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithdrawOffer {
    /// The workshop whose offer stands.
    pub workshop_id: WorkshopId,
    /// Why, if it says so.
    pub reason: Option<Reason>,
}

impl WithdrawOffer {
    /// Reads a client's body.
    ///
    /// # Errors
    /// The reason is no legal text.
    pub fn parse(workshop_id: WorkshopId, reason: Option<&str>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let reason = faults.optional("/reason", reason, Reason::parse);
        faults.finish(reason.map(|reason| Self {
            workshop_id,
            reason,
        }))
    }
}

/// Answer an invitation with no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclineInvitation {
    /// The invited workshop.
    pub workshop_id: WorkshopId,
    /// Why, if it says so.
    pub reason: Option<Reason>,
}

impl DeclineInvitation {
    /// Reads a client's body.
    ///
    /// # Errors
    /// The reason is no legal text.
    pub fn parse(workshop_id: WorkshopId, reason: Option<&str>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let reason = faults.optional("/reason", reason, Reason::parse);
        faults.finish(reason.map(|reason| Self {
            workshop_id,
            reason,
        }))
    }
}

/// Take one offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmOffer {
    /// The workshop that made it.
    pub workshop_id: WorkshopId,
    /// The revision that the commissioner means, if they say so.
    pub offer_revision: Option<OfferRevision>,
}

impl ConfirmOffer {
    /// Reads a client's body.
    ///
    /// # Errors
    /// No revision can have the number.
    pub fn parse(workshop_id: WorkshopId, offer_revision: Option<i64>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let revision = faults.optional("/offerRevision", offer_revision, OfferRevision::parse);
        faults.finish(revision.map(|offer_revision| Self {
            workshop_id,
            offer_revision,
        }))
    }
}
