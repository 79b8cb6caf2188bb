//! A fact of an order in a sentence that a person can read.
//!
//! The sentence says nothing that the entry's own data does not say, and nobody's id; who did it
//! stands beside it, and may be an operator in another's place.

use order_domain::order::{MarkedStatus, OrderFact};
use order_domain::value::{OfferTerms, Reason};

/// The sentence; with `withheld` it leaves out whom and what the outcome was about.
pub(crate) fn of(fact: &OrderFact, withheld: bool) -> String {
    let because = |reason: &Reason| {
        if withheld {
            String::new()
        } else {
            // The sentence ends with a full stop of its own.
            let reason = reason.as_str();
            format!(": {}", reason.strip_suffix('.').unwrap_or(reason))
        }
    };
    match fact {
        OrderFact::OrderPlaced { request, workshops } => format!(
            "A commission was placed: “{}”, for {} by {}{}.",
            request.title,
            request.budget,
            request.deadline.instant().date_naive(),
            match workshops.len() {
                0 => String::new(),
                1 => ", with one workshop invited".to_owned(),
                invited => format!(", with {invited} workshops invited"),
            },
        ),
        OrderFact::OfferSubmitted { offer, .. } => format!("An offer was made: {}.", terms(offer)),
        OrderFact::InvitationDeclined { reason, .. } => format!(
            "An invitation was declined{}.",
            reason.as_ref().map(because).unwrap_or_default(),
        ),
        OrderFact::AllResponsesReceived { standing } => format!(
            "Every invited workshop has answered; {}.",
            match standing.len() {
                1 => "one offer stands".to_owned(),
                offers => format!("{offers} offers stand"),
            },
        ),
        OrderFact::AllInvitationsClosed {} => {
            "Every invited workshop has answered, and no offer stands.".to_owned()
        }
        OrderFact::OfferConfirmed { .. } if withheld => "An offer was confirmed.".to_owned(),
        OrderFact::OfferConfirmed { terms: agreed, .. } => {
            format!("An offer was confirmed: {}.", terms(agreed))
        }
        OrderFact::StageMarkedComplete {
            stage,
            name,
            status,
            ..
        } => match status {
            MarkedStatus::Completed => format!("Stage {stage}, “{name}”, was completed."),
            MarkedStatus::AwaitingApproval => {
                format!("Stage {stage}, “{name}”, was marked as done and waits for approval.")
            }
        },
        OrderFact::StageApproved { stage, name, .. } => {
            format!("Stage {stage}, “{name}”, was approved.")
        }
        OrderFact::OrderFinished { .. } => "The last stage is completed.".to_owned(),
        OrderFact::OrderCompleted { .. } => "The work was accepted.".to_owned(),
        OrderFact::OrderCancelled { reason, .. } => {
            format!("The commission was cancelled{}.", because(reason))
        }
        OrderFact::CancellationDisputed { reason, .. } => format!(
            "It was asked to cancel agreed work, and an operator has to decide{}.",
            because(reason),
        ),
    }
}

fn terms(offer: &OfferTerms) -> String {
    let by = offer.deadline.instant().date_naive();
    match offer.stages.as_slice().len() {
        1 => format!("{} by {by}, in one stage", offer.budget),
        stages => format!("{} by {by}, in {stages} stages", offer.budget),
    }
}
