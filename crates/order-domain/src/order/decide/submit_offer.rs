//! An invited workshop answers with terms.

use kernel::WorkshopId;

use super::{check_answer, negotiating, next_offer_revision, pending_seat, round_closed};
use crate::order::{Order, OrderFact, Refusal, SubmitOffer};

/// The workshop has an invitation to answer, and may put one offer more.
pub(super) fn possible(order: &Order, workshop_id: WorkshopId) -> Result<(), Refusal> {
    let seat = pending_seat(negotiating(order)?, workshop_id)?;
    next_offer_revision(seat).map(drop)
}

pub(super) fn decide(order: &Order, command: SubmitOffer) -> Result<Vec<OrderFact>, Refusal> {
    let SubmitOffer { workshop_id, offer } = command;
    let placement = negotiating(order)?;
    let seat = pending_seat(placement, workshop_id)?;
    let request = placement.request();
    check_answer(request, workshop_id, &offer)?;
    let submitted = OrderFact::OfferSubmitted {
        workshop_id,
        offer: offer.at_revisions(request.revision, next_offer_revision(seat)?),
    };
    let closed = round_closed(placement, workshop_id, true);
    Ok([submitted].into_iter().chain(closed).collect())
}

#[cfg(test)]
mod tests {
    use crate::order::scenario::*;
    use crate::order::{InvitationStatus, OrderFact, Refusal};
    use crate::value::{
        Currency, Fault, FaultKind, MoneyInput, OfferInput, OfferRevision, Outdated, StageInput,
    };

    #[test]
    fn an_offer_answers_the_current_request_and_stands() {
        let order = given([placed(&[ALDER, BIRCH])])
            .when(by(ALDER), submit(ALDER, &["Make"]))
            .then([submitted(ALDER, &["Make"])]);
        let seat = order.invitation(ALDER).unwrap();
        assert_eq!(seat.status(), InvitationStatus::Offered);
        assert_eq!(seat.standing_offer(), Some(&terms(&["Make"])));
    }

    #[test]
    fn the_last_answer_closes_the_round_and_names_the_offers_that_stand() {
        let mut history = alder_offered();
        history.push(declined(BIRCH));
        given(history)
            .when(by(CEDAR), submit(CEDAR, &["Make"]))
            .then([
                submitted(CEDAR, &["Make"]),
                OrderFact::AllResponsesReceived {
                    standing: vec![ALDER, CEDAR],
                },
            ]);
    }

    #[test]
    fn the_round_stays_open_while_somebody_is_pending() {
        given(alder_offered())
            .when(by(CEDAR), submit(CEDAR, &["Make"]))
            .then([submitted(CEDAR, &["Make"])]);
    }

    #[test]
    fn an_operator_may_submit_in_the_workshops_place() {
        given([placed(&[ALDER, BIRCH])])
            .when(OPERATOR, submit(ALDER, &["Make"]))
            .then([submitted(ALDER, &["Make"])]);
    }

    #[test]
    fn only_a_pending_invitation_takes_an_offer() {
        let mut history = alder_offered();
        history.push(declined(BIRCH));
        for (workshop_id, status) in [
            (ALDER, InvitationStatus::Offered),
            (BIRCH, InvitationStatus::Declined),
        ] {
            given(history.clone())
                .when(by(workshop_id), submit(workshop_id, &["Make"]))
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
    fn the_revisions_of_a_seat_end_though_its_offer_was_withdrawn() {
        let mut history = alder_offered();
        history.extend([
            revised(ALDER, &["Make"], 50),
            withdrawn(ALDER),
            invited(&[ALDER]),
        ]);
        given(history)
            .when(by(ALDER), submit(ALDER, &["Make"]))
            .refused("REVISION_LIMIT", Refusal::RevisionLimit { most: 50 });
    }

    #[test]
    fn an_answer_to_another_revision_of_the_request_is_refused() {
        let answering = |revision| {
            let input = OfferInput {
                request_revision: Some(revision),
                ..offer_input(&["Make"])
            };
            given([placed(&[ALDER, BIRCH])]).when(by(ALDER), submit_input(ALDER, input))
        };
        answering(1).then([submitted(ALDER, &["Make"])]);
        answering(2).refused(
            "OFFER_OUTDATED",
            Refusal::OfferOutdated {
                workshop_id: ALDER,
                reason: Outdated::RequestRevised,
            },
        );
    }

    #[test]
    fn an_offer_is_in_the_currency_of_the_request() {
        let input = OfferInput {
            budget: Some(money("1400", "USD")),
            ..offer_input(&["Make"])
        };
        let kind = FaultKind::OfferCurrency {
            expected: Currency::parse("EUR").unwrap(),
        };
        given([placed(&[ALDER])])
            .when(by(ALDER), submit_input(ALDER, input))
            .refused(
                "VALIDATION_FAILED",
                Refusal::Invalid {
                    faults: vec![Fault::new("/budget/currency", kind)],
                },
            );
    }

    #[test]
    fn an_offer_in_the_currency_of_the_request_is_good_though_that_has_left_the_list() {
        for code in ["HRK", "ZWL", "DEM"] {
            let mut placed = serde_json::to_value(placed(&[ALDER])).unwrap();
            placed["request"]["budget"]["currency"] = code.into();
            let placed: OrderFact = serde_json::from_value(placed).unwrap();
            let input = OfferInput {
                budget: Some(money("1400", code)),
                ..offer_input(&["Make"])
            };
            let order = given([placed]);
            let submitted = order.when(by(ALDER), submit_input(ALDER, input));
            assert!(submitted.outcome.is_ok(), "{code}");
            assert!(
                order
                    .when(by(ALDER), submit(ALDER, &["Make"]))
                    .outcome
                    .is_err()
            );
        }
    }

    #[test]
    fn an_offer_may_exceed_budget_and_deadline_of_the_request() {
        let input = OfferInput {
            budget: Some(money("999999999999.99", "EUR")),
            deadline: Some(minute(99_000).to_rfc3339()),
            ..offer_input(&["Make"])
        };
        let order = given([placed(&[ALDER])]).when(by(ALDER), submit_input(ALDER, input.clone()));
        let draft = input.parse("", minute(0)).unwrap();
        let offer = draft.at_revisions(request().revision, OfferRevision::FIRST);
        order.then([
            OrderFact::OfferSubmitted {
                workshop_id: ALDER,
                offer,
            },
            OrderFact::AllResponsesReceived {
                standing: vec![ALDER],
            },
        ]);
    }

    #[test]
    fn a_passed_deadline_is_refused_before_anything_of_the_order_is_told() {
        given([placed(&[ALDER])])
            .at(minute(5_000))
            .when(by(STRANGER), submit(STRANGER, &["Make"]))
            .refused(
                "VALIDATION_FAILED",
                Refusal::Invalid {
                    faults: vec![Fault::new("/deadline", FaultKind::DeadlinePassed)],
                },
            );
    }

    #[test]
    fn no_offer_comes_in_after_the_negotiation() {
        given(alder_works(&["Make"]))
            .when(by(BIRCH), submit(BIRCH, &["Make"]))
            .refused("ILLEGAL_TRANSITION", Refusal::IllegalTransition);
    }

    fn faults(input: OfferInput) -> Vec<Fault> {
        input.parse("", minute(0)).unwrap_err()
    }

    #[test]
    fn an_empty_body_lacks_the_required_fields() {
        assert_eq!(
            faults(OfferInput::default()),
            vec![
                Fault::new("/budget", FaultKind::Missing),
                Fault::new("/deadline", FaultKind::Missing),
                Fault::new("/description", FaultKind::Missing),
            ]
        );
    }

    #[test]
    fn an_offer_without_stages_has_one() {
        for stages in [None, Some(vec![])] {
            let input = OfferInput {
                stages,
                ..offer_input(&[])
            };
            let draft = input.parse("", minute(0)).unwrap();
            let [stage] = draft.stages.as_slice() else {
                panic!("{:?}", draft.stages)
            };
            assert_eq!(stage.name.as_str(), "Commissioned work");
            assert_eq!(stage.description.as_str(), "The work as offered.");
            assert_eq!(stage.duration_days, None);
            assert!(!stage.requires_approval);
        }
    }

    #[test]
    fn approval_and_duration_may_be_left_out() {
        let stage = StageInput {
            name: Some("Make".to_owned()),
            description: Some("All of it.".to_owned()),
            ..StageInput::default()
        };
        let input = OfferInput {
            stages: Some(vec![stage]),
            ..offer_input(&[])
        };
        let draft = input.parse("", minute(0)).unwrap();
        assert!(!draft.stages.as_slice()[0].requires_approval);
        assert_eq!(draft.stages.as_slice()[0].duration_days, None);
    }

    #[test]
    fn an_offer_has_up_to_twenty_stages() {
        let names: Vec<_> = (0..21).map(|n| format!("Stage {n}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert!(offer_input(&names[..20]).parse("", minute(0)).is_ok());
        assert_eq!(
            faults(offer_input(&names)),
            vec![Fault::new("/stages", FaultKind::StageCount { actual: 21 })]
        );
    }

    #[test]
    fn stage_names_are_unique_once_trimmed() {
        assert_eq!(
            faults(offer_input(&["Make", "Oil", " Make "])),
            vec![Fault::new("/stages/2/name", FaultKind::StageNameTaken)]
        );
        assert!(offer_input(&["Make", "make"]).parse("", minute(0)).is_ok());
    }

    #[test]
    fn every_fault_of_every_stage_is_told() {
        let mut input = offer_input(&["Make", "Oil"]);
        input.budget = Some(MoneyInput::default());
        input.request_revision = Some(0);
        let stages = input.stages.as_mut().unwrap();
        stages[0].duration_days = Some(0);
        stages[1].name = None;
        stages[1].description = Some("x".repeat(2_001));
        stages[1].duration_days = Some(3_651);
        assert_eq!(
            faults(input),
            vec![
                Fault::new("/budget/amount", FaultKind::Missing),
                Fault::new("/budget/currency", FaultKind::Missing),
                Fault::new("/stages/0/durationDays", FaultKind::DurationOutOfRange),
                Fault::new("/stages/1/name", FaultKind::Missing),
                Fault::new(
                    "/stages/1/description",
                    FaultKind::TextLength {
                        max: 2_000,
                        actual: 2_001
                    },
                ),
                Fault::new("/stages/1/durationDays", FaultKind::DurationOutOfRange),
                Fault::new("/requestRevision", FaultKind::RevisionOutOfRange),
            ]
        );
    }
}
