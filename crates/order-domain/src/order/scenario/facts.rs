//! Facts of the order of all scenarios, and the histories that most begin with.

use kernel::{Actor, WorkshopId};

use super::*;
use crate::order::{
    CancelledFrom, DisputedFrom, MarkedStatus, OrderFact, Resolution, ResolvedState,
};
use crate::value::{Request, RequestField, RequestRevision, Title};

pub(crate) fn placed(workshops: &[WorkshopId]) -> OrderFact {
    OrderFact::OrderPlaced {
        request: request(),
        workshops: workshops.to_vec(),
    }
}

/// The request was given another title, and is at this revision now.
pub(crate) fn retitled(title: &str, revision: i64) -> OrderFact {
    OrderFact::RequestEdited {
        request: Request {
            title: Title::parse(title).unwrap(),
            revision: RequestRevision::parse(revision).unwrap(),
            ..request()
        },
        changed: vec![RequestField::Title],
    }
}

pub(crate) fn invited(workshops: &[WorkshopId]) -> OrderFact {
    OrderFact::WorkshopsInvited {
        workshops: workshops.to_vec(),
    }
}

pub(crate) fn submitted(workshop_id: WorkshopId, stages: &[&str]) -> OrderFact {
    OrderFact::OfferSubmitted {
        workshop_id,
        offer: terms(stages),
    }
}

/// The workshop revised its offer; it answers the request's first revision.
pub(crate) fn revised(workshop_id: WorkshopId, stages: &[&str], revision: i64) -> OrderFact {
    OrderFact::OfferRevised {
        workshop_id,
        offer: terms_at(stages, 1, revision),
    }
}

pub(crate) fn withdrawn(workshop_id: WorkshopId) -> OrderFact {
    OrderFact::OfferWithdrawn {
        workshop_id,
        reason: Some(reason()),
    }
}

pub(crate) fn declined(workshop_id: WorkshopId) -> OrderFact {
    OrderFact::InvitationDeclined {
        workshop_id,
        reason: Some(reason()),
    }
}

pub(crate) fn confirmed(workshop_id: WorkshopId, stages: &[&str]) -> OrderFact {
    OrderFact::OfferConfirmed {
        workshop_id,
        terms: terms(stages),
        not_selected: vec![],
    }
}

/// Alder marked a stage of [`terms`].
pub(crate) fn marked(number: u32, stages: &[&str]) -> OrderFact {
    let plan = terms(stages);
    let plan = plan.stages.get(stage(number)).unwrap();
    OrderFact::StageMarkedComplete {
        workshop_id: ALDER,
        stage: stage(number),
        name: plan.name.clone(),
        status: if plan.requires_approval {
            MarkedStatus::AwaitingApproval
        } else {
            MarkedStatus::Completed
        },
    }
}

pub(crate) fn approved(number: u32, stages: &[&str]) -> OrderFact {
    let plan = terms(stages);
    OrderFact::StageApproved {
        workshop_id: ALDER,
        stage: stage(number),
        name: plan.stages.get(stage(number)).unwrap().name.clone(),
    }
}

pub(crate) fn changes_requested(number: u32, stages: &[&str]) -> OrderFact {
    let plan = terms(stages);
    OrderFact::StageChangesRequested {
        workshop_id: ALDER,
        stage: stage(number),
        name: plan.stages.get(stage(number)).unwrap().name.clone(),
        note: note(),
    }
}

pub(crate) fn finished() -> OrderFact {
    OrderFact::OrderFinished { workshop_id: ALDER }
}

pub(crate) fn completed() -> OrderFact {
    OrderFact::OrderCompleted { workshop_id: ALDER }
}

pub(crate) fn cancelled() -> OrderFact {
    OrderFact::OrderCancelled {
        workshop_id: None,
        reason: reason(),
        cancelled_from: CancelledFrom::Negotiating,
        by_dispute: false,
    }
}

pub(crate) fn disputed(from: DisputedFrom, opened_by: Actor) -> OrderFact {
    OrderFact::CancellationDisputed {
        workshop_id: ALDER,
        reason: reason(),
        from,
        opened_by,
    }
}

/// A dispute was resolved so.
pub(crate) fn resolved(resolution: Resolution, state: ResolvedState) -> OrderFact {
    OrderFact::DisputeResolved {
        workshop_id: ALDER,
        resolution,
        note: note(),
        state,
    }
}

/// A dispute ended the order.
pub(crate) fn cancelled_by_dispute(from: CancelledFrom) -> OrderFact {
    OrderFact::OrderCancelled {
        workshop_id: Some(ALDER),
        reason: reason(),
        cancelled_from: from,
        by_dispute: true,
    }
}

/// Alder, Birch and Cedar are asked; Alder has offered.
pub(crate) fn alder_offered() -> Vec<OrderFact> {
    vec![placed(&[ALDER, BIRCH, CEDAR]), submitted(ALDER, &["Make"])]
}

/// Alder, asked with Birch, works on these stages.
pub(crate) fn alder_works(stages: &[&str]) -> Vec<OrderFact> {
    vec![
        placed(&[ALDER, BIRCH]),
        submitted(ALDER, stages),
        confirmed(ALDER, stages),
    ]
}

/// Alder has done all there was to do.
pub(crate) fn alder_finished() -> Vec<OrderFact> {
    let mut facts = alder_works(&["Make"]);
    facts.extend([marked(1, &["Make"]), finished()]);
    facts
}
