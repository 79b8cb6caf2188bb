//! The rules: one file a command, each from an order and a command to the facts that follow.

mod accept_work;
mod approve_stage;
mod cancel_order;
mod complete_stage;
mod confirm_offer;
mod decline_invitation;
mod edit_request;
mod invite_workshops;
#[cfg(test)]
mod matrix;
mod place_order;
mod request_stage_changes;
mod resolve_dispute;
mod revise_offer;
mod submit_offer;
mod withdraw_offer;

use kernel::WorkshopId;

use super::{
    Context, Intent, Invitation, Missing, Order, OrderCommand, OrderEvent, OrderFact, Placement,
    Refusal, Rejection, Stage, StageStatus, Work, admit, size,
};
use crate::value::{
    Fault, FaultKind, Invitees, OfferDraft, OfferRevision, OfferTerms, Outdated, Request,
    StageNumber,
};

/// The facts that follow from `command`. They share one instant, which is never before the
/// order's last fact.
///
/// # Errors
/// The refusal, in the order of checks: what [`admit`] finds, then the state, then the rest.
pub fn decide(
    order: &Order,
    command: OrderCommand,
    context: &Context,
) -> Result<Vec<OrderEvent>, Rejection> {
    let name = command.name();
    events(order, command, context).map_err(|why| why.of(name, order))
}

fn events(
    order: &Order,
    command: OrderCommand,
    context: &Context,
) -> Result<Vec<OrderEvent>, Refusal> {
    admit::check(order, &command, context)?;
    let (order_id, commissioner_id) = if let OrderCommand::PlaceOrder(command) = &command {
        (command.order_id, command.commissioner_id)
    } else {
        let placement = order.placement();
        placement
            .map(|placement| (placement.order_id(), placement.commissioner_id()))
            .ok_or(Refusal::NotFound(Missing::Order))?
    };
    let occurred_at = order.instant(context.now);
    let most_bytes = match command.intent() {
        Ok(intent) => size::most(order, intent),
        Err(_) => None,
    };
    let facts = match command {
        OrderCommand::PlaceOrder(command) => place_order::decide(order, command, context),
        OrderCommand::EditRequest(command) => edit_request::decide(order, command),
        OrderCommand::InviteWorkshops(command) => invite_workshops::decide(order, command, context),
        OrderCommand::SubmitOffer(command) => submit_offer::decide(order, command),
        OrderCommand::ReviseOffer(command) => revise_offer::decide(order, command, occurred_at),
        OrderCommand::WithdrawOffer(command) => withdraw_offer::decide(order, command),
        OrderCommand::DeclineInvitation(command) => decline_invitation::decide(order, command),
        OrderCommand::ConfirmOffer(command) => confirm_offer::decide(order, &command, occurred_at),
        OrderCommand::CompleteStage(command) => complete_stage::decide(order, &command),
        OrderCommand::ApproveStage(command) => approve_stage::decide(order, &command),
        OrderCommand::RequestStageChanges(command) => request_stage_changes::decide(order, command),
        OrderCommand::AcceptWork => accept_work::decide(order),
        OrderCommand::CancelOrder(command) => cancel_order::decide(order, command, context.actor),
        OrderCommand::ResolveDispute(command) => resolve_dispute::decide(order, command),
    }?;
    let event = |fact| OrderEvent {
        order_id,
        commissioner_id,
        occurred_at,
        fact,
    };
    let events: Vec<_> = facts.into_iter().map(event).collect();
    size::check(most_bytes, &events, context)?;
    Ok(events)
}

/// What refuses a command of this intent, whatever it says, if it is given in these circumstances.
pub(super) fn possible(order: &Order, intent: Intent, context: &Context) -> Result<(), Refusal> {
    admit::check_intent(order, intent, context.actor)?;
    let at = order.instant(context.now);
    match intent {
        Intent::EditRequest => edit_request::possible(order),
        Intent::InviteWorkshops => invite_workshops::possible(order),
        Intent::SubmitOffer(workshop_id) => submit_offer::possible(order, workshop_id),
        Intent::ReviseOffer(workshop_id) => revise_offer::possible(order, workshop_id),
        Intent::WithdrawOffer(workshop_id) => {
            withdraw_offer::possible(order, workshop_id).map(drop)
        }
        Intent::DeclineInvitation(id) => decline_invitation::possible(order, id).map(drop),
        Intent::ConfirmOffer(workshop_id) => confirm_offer::possible(order, workshop_id, at),
        Intent::CompleteStage(stage) => complete_stage::possible(order, stage).map(drop),
        Intent::ApproveStage(stage) | Intent::RequestStageChanges(stage) => {
            awaiting_stage(order, stage).map(drop)
        }
        Intent::AcceptWork => accept_work::possible(order).map(drop),
        Intent::CancelOrder => cancel_order::possible(order).map(drop),
        Intent::ResolveDispute => resolve_dispute::possible(order).map(drop),
    }?;
    size::check_room(size::most(order, intent), context)
}

fn negotiating(order: &Order) -> Result<&Placement, Refusal> {
    if let Order::Negotiating { placement } = order {
        Ok(placement)
    } else {
        Err(Refusal::IllegalTransition)
    }
}

fn seat(placement: &Placement, workshop_id: WorkshopId) -> Result<&Invitation, Refusal> {
    placement
        .invitation(workshop_id)
        .ok_or(Refusal::NotFound(Missing::Invitation(workshop_id)))
}

/// The seat of a workshop that may answer.
fn pending_seat(placement: &Placement, workshop_id: WorkshopId) -> Result<&Invitation, Refusal> {
    let seat = seat(placement, workshop_id)?;
    if seat.is_pending() {
        Ok(seat)
    } else {
        Err(Refusal::InvitationNotOpen {
            workshop_id,
            status: seat.status(),
        })
    }
}

/// The offer of a workshop that stands, and its seat.
fn standing_offer(
    placement: &Placement,
    workshop_id: WorkshopId,
) -> Result<(&Invitation, &OfferTerms), Refusal> {
    let seat = seat(placement, workshop_id)?;
    let offer = seat.standing_offer().ok_or(Refusal::OfferNotStanding {
        workshop_id,
        status: seat.status(),
    })?;
    Ok((seat, offer))
}

/// A workshop answers the current request, in its currency.
fn check_answer(
    request: &Request,
    workshop_id: WorkshopId,
    offer: &OfferDraft,
) -> Result<(), Refusal> {
    if offer.answers.is_some_and(|named| named != request.revision) {
        return Err(Refusal::OfferOutdated {
            workshop_id,
            reason: Outdated::RequestRevised,
        });
    }
    let expected = request.budget.currency();
    if offer.budget.currency() != expected {
        let kind = FaultKind::OfferCurrency { expected };
        return Err(Refusal::Invalid {
            faults: vec![Fault::new("/budget/currency", kind)],
        });
    }
    Ok(())
}

/// The revision that the seat's next offer has, if there may be another.
fn next_offer_revision(seat: &Invitation) -> Result<OfferRevision, Refusal> {
    let next = seat.next_revision();
    if next > OfferRevision::LAST {
        let most = OfferRevision::LAST.get();
        return Err(Refusal::RevisionLimit { most });
    }
    Ok(next)
}

/// The workshops that are named can all be invited.
fn check_directory(invitees: &Invitees, context: &Context) -> Result<(), Refusal> {
    let faults = invitees.objections("/workshops", |id| context.directory.objection(id));
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Refusal::UnknownWorkshop { faults })
    }
}

/// The fact that closes the round, if the answer of `answering` leaves nobody pending; `offers`
/// says whether the answer is an offer.
fn round_closed(placement: &Placement, answering: WorkshopId, offers: bool) -> Option<OrderFact> {
    let seats = placement.invitations();
    let is_open = seats
        .iter()
        .any(|seat| seat.is_pending() && seat.workshop_id() != answering);
    if is_open {
        return None;
    }
    let standing: Vec<_> = seats
        .iter()
        .filter(|seat| {
            seat.standing_offer().is_some() || (offers && seat.workshop_id() == answering)
        })
        .map(Invitation::workshop_id)
        .collect();
    Some(if standing.is_empty() {
        OrderFact::AllInvitationsClosed {}
    } else {
        OrderFact::AllResponsesReceived { standing }
    })
}

/// The work in progress and its current stage, if that is the one which the command names.
fn current_stage(order: &Order, stage: StageNumber) -> Result<(&Work, Stage<'_>), Refusal> {
    let Order::InProgress { work, .. } = order else {
        return Err(Refusal::IllegalTransition);
    };
    let current = work.first_open().ok_or(Refusal::IllegalTransition)?;
    if current.number == stage {
        Ok((work, current))
    } else {
        Err(Refusal::NotCurrentStage {
            stage,
            current: current.number,
        })
    }
}

/// The same, if the stage was marked and waits for the commissioner.
fn awaiting_stage(order: &Order, stage: StageNumber) -> Result<(&Work, Stage<'_>), Refusal> {
    let (work, current) = current_stage(order, stage)?;
    if current.status == StageStatus::AwaitingApproval {
        Ok((work, current))
    } else {
        Err(Refusal::StageNotAwaitingApproval {
            current: current.number,
        })
    }
}

/// The fact that finishes the order, if the stage that completes is the last.
fn order_finished(work: &Work) -> Option<OrderFact> {
    work.is_last_open().then(|| OrderFact::OrderFinished {
        workshop_id: work.workshop_id(),
    })
}

#[cfg(test)]
mod tests {
    use crate::order::OrderFact;
    use crate::order::scenario::*;

    #[test]
    fn facts_never_run_back_though_the_clock_does() {
        let history = alder_offered();
        let last = minute(2);
        let decline = decline(BIRCH);
        let early = given(history.clone()).at(minute(-30));
        assert_eq!(early.when(by(BIRCH), decline.clone()).instant(), last);
        let later = given(history).at(minute(30));
        assert_eq!(later.when(by(BIRCH), decline).instant(), minute(30));
    }

    #[test]
    fn a_deadline_is_held_against_the_instant_of_the_facts() {
        // The clock ran back, and the order has seen a later time than the offer's deadline.
        let mut input = offer_input(&["Make"]);
        input.deadline = Some(minute(1).to_rfc3339());
        given([placed(&[ALDER, BIRCH]), declined(BIRCH)])
            .at(minute(0))
            .when(by(ALDER), submit_input(ALDER, input))
            .refused(
                "VALIDATION_FAILED",
                crate::order::Refusal::Invalid {
                    faults: vec![crate::value::Fault::new(
                        "/deadline",
                        crate::value::FaultKind::DeadlinePassed,
                    )],
                },
            );
    }

    #[test]
    fn a_round_of_one_is_closed_by_its_only_answer() {
        given([placed(&[ALDER])])
            .when(by(ALDER), decline(ALDER))
            .then([declined(ALDER), OrderFact::AllInvitationsClosed {}]);
    }
}
