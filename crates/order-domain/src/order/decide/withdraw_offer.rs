//! A workshop takes its offer back.

use kernel::WorkshopId;

use super::{negotiating, standing_offer};
use crate::order::{Order, OrderFact, Placement, Refusal, WithdrawOffer};

/// The negotiation in which the workshop has an offer that stands.
pub(super) fn possible(order: &Order, workshop_id: WorkshopId) -> Result<&Placement, Refusal> {
    let placement = negotiating(order)?;
    standing_offer(placement, workshop_id)?;
    Ok(placement)
}

pub(super) fn decide(order: &Order, command: WithdrawOffer) -> Result<Vec<OrderFact>, Refusal> {
    let WithdrawOffer {
        workshop_id,
        reason,
    } = command;
    let placement = possible(order, workshop_id)?;
    let withdrawn = OrderFact::OfferWithdrawn {
        workshop_id,
        reason,
    };
    let mut others = placement
        .invitations()
        .iter()
        .filter(|seat| seat.workshop_id() != workshop_id);
    let nobody_is_left = !others.any(|seat| seat.is_open());
    let closed = nobody_is_left.then_some(OrderFact::AllInvitationsClosed {});
    Ok([withdrawn].into_iter().chain(closed).collect())
}

#[cfg(test)]
mod tests {
    use crate::order::scenario::*;
    use crate::order::{InvitationStatus, OrderCommand, OrderFact, Refusal, WithdrawOffer};
    use crate::value::{Fault, FaultKind};

    #[test]
    fn an_offer_taken_back_stands_no_more_and_is_not_shown() {
        let order = given(alder_offered())
            .when(by(ALDER), withdraw(ALDER))
            .then([withdrawn(ALDER)]);
        let seat = order.invitation(ALDER).unwrap();
        assert_eq!(seat.status(), InvitationStatus::Withdrawn);
        assert_eq!(seat.offer(), None);
        assert_eq!(seat.standing_offer(), None);
    }

    #[test]
    fn the_last_withdrawal_after_the_round_tells_that_nothing_is_left() {
        let history = [
            placed(&[ALDER, BIRCH]),
            submitted(ALDER, &["Make"]),
            declined(BIRCH),
        ];
        given(history)
            .when(by(ALDER), withdraw(ALDER))
            .then([withdrawn(ALDER), OrderFact::AllInvitationsClosed {}]);
    }

    #[test]
    fn a_withdrawal_tells_nothing_more_while_another_offer_stands() {
        let history = [
            placed(&[ALDER, BIRCH]),
            submitted(ALDER, &["Make"]),
            submitted(BIRCH, &["Make"]),
        ];
        given(history.clone())
            .when(by(ALDER), withdraw(ALDER))
            .then([withdrawn(ALDER)]);
        let mut history = history.to_vec();
        history.push(withdrawn(ALDER));
        given(history)
            .when(by(BIRCH), withdraw(BIRCH))
            .then([withdrawn(BIRCH), OrderFact::AllInvitationsClosed {}]);
    }

    #[test]
    fn a_round_that_a_withdrawal_left_open_is_closed_by_its_last_answer() {
        let history = [
            placed(&[ALDER, BIRCH]),
            submitted(ALDER, &["Make"]),
            withdrawn(ALDER),
        ];
        let order = given(history);
        order
            .when(by(BIRCH), decline(BIRCH))
            .then([declined(BIRCH), OrderFact::AllInvitationsClosed {}]);
        order.when(by(BIRCH), submit(BIRCH, &["Make"])).then([
            submitted(BIRCH, &["Make"]),
            OrderFact::AllResponsesReceived {
                standing: vec![BIRCH],
            },
        ]);
    }

    #[test]
    fn an_outdated_offer_may_be_taken_back() {
        let mut history = alder_offered();
        history.push(retitled("Elm table", 2));
        given(history)
            .at(minute(5_000))
            .when(by(ALDER), withdraw(ALDER))
            .then([withdrawn(ALDER)]);
    }

    #[test]
    fn revisions_go_on_after_a_second_chance() {
        let history = [
            placed(&[ALDER, BIRCH]),
            submitted(ALDER, &["Make"]),
            withdrawn(ALDER),
            invited(&[ALDER]),
        ];
        given(history)
            .when(by(ALDER), submit(ALDER, &["Make"]))
            .then([OrderFact::OfferSubmitted {
                workshop_id: ALDER,
                offer: terms_at(&["Make"], 1, 2),
            }]);
    }

    #[test]
    fn only_an_offer_that_stands_is_taken_back() {
        let history = [
            placed(&[ALDER, BIRCH, CEDAR]),
            submitted(ALDER, &["Make"]),
            withdrawn(ALDER),
            declined(BIRCH),
        ];
        for (workshop_id, status) in [
            (ALDER, InvitationStatus::Withdrawn),
            (BIRCH, InvitationStatus::Declined),
            (CEDAR, InvitationStatus::Pending),
        ] {
            given(history.clone())
                .when(by(workshop_id), withdraw(workshop_id))
                .refused(
                    "OFFER_NOT_STANDING",
                    Refusal::OfferNotStanding {
                        workshop_id,
                        status,
                    },
                );
        }
    }

    #[test]
    fn a_confirmed_offer_binds() {
        given(alder_works(&["Make"]))
            .when(by(ALDER), withdraw(ALDER))
            .refused("ILLEGAL_TRANSITION", Refusal::IllegalTransition);
    }

    #[test]
    fn a_reason_may_be_left_out_but_not_left_blank() {
        let command = WithdrawOffer::parse(ALDER, None).unwrap();
        given(alder_offered())
            .when(by(ALDER), OrderCommand::WithdrawOffer(command))
            .then([OrderFact::OfferWithdrawn {
                workshop_id: ALDER,
                reason: None,
            }]);
        assert_eq!(
            WithdrawOffer::parse(ALDER, Some("\t")),
            Err(vec![Fault::new(
                "/reason",
                FaultKind::TextLength {
                    max: 2_000,
                    actual: 0
                },
            )])
        );
    }
}
