//! A workshop's seat at the negotiation.

use chrono::{DateTime, Utc};
use kernel::WorkshopId;
use serde::{Deserialize, Serialize};

use crate::value::{OfferRevision, OfferTerms, Outdated, RequestRevision};

/// A workshop's seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    #[serde(rename = "workshop")]
    workshop_id: WorkshopId,
    #[serde(rename = "firstInvited")]
    first_invited_at: DateTime<Utc>,
    #[serde(rename = "invited")]
    invited_at: DateTime<Utc>,
    #[serde(rename = "firstOffered")]
    first_offered_at: Option<DateTime<Utc>>,
    #[serde(rename = "lastRevision")]
    last_revision: Option<OfferRevision>,
    /// When the workshop was invited, or answered, last.
    since: DateTime<Utc>,
    answer: Answer,
}

/// Where the seat stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Answer {
    Pending,
    Offered(OfferTerms),
    Declined,
    Withdrawn,
    Confirmed(OfferTerms),
    NotSelected(Option<OfferTerms>),
}

/// The name of where a seat stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationStatus {
    /// The workshop has not answered.
    Pending,
    /// Its offer stands.
    Offered,
    /// It said no.
    Declined,
    /// It took its offer back.
    Withdrawn,
    /// Its offer was taken.
    Confirmed,
    /// The negotiation ended without it.
    NotSelected,
}

impl InvitationStatus {
    /// The name used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Offered => "offered",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
            Self::Confirmed => "confirmed",
            Self::NotSelected => "notSelected",
        }
    }
}

impl std::fmt::Display for InvitationStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Invitation {
    pub(super) fn new(workshop_id: WorkshopId, invited_at: DateTime<Utc>) -> Self {
        Self {
            workshop_id,
            first_invited_at: invited_at,
            invited_at,
            first_offered_at: None,
            last_revision: None,
            since: invited_at,
            answer: Answer::Pending,
        }
    }

    /// Whose seat it is.
    #[must_use]
    pub const fn workshop_id(&self) -> WorkshopId {
        self.workshop_id
    }

    /// When the workshop was last invited.
    #[must_use]
    pub const fn invited_at(&self) -> DateTime<Utc> {
        self.invited_at
    }

    /// When the workshop was invited for the first time.
    #[must_use]
    pub const fn first_invited_at(&self) -> DateTime<Utc> {
        self.first_invited_at
    }

    /// When the workshop put its first offer, whatever became of it; none if it never put one.
    #[must_use]
    pub const fn first_offered_at(&self) -> Option<DateTime<Utc>> {
        self.first_offered_at
    }

    /// Where the seat stands.
    #[must_use]
    pub const fn status(&self) -> InvitationStatus {
        match &self.answer {
            Answer::Pending => InvitationStatus::Pending,
            Answer::Offered(_) => InvitationStatus::Offered,
            Answer::Declined => InvitationStatus::Declined,
            Answer::Withdrawn => InvitationStatus::Withdrawn,
            Answer::Confirmed(_) => InvitationStatus::Confirmed,
            Answer::NotSelected(_) => InvitationStatus::NotSelected,
        }
    }

    /// The last offer, standing or not; none for a seat that made none, said no or took it back.
    #[must_use]
    pub const fn offer(&self) -> Option<&OfferTerms> {
        match &self.answer {
            Answer::Offered(offer) | Answer::Confirmed(offer) => Some(offer),
            Answer::NotSelected(offer) => offer.as_ref(),
            Answer::Pending | Answer::Declined | Answer::Withdrawn => None,
        }
    }

    /// The offer, while it stands.
    #[must_use]
    pub const fn standing_offer(&self) -> Option<&OfferTerms> {
        match &self.answer {
            Answer::Offered(offer) => Some(offer),
            Answer::Pending
            | Answer::Declined
            | Answer::Withdrawn
            | Answer::Confirmed(_)
            | Answer::NotSelected(_) => None,
        }
    }

    /// Why a standing offer could not be confirmed at `at`, when the request is at `current`;
    /// none for an offer that could, and for what does not stand.
    #[must_use]
    pub fn outdated(&self, current: RequestRevision, at: DateTime<Utc>) -> Option<Outdated> {
        self.standing_offer()?.outdated(current, at)
    }

    /// When the workshop was invited, put its offer, or closed its seat: what it did last.
    pub(super) const fn since(&self) -> DateTime<Utc> {
        self.since
    }

    /// Whether the workshop may answer.
    pub(super) const fn is_pending(&self) -> bool {
        matches!(self.answer, Answer::Pending)
    }

    /// Whether the negotiation goes on with this seat.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.answer, Answer::Pending | Answer::Offered(_))
    }

    /// The revision that the seat's next offer has.
    pub(super) fn next_revision(&self) -> OfferRevision {
        self.last_revision
            .map_or(OfferRevision::FIRST, OfferRevision::next)
    }

    pub(super) fn take_offer(&mut self, offer: OfferTerms, at: DateTime<Utc>) {
        self.first_offered_at.get_or_insert(at);
        self.last_revision = Some(offer.offer_revision);
        self.since = at;
        self.answer = Answer::Offered(offer);
    }

    pub(super) fn invite_again(&mut self, at: DateTime<Utc>) {
        self.invited_at = at;
        self.since = at;
        self.answer = Answer::Pending;
    }

    pub(super) fn withdraw(&mut self, at: DateTime<Utc>) {
        self.since = at;
        self.answer = Answer::Withdrawn;
    }

    pub(super) fn decline(&mut self, at: DateTime<Utc>) {
        self.since = at;
        self.answer = Answer::Declined;
    }

    pub(super) fn confirm(&mut self, terms: OfferTerms) {
        self.answer = Answer::Confirmed(terms);
    }

    /// Ends an open seat; another stays as it is.
    pub(super) fn pass_over(&mut self) {
        self.answer = match std::mem::replace(&mut self.answer, Answer::Pending) {
            Answer::Pending => Answer::NotSelected(None),
            Answer::Offered(offer) => Answer::NotSelected(Some(offer)),
            closed @ (Answer::Declined
            | Answer::Withdrawn
            | Answer::Confirmed(_)
            | Answer::NotSelected(_)) => closed,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::scenario::{ALDER, minute, terms};

    #[test]
    fn revisions_are_counted_over_the_whole_life_of_the_seat() {
        let mut seat = Invitation::new(ALDER, minute(0));
        assert_eq!(seat.next_revision(), OfferRevision::FIRST);
        seat.take_offer(terms(&["Make"]), minute(1));
        seat.decline(minute(1));
        assert_eq!(seat.next_revision(), OfferRevision::FIRST.next());
    }

    #[test]
    fn a_seat_remembers_when_it_was_first_given_and_first_used() {
        let mut seat = Invitation::new(ALDER, minute(0));
        assert_eq!(seat.first_offered_at(), None);
        seat.take_offer(terms(&["Make"]), minute(1));
        seat.withdraw(minute(1));
        seat.invite_again(minute(2));
        seat.take_offer(terms(&["Make"]), minute(3));
        assert_eq!(seat.first_invited_at(), minute(0));
        assert_eq!(seat.invited_at(), minute(2));
        assert_eq!(seat.first_offered_at(), Some(minute(1)));
    }
}
