//! An invited workshop answers with no.

use kernel::WorkshopId;

use super::{negotiating, pending_seat, round_closed};
use crate::order::{DeclineInvitation, Order, OrderFact, Placement, Refusal};

/// The negotiation in which the workshop has an invitation to answer.
pub(super) fn possible(order: &Order, workshop_id: WorkshopId) -> Result<&Placement, Refusal> {
    let placement = negotiating(order)?;
    pending_seat(placement, workshop_id)?;
    Ok(placement)
}

pub(super) fn decide(order: &Order, command: DeclineInvitation) -> Result<Vec<OrderFact>, Refusal> {
    let DeclineInvitation {
        workshop_id,
        reason,
    } = command;
    let placement = possible(order, workshop_id)?;
    let declined = OrderFact::InvitationDeclined {
        workshop_id,
        reason,
    };
    let closed = round_closed(placement, workshop_id, false);
    Ok([declined].into_iter().chain(closed).collect())
}

#[cfg(test)]
mod tests {
    use crate::order::scenario::*;
    use crate::order::{DeclineInvitation, InvitationStatus, OrderCommand, OrderFact, Refusal};
    use crate::value::{Fault, FaultKind};

    #[test]
    fn a_declined_seat_shows_no_offer_and_the_round_goes_on() {
        let order = given(alder_offered())
            .when(by(BIRCH), decline(BIRCH))
            .then([declined(BIRCH)]);
        let seat = order.invitation(BIRCH).unwrap();
        assert_eq!(seat.status(), InvitationStatus::Declined);
        assert_eq!(seat.offer(), None);
    }

    #[test]
    fn the_last_answer_closes_a_round_in_which_an_offer_stands() {
        let mut history = alder_offered();
        history.push(declined(CEDAR));
        given(history).when(by(BIRCH), decline(BIRCH)).then([
            declined(BIRCH),
            OrderFact::AllResponsesReceived {
                standing: vec![ALDER],
            },
        ]);
    }

    #[test]
    fn the_last_answer_closes_a_round_in_which_no_offer_stands() {
        given([placed(&[ALDER, BIRCH]), declined(ALDER)])
            .when(by(BIRCH), decline(BIRCH))
            .then([declined(BIRCH), OrderFact::AllInvitationsClosed {}]);
    }

    #[test]
    fn a_reason_may_be_left_out_but_not_left_blank() {
        let command = DeclineInvitation::parse(ALDER, None).unwrap();
        given([placed(&[ALDER, BIRCH])])
            .when(by(ALDER), OrderCommand::DeclineInvitation(command))
            .then([OrderFact::InvitationDeclined {
                workshop_id: ALDER,
                reason: None,
            }]);
        assert_eq!(
            DeclineInvitation::parse(ALDER, Some(" ")),
            Err(vec![Fault::new(
                "/reason",
                FaultKind::TextLength {
                    max: 2_000,
                    actual: 0
                },
            )])
        );
    }

    #[test]
    fn only_a_pending_invitation_can_be_declined() {
        let mut history = alder_offered();
        history.push(declined(BIRCH));
        for (workshop_id, status) in [
            (ALDER, InvitationStatus::Offered),
            (BIRCH, InvitationStatus::Declined),
        ] {
            given(history.clone())
                .when(by(workshop_id), decline(workshop_id))
                .refused(
                    "INVITATION_NOT_OPEN",
                    Refusal::InvitationNotOpen {
                        workshop_id,
                        status,
                    },
                );
        }
    }

    #[test]
    fn nothing_can_be_declined_after_the_negotiation() {
        given(alder_works(&["Make"]))
            .when(by(BIRCH), decline(BIRCH))
            .refused("ILLEGAL_TRANSITION", Refusal::IllegalTransition);
    }
}
