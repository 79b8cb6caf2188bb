//! A workshop puts other terms in the place of those that stand, or affirms outdated ones.

use chrono::{DateTime, Utc};
use kernel::WorkshopId;

use super::{check_answer, negotiating, next_offer_revision, standing_offer};
use crate::order::{Order, OrderFact, Refusal, ReviseOffer};

/// An offer stands, and may have one revision more.
pub(super) fn possible(order: &Order, workshop_id: WorkshopId) -> Result<(), Refusal> {
    let (seat, _) = standing_offer(negotiating(order)?, workshop_id)?;
    next_offer_revision(seat).map(drop)
}

pub(super) fn decide(
    order: &Order,
    command: ReviseOffer,
    at: DateTime<Utc>,
) -> Result<Vec<OrderFact>, Refusal> {
    let ReviseOffer { workshop_id, offer } = command;
    let placement = negotiating(order)?;
    let (seat, standing) = standing_offer(placement, workshop_id)?;
    let request = placement.request();
    check_answer(request, workshop_id, &offer)?;
    if standing.are_those_of(&offer) && standing.outdated(request.revision, at).is_none() {
        return Err(Refusal::NothingToChange);
    }
    Ok(vec![OrderFact::OfferRevised {
        workshop_id,
        offer: offer.at_revisions(request.revision, next_offer_revision(seat)?),
    }])
}

#[cfg(test)]
mod tests {
    use crate::order::scenario::*;
    use crate::order::{InvitationStatus, Order, OrderCommand, OrderFact, Refusal};
    use crate::value::{Currency, Fault, FaultKind, OfferInput, Outdated, StageInput};

    fn alder_edited() -> Vec<OrderFact> {
        let mut history = alder_offered();
        history.push(retitled("Elm table", 2));
        history
    }

    #[test]
    fn other_terms_take_the_place_of_those_that_stood() {
        let order = given(alder_offered())
            .when(by(ALDER), revise(ALDER, &["Make", "Oil"]))
            .then([revised(ALDER, &["Make", "Oil"], 2)]);
        let seat = order.invitation(ALDER).unwrap();
        assert_eq!(seat.status(), InvitationStatus::Offered);
        assert_eq!(
            seat.standing_offer(),
            Some(&terms_at(&["Make", "Oil"], 1, 2))
        );
    }

    #[test]
    fn an_offer_has_fifty_revisions() {
        let at = |revision| {
            let mut history = alder_offered();
            history.push(revised(ALDER, &["Make"], revision));
            given(history).when(by(ALDER), revise(ALDER, &["Oil"]))
        };
        at(49).then([revised(ALDER, &["Oil"], 50)]);
        at(50).refused("REVISION_LIMIT", Refusal::RevisionLimit { most: 50 });
    }

    #[test]
    fn terms_change_with_any_of_their_parts() {
        let stage = StageInput {
            duration_days: Some(15),
            ..offer_input(&["Make"]).stages.unwrap().remove(0)
        };
        for input in [
            OfferInput {
                budget: Some(money("1400.51", "EUR")),
                ..offer_input(&["Make"])
            },
            OfferInput {
                deadline: Some(minute(5_001).to_rfc3339()),
                ..offer_input(&["Make"])
            },
            OfferInput {
                description: Some("Solid elm, oiled.".to_owned()),
                ..offer_input(&["Make"])
            },
            OfferInput {
                stages: Some(vec![stage]),
                ..offer_input(&["Make"])
            },
        ] {
            let events = given(alder_offered())
                .when(by(ALDER), revise_input(ALDER, input))
                .outcome
                .unwrap();
            assert_eq!(events.len(), 1);
            assert_eq!(events[0].fact.event_type(), "OfferRevised");
        }
    }

    #[test]
    fn the_same_terms_again_change_nothing() {
        let spelt_otherwise = OfferInput {
            budget: Some(money("01400.5", "EUR")),
            description: Some(" Solid oak, oiled.\n".to_owned()),
            request_revision: Some(1),
            ..offer_input(&["Make"])
        };
        for command in [
            revise(ALDER, &["Make"]),
            revise_input(ALDER, spelt_otherwise),
        ] {
            given(alder_offered())
                .when(by(ALDER), command)
                .refused("NOTHING_TO_CHANGE", Refusal::NothingToChange);
        }
    }

    #[test]
    fn the_same_terms_again_affirm_an_offer_that_an_edit_outdated() {
        let affirmed = OrderFact::OfferRevised {
            workshop_id: ALDER,
            offer: terms_at(&["Make"], 2, 2),
        };
        let order = given(alder_edited())
            .when(by(ALDER), revise(ALDER, &["Make"]))
            .then([affirmed.clone()]);
        let request = order.placement().unwrap().request();
        let seat = order.invitation(ALDER).unwrap();
        assert_eq!(seat.outdated(request.revision, minute(100)), None);

        let mut history = alder_edited();
        history.push(affirmed);
        given(history)
            .when(by(ALDER), revise(ALDER, &["Make"]))
            .refused("NOTHING_TO_CHANGE", Refusal::NothingToChange);
    }

    #[test]
    fn an_outdated_offer_is_confirmed_only_once_it_is_revised() {
        given(alder_edited())
            .when(COMMISSIONER, confirm(ALDER))
            .refused(
                "OFFER_OUTDATED",
                Refusal::OfferOutdated {
                    workshop_id: ALDER,
                    reason: Outdated::RequestRevised,
                },
            );
        let mut history = alder_edited();
        history.push(OrderFact::OfferRevised {
            workshop_id: ALDER,
            offer: terms_at(&["Make"], 2, 2),
        });
        given(history)
            .when(COMMISSIONER, confirm(ALDER))
            .then([OrderFact::OfferConfirmed {
                workshop_id: ALDER,
                terms: terms_at(&["Make"], 2, 2),
                not_selected: vec![BIRCH, CEDAR],
            }]);
    }

    #[test]
    fn an_offer_whose_deadline_has_passed_needs_a_later_one() {
        let late = given(alder_offered()).at(minute(5_000));
        late.when(by(ALDER), revise(ALDER, &["Make"])).refused(
            "VALIDATION_FAILED",
            Refusal::Invalid {
                faults: vec![Fault::new("/deadline", FaultKind::DeadlinePassed)],
            },
        );
        let later = OfferInput {
            deadline: Some(minute(5_001).to_rfc3339()),
            ..offer_input(&["Make"])
        };
        let order = late.when(by(ALDER), revise_input(ALDER, later));
        assert_eq!(order.outcome.unwrap().len(), 1);
    }

    #[test]
    fn a_revision_answers_the_current_request_in_its_currency() {
        let input = |revision| OfferInput {
            request_revision: Some(revision),
            ..offer_input(&["Make"])
        };
        given(alder_edited())
            .when(by(ALDER), revise_input(ALDER, input(1)))
            .refused(
                "OFFER_OUTDATED",
                Refusal::OfferOutdated {
                    workshop_id: ALDER,
                    reason: Outdated::RequestRevised,
                },
            );
        let dollars = OfferInput {
            budget: Some(money("1400.50", "USD")),
            ..input(2)
        };
        let kind = FaultKind::OfferCurrency {
            expected: Currency::parse("EUR").unwrap(),
        };
        given(alder_edited())
            .when(by(ALDER), revise_input(ALDER, dollars))
            .refused(
                "VALIDATION_FAILED",
                Refusal::Invalid {
                    faults: vec![Fault::new("/budget/currency", kind)],
                },
            );
    }

    #[test]
    fn a_revision_closes_no_round() {
        given([placed(&[ALDER]), submitted(ALDER, &["Make"])])
            .when(by(ALDER), revise(ALDER, &["Oil"]))
            .then([revised(ALDER, &["Oil"], 2)]);
    }

    #[test]
    fn only_an_offer_that_stands_is_revised() {
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
                .when(by(workshop_id), revise(workshop_id, &["Make"]))
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
    fn agreed_terms_are_not_revised() {
        given(alder_works(&["Make"]))
            .when(by(ALDER), revise(ALDER, &["Make", "Oil"]))
            .refused("ILLEGAL_TRANSITION", Refusal::IllegalTransition);
    }

    #[test]
    fn terms_that_are_put_revise_what_stands_and_are_submitted_else() {
        let put =
            |order: &Order, workshop_id| submit(workshop_id, &["Oil"]).revising_what_stands(order);
        let order = given(alder_offered()).order;
        assert_eq!(put(&order, ALDER), revise(ALDER, &["Oil"]));
        for workshop_id in [BIRCH, STRANGER] {
            assert_eq!(put(&order, workshop_id), submit(workshop_id, &["Oil"]));
        }
        let order = given(alder_works(&["Make"])).order;
        assert_eq!(put(&order, ALDER), submit(ALDER, &["Oil"]));
        assert_eq!(put(&Order::NotPlaced, ALDER), submit(ALDER, &["Oil"]));
        let other = OrderCommand::AcceptWork;
        assert_eq!(other.clone().revising_what_stands(&order), other);
    }

    #[test]
    fn the_commissioner_who_names_a_revision_confirms_no_other_terms() {
        let mut history = alder_offered();
        history.push(revised(ALDER, &["Oil"], 2));
        let naming = |revision| {
            let command = crate::order::ConfirmOffer::parse(ALDER, Some(revision)).unwrap();
            given(history.clone()).when(COMMISSIONER, OrderCommand::ConfirmOffer(command))
        };
        naming(1).refused(
            "OFFER_CHANGED",
            Refusal::OfferChanged {
                workshop_id: ALDER,
                current: crate::value::OfferRevision::parse(2).unwrap(),
            },
        );
        let order = naming(2).then([OrderFact::OfferConfirmed {
            workshop_id: ALDER,
            terms: terms_at(&["Oil"], 1, 2),
            not_selected: vec![BIRCH, CEDAR],
        }]);
        assert_eq!(order.terms(), Some(&terms_at(&["Oil"], 1, 2)));
    }
}
