//! A fact of an order in a sentence that a person can read.
//!
//! The sentence says nothing that the entry's own data does not say, and nobody's id; who did it
//! stands beside it, and may be an operator in another's place.

use std::fmt::Display;

use order_domain::order::{MarkedStatus, OrderFact, Resolution};
use order_domain::value::{OfferTerms, Reason, Request, RequestField};

/// The sentence; with `withheld` it leaves out whom and what the outcome was about.
pub(crate) fn of(fact: &OrderFact, withheld: bool) -> String {
    let because = |why: &dyn Display| {
        if withheld {
            String::new()
        } else {
            // The sentence ends with a full stop of its own.
            let why = why.to_string();
            format!(": {}", why.strip_suffix('.').unwrap_or(&why))
        }
    };
    let if_given = |why: &Option<Reason>| why.as_ref().map(|why| because(why)).unwrap_or_default();
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
        OrderFact::RequestEdited { request, changed } => format!(
            "The request was changed: {}; it is at revision {} now.",
            changes(request, changed),
            request.revision.get(),
        ),
        OrderFact::WorkshopsInvited { workshops } => match workshops.len() {
            1 => "One workshop was invited.".to_owned(),
            invited => format!("{invited} workshops were invited."),
        },
        OrderFact::OfferSubmitted { offer, .. } => format!("An offer was made: {}.", terms(offer)),
        OrderFact::OfferRevised { offer, .. } => {
            format!("An offer was revised: {}.", terms(offer))
        }
        OrderFact::OfferWithdrawn { reason, .. } => {
            format!("An offer was withdrawn{}.", if_given(reason))
        }
        OrderFact::InvitationDeclined { reason, .. } => {
            format!("An invitation was declined{}.", if_given(reason))
        }
        OrderFact::AllResponsesReceived { standing } => format!(
            "Every invited workshop has answered; {}.",
            match standing.len() {
                1 => "one offer stands".to_owned(),
                offers => format!("{offers} offers stand"),
            },
        ),
        OrderFact::AllInvitationsClosed {} => {
            "No workshop is left to answer, and no offer stands.".to_owned()
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
        OrderFact::StageChangesRequested {
            stage, name, note, ..
        } => format!("Changes to stage {stage}, “{name}”, were requested: {note}."),
        OrderFact::OrderFinished { .. } => "The last stage is completed.".to_owned(),
        OrderFact::OrderCompleted { .. } => "The order was completed.".to_owned(),
        OrderFact::OrderCancelled { reason, .. } => {
            format!("The commission was cancelled{}.", because(reason))
        }
        OrderFact::CancellationDisputed { reason, .. } => format!(
            "It was asked to cancel agreed work, and an operator has to decide{}.",
            because(reason),
        ),
        OrderFact::DisputeResolved {
            resolution, note, ..
        } => format!(
            "A dispute was resolved, and {}{}.",
            match resolution {
                Resolution::Resume => "the commission goes on where it was",
                Resolution::Cancel => "the commission is cancelled",
                Resolution::Complete => "the commission is completed",
            },
            because(note),
        ),
    }
}

/// What has changed of a request: the short parts with what they say now.
fn changes(request: &Request, changed: &[RequestField]) -> String {
    let parts: Vec<String> = changed
        .iter()
        .map(|field| match field {
            RequestField::Title => format!("the title to “{}”", request.title),
            RequestField::Brief => "the brief".to_owned(),
            RequestField::Budget => format!("the budget to {}", request.budget),
            RequestField::Deadline => {
                format!(
                    "the deadline to {}",
                    request.deadline.instant().date_naive()
                )
            }
        })
        .collect();
    parts.join(", ")
}

fn terms(offer: &OfferTerms) -> String {
    let by = offer.deadline.instant().date_naive();
    match offer.stages.as_slice().len() {
        1 => format!("{} by {by}, in one stage", offer.budget),
        stages => format!("{} by {by}, in {stages} stages", offer.budget),
    }
}
