//! Somebody ends the order: at once while it is negotiated, by a dispute once work was agreed.

use kernel::Actor;

use crate::order::{CancelOrder, CancelledFrom, DisputedFrom, Order, OrderFact, Refusal, Work};

/// What there is to be cancelled: agreed work and the state that it is in, or the negotiation.
pub(super) const fn possible(order: &Order) -> Result<Option<(&Work, DisputedFrom)>, Refusal> {
    match order {
        Order::Negotiating { .. } => Ok(None),
        Order::InProgress { work, .. } => Ok(Some((work, DisputedFrom::InProgress))),
        Order::Finished { work, .. } => Ok(Some((work, DisputedFrom::Finished))),
        Order::NotPlaced
        | Order::Disputed { .. }
        | Order::Completed { .. }
        | Order::Cancelled { .. } => Err(Refusal::IllegalTransition),
    }
}

pub(super) fn decide(
    order: &Order,
    command: CancelOrder,
    actor: Actor,
) -> Result<Vec<OrderFact>, Refusal> {
    let reason = command.reason;
    Ok(vec![match possible(order)? {
        None => OrderFact::OrderCancelled {
            workshop_id: None,
            reason,
            cancelled_from: CancelledFrom::Negotiating,
            by_dispute: false,
        },
        Some((work, from)) => OrderFact::CancellationDisputed {
            workshop_id: work.workshop_id(),
            reason,
            from,
            opened_by: actor,
        },
    }])
}

#[cfg(test)]
mod tests {
    use crate::order::scenario::*;
    use crate::order::{CancelOrder, DisputedFrom, InvitationStatus, OrderState, Refusal};
    use crate::value::{Fault, FaultKind};

    #[test]
    fn an_order_under_negotiation_ends_at_once_and_passes_over_open_seats() {
        let mut history = alder_offered();
        history.push(declined(BIRCH));
        let order = given(history)
            .when(COMMISSIONER, cancel())
            .then([cancelled()]);
        assert_eq!(order.state(), Some(OrderState::Cancelled));
        assert_eq!(order.terms(), None);
        let seats = order.placement().unwrap().invitations();
        assert_eq!(
            seats.iter().map(|seat| seat.status()).collect::<Vec<_>>(),
            [
                InvitationStatus::NotSelected,
                InvitationStatus::Declined,
                InvitationStatus::NotSelected,
            ]
        );
    }

    #[test]
    fn either_side_and_an_operator_may_dispute_agreed_work() {
        for (history, from) in [
            (alder_works(&["Make"]), DisputedFrom::InProgress),
            (alder_finished(), DisputedFrom::Finished),
        ] {
            for actor in [COMMISSIONER, by(ALDER), OPERATOR] {
                let order = given(history.clone())
                    .when(actor, cancel())
                    .then([disputed(from, actor)]);
                assert_eq!(order.state(), Some(OrderState::Disputed));
                let dispute = order.dispute().unwrap();
                assert_eq!(dispute.opened_by, actor);
                assert_eq!(dispute.reason, reason());
                assert_eq!(dispute.opened_at, minute(100));
                assert_eq!(dispute.from, from);
            }
        }
    }

    #[test]
    fn a_dispute_keeps_the_stages_exactly_as_they_stood() {
        let stages = ["Make", "Oil!", "Deliver"];
        let mut history = alder_works(&stages);
        history.extend([marked(1, &stages), marked(2, &stages)]);
        let before = given(history);
        let order = before
            .when(COMMISSIONER, cancel())
            .then([disputed(DisputedFrom::InProgress, COMMISSIONER)]);
        assert_eq!(order.work(), before.order.work());
        assert_eq!(order.current_stage(), None);
    }

    #[test]
    fn an_invited_workshop_cannot_end_the_negotiation() {
        given(alder_offered()).when(by(ALDER), cancel()).refused(
            "FORBIDDEN",
            Refusal::Forbidden {
                role: kernel::Role::Workshop,
                by: "its commissioner, its confirmed workshop, or an operator in the \
                     commissioner's place",
            },
        );
    }

    #[test]
    fn what_has_ended_or_is_disputed_cannot_be_cancelled() {
        let with = |mut history: Vec<_>, last| {
            history.push(last);
            given(history)
        };
        let in_progress = disputed(DisputedFrom::InProgress, COMMISSIONER);
        for order in [
            with(alder_offered(), cancelled()),
            with(alder_finished(), completed()),
            with(alder_works(&["Make"]), in_progress),
        ] {
            order
                .when(COMMISSIONER, cancel())
                .refused("ILLEGAL_TRANSITION", Refusal::IllegalTransition);
        }
    }

    #[test]
    fn a_reason_is_required() {
        assert_eq!(
            CancelOrder::parse(None),
            Err(vec![Fault::new("/reason", FaultKind::Missing)])
        );
    }
}
