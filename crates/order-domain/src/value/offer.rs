//! What a workshop offers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Deadline, Fault, Faults, Money, MoneyInput, OfferDescription, OfferRevision, RequestRevision,
    StageInput, StagePlans,
};

/// A workshop's terms, at one of their revisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferTerms {
    /// What it would cost.
    pub budget: Money,
    /// When it would be done, and until when the offer can be taken.
    pub deadline: Deadline,
    /// What is offered.
    pub description: OfferDescription,
    /// The stages of the work, in order.
    pub stages: StagePlans,
    /// The revision of the request that it answers.
    pub request_revision: RequestRevision,
    /// Which putting of the offer this is.
    pub offer_revision: OfferRevision,
}

impl OfferTerms {
    /// Whether a draft says the same, whatever it answers.
    #[must_use]
    pub(crate) fn are_those_of(&self, draft: &OfferDraft) -> bool {
        self.budget == draft.budget
            && self.deadline == draft.deadline
            && self.description == draft.description
            && self.stages == draft.stages
    }

    /// Why the offer could not be confirmed at `at`, when the request is at `current`; none while
    /// it could.
    #[must_use]
    pub fn outdated(&self, current: RequestRevision, at: DateTime<Utc>) -> Option<Outdated> {
        if self.request_revision < current {
            Some(Outdated::RequestRevised)
        } else if self.deadline.has_passed(at) {
            Some(Outdated::DeadlinePassed)
        } else {
            None
        }
    }
}

/// Why an offer cannot be confirmed until its workshop revises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outdated {
    /// It answers an older request.
    RequestRevised,
    /// Its own deadline has passed.
    DeadlinePassed,
}

impl Outdated {
    /// The name used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestRevised => "requestRevised",
            Self::DeadlinePassed => "deadlinePassed",
        }
    }
}

/// An offer on its way into an order: legal, but for the clock's word on its deadline and the
/// order's on its currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferDraft {
    /// What it would cost.
    pub budget: Money,
    /// When it would be done.
    pub deadline: Deadline,
    /// What is offered.
    pub description: OfferDescription,
    /// The stages of the work, in order.
    pub stages: StagePlans,
    /// The revision of the request that the workshop says it answers.
    pub answers: Option<RequestRevision>,
}

impl OfferDraft {
    /// The terms that this draft becomes.
    #[must_use]
    pub fn at_revisions(self, request: RequestRevision, offer: OfferRevision) -> OfferTerms {
        OfferTerms {
            budget: self.budget,
            deadline: self.deadline,
            description: self.description,
            stages: self.stages,
            request_revision: request,
            offer_revision: offer,
        }
    }
}

/// An offer as a client sends it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfferInput {
    /// Amount, and the currency of the request, which is judged with the order.
    pub budget: Option<MoneyInput>,
    /// An RFC 3339 instant, later than now.
    pub deadline: Option<String>,
    /// 1 to 5 000 characters.
    pub description: Option<String>,
    /// Up to 20; none is one stage.
    pub stages: Option<Vec<StageInput>>,
    /// The revision of the request that it answers; optional.
    pub request_revision: Option<i64>,
}

impl OfferInput {
    /// Reads the offer that stands at `base`, a JSON pointer (empty for the whole body).
    ///
    /// # Errors
    /// All faults at once, a passed deadline among them. A passed deadline alone is left to the
    /// decision.
    pub fn parse(self, base: &str, now: DateTime<Utc>) -> Result<OfferDraft, Vec<Fault>> {
        let mut faults = Faults::default();
        let draft = self.read(base, now, &mut faults);
        faults.finish(draft)
    }

    fn read(self, base: &str, now: DateTime<Utc>, faults: &mut Faults) -> Option<OfferDraft> {
        let at = format!("{base}/budget");
        let budget = faults
            .required(at.as_str(), self.budget, Ok)
            .and_then(|budget| budget.read_in_any_currency(&at, faults));
        let deadline = Deadline::read(format!("{base}/deadline"), self.deadline, now, faults);
        let at = format!("{base}/description");
        let description = faults.required(at, self.description, |t| OfferDescription::parse(&t));
        let stages = StagePlans::read(&format!("{base}/stages"), self.stages, faults);
        let at = format!("{base}/requestRevision");
        let answers = faults.optional(at, self.request_revision, RequestRevision::parse);
        Some(OfferDraft {
            budget: budget?,
            deadline: deadline?,
            description: description?,
            stages: stages?,
            answers: answers?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reasons_have_their_names_of_the_contract() {
        assert_eq!(Outdated::RequestRevised.as_str(), "requestRevised");
        assert_eq!(Outdated::DeadlinePassed.as_str(), "deadlinePassed");
    }
}
