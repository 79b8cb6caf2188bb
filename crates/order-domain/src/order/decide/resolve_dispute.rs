//! An operator decides a dispute.

use crate::order::{
    Dispute, DisputedFrom, Order, OrderFact, Refusal, Resolution, ResolveDispute, ResolvedState,
    Work,
};

/// The work that is in dispute, and the dispute.
pub(super) const fn possible(order: &Order) -> Result<(&Work, &Dispute), Refusal> {
    if let Order::Disputed { work, dispute, .. } = order {
        Ok((work, dispute))
    } else {
        Err(Refusal::IllegalTransition)
    }
}

pub(super) fn decide(order: &Order, command: ResolveDispute) -> Result<Vec<OrderFact>, Refusal> {
    let (work, dispute) = possible(order)?;
    let ResolveDispute { resolution, note } = command;
    let workshop_id = work.workshop_id();
    let (state, ending) = match resolution {
        Resolution::Resume => {
            let state = match dispute.from {
                DisputedFrom::InProgress => ResolvedState::InProgress,
                DisputedFrom::Finished => ResolvedState::Finished,
            };
            (state, None)
        }
        Resolution::Cancel => {
            let cancelled = OrderFact::OrderCancelled {
                workshop_id: Some(workshop_id),
                reason: dispute.reason.clone(),
                cancelled_from: dispute.from.into(),
                by_dispute: true,
            };
            (ResolvedState::Cancelled, Some(cancelled))
        }
        Resolution::Complete => {
            let completed = OrderFact::OrderCompleted { workshop_id };
            (ResolvedState::Completed, Some(completed))
        }
    };
    let resolved = OrderFact::DisputeResolved {
        workshop_id,
        resolution,
        note,
        state,
    };
    Ok([resolved].into_iter().chain(ending).collect())
}

#[cfg(test)]
mod tests {
    use crate::order::scenario::*;
    use crate::order::{
        CancelledFrom, DisputedFrom, InvitationStatus, OrderCommand, OrderFact, OrderState,
        Refusal, Resolution, ResolveDispute, ResolvedState, StageStatus,
    };
    use crate::value::{Fault, FaultKind, Note};

    const STAGES: [&str; 3] = ["Sketch!", "Make!", "Oil"];

    /// The first stage is approved, the second waits to be.
    fn under_way() -> Vec<OrderFact> {
        let mut history = alder_works(&STAGES);
        history.extend([marked(1, &STAGES), approved(1, &STAGES), marked(2, &STAGES)]);
        history
    }

    fn in_dispute(mut history: Vec<OrderFact>, from: DisputedFrom) -> Given {
        history.push(disputed(from, by(ALDER)));
        given(history)
    }

    #[test]
    fn resumed_work_goes_on_exactly_where_it_was() {
        let before = given(under_way()).order;
        let order = in_dispute(under_way(), DisputedFrom::InProgress)
            .when(OPERATOR, resolve(Resolution::Resume))
            .then([resolved(Resolution::Resume, ResolvedState::InProgress)]);
        assert_eq!(order.state(), Some(OrderState::InProgress));
        assert_eq!(order.work(), before.work());
        assert_eq!(order.current_stage(), Some(stage(2)));
        assert_eq!(order.dispute(), None);
        let current = order.work().unwrap().first_open().unwrap();
        assert_eq!(current.status, StageStatus::AwaitingApproval);
    }

    #[test]
    fn resumed_finished_work_waits_to_be_accepted_and_is_not_finished_again() {
        let order = in_dispute(alder_finished(), DisputedFrom::Finished)
            .when(OPERATOR, resolve(Resolution::Resume))
            .then([resolved(Resolution::Resume, ResolvedState::Finished)]);
        assert_eq!(order.state(), Some(OrderState::Finished));
    }

    #[test]
    fn what_was_resumed_can_be_disputed_again() {
        let mut history = under_way();
        history.extend([
            disputed(DisputedFrom::InProgress, COMMISSIONER),
            resolved(Resolution::Resume, ResolvedState::InProgress),
        ]);
        given(history)
            .when(by(ALDER), cancel())
            .then([disputed(DisputedFrom::InProgress, by(ALDER))]);
    }

    #[test]
    fn a_dispute_that_ends_in_cancelling_tells_its_reason_and_where_it_came_from() {
        for (history, disputed_from, cancelled_from) in [
            (
                under_way(),
                DisputedFrom::InProgress,
                CancelledFrom::InProgress,
            ),
            (
                alder_finished(),
                DisputedFrom::Finished,
                CancelledFrom::Finished,
            ),
        ] {
            let before = given(history.clone()).order;
            let order = in_dispute(history, disputed_from)
                .when(OPERATOR, resolve(Resolution::Cancel))
                .then([
                    resolved(Resolution::Cancel, ResolvedState::Cancelled),
                    cancelled_by_dispute(cancelled_from),
                ]);
            assert_eq!(order.state(), Some(OrderState::Cancelled));
            assert_eq!(order.work(), before.work());
            assert_eq!(order.current_stage(), None);
            let seat = order.invitation(ALDER).unwrap();
            assert_eq!(seat.status(), InvitationStatus::Confirmed);
        }
    }

    #[test]
    fn a_dispute_that_ends_in_completing_leaves_the_stages() {
        let before = given(under_way()).order;
        let order = in_dispute(under_way(), DisputedFrom::InProgress)
            .when(OPERATOR, resolve(Resolution::Complete))
            .then([
                resolved(Resolution::Complete, ResolvedState::Completed),
                completed(),
            ]);
        assert_eq!(order.state(), Some(OrderState::Completed));
        assert_eq!(order.work(), before.work());
        assert_eq!(order.current_stage(), None);
    }

    #[test]
    fn only_an_operator_resolves() {
        let order = in_dispute(under_way(), DisputedFrom::InProgress);
        for actor in [COMMISSIONER, by(ALDER), by(BIRCH), ANALYST] {
            order.when(actor, resolve(Resolution::Complete)).refused(
                "FORBIDDEN",
                Refusal::Forbidden {
                    role: actor.role,
                    by: "an operator",
                },
            );
        }
    }

    #[test]
    fn there_is_nothing_to_resolve_without_a_dispute() {
        for history in [alder_offered(), under_way(), alder_finished()] {
            given(history)
                .when(OPERATOR, resolve(Resolution::Resume))
                .refused("ILLEGAL_TRANSITION", Refusal::IllegalTransition);
        }
    }

    #[test]
    fn a_resolution_and_a_note_are_required() {
        assert_eq!(
            ResolveDispute::parse(None, None),
            Err(vec![
                Fault::new("/resolution", FaultKind::Missing),
                Fault::new("/note", FaultKind::Missing),
            ])
        );
        for odd in ["Resume", "", "reopen"] {
            assert_eq!(
                ResolveDispute::parse(Some(odd), Some("Both were heard.")),
                Err(vec![Fault::new(
                    "/resolution",
                    FaultKind::UnknownResolution
                )])
            );
        }
        for resolution in [Resolution::Resume, Resolution::Cancel, Resolution::Complete] {
            assert_eq!(
                ResolveDispute::parse(Some(resolution.as_str()), Some(" Both were heard. ")),
                Ok(ResolveDispute {
                    resolution,
                    note: Note::parse("Both were heard.").unwrap(),
                })
            );
        }
    }

    #[test]
    fn in_a_dispute_nobody_does_anything_else() {
        let order = in_dispute(under_way(), DisputedFrom::InProgress);
        for command in [
            complete(2),
            approve(2),
            request_changes(2),
            OrderCommand::AcceptWork,
            cancel(),
        ] {
            order
                .when(OPERATOR, command)
                .refused("ILLEGAL_TRANSITION", Refusal::IllegalTransition);
        }
    }
}
