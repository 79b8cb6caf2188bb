//! The commissioner changes what is asked for.

use super::negotiating;
use crate::order::{EditRequest, Order, OrderFact, Refusal};
use crate::value::RequestRevision;

/// The request may have one revision more.
pub(super) fn possible(order: &Order) -> Result<(), Refusal> {
    check_revision(negotiating(order)?.request().revision.next())
}

fn check_revision(next: RequestRevision) -> Result<(), Refusal> {
    if next > RequestRevision::LAST {
        let most = RequestRevision::LAST.get();
        return Err(Refusal::RevisionLimit { most });
    }
    Ok(())
}

pub(super) fn decide(order: &Order, command: EditRequest) -> Result<Vec<OrderFact>, Refusal> {
    let placement = negotiating(order)?;
    let (request, changed) = command.edit.apply(placement.request());
    if changed.is_empty() {
        return Err(Refusal::NothingToChange);
    }
    check_revision(request.revision)?;
    Ok(vec![OrderFact::RequestEdited { request, changed }])
}

#[cfg(test)]
mod tests {
    use crate::order::scenario::*;
    use crate::order::{EditRequest, OrderFact, Refusal};
    use crate::value::{
        Fault, FaultKind, MoneyInput, OfferRevision, Outdated, Request, RequestEditInput,
        RequestField, RequestRevision,
    };

    fn revision(number: i64) -> RequestRevision {
        RequestRevision::parse(number).unwrap()
    }

    /// An edit that says again what the request says.
    fn restated() -> RequestEditInput {
        let input = request_input();
        RequestEditInput {
            title: Some(input.title),
            brief: Some(input.brief),
            budget: Some(input.budget),
            deadline: Some(input.deadline),
        }
    }

    #[test]
    fn an_edit_raises_the_revision_and_names_what_has_changed() {
        let order = given(alder_offered())
            .when(COMMISSIONER, retitle("Elm table"))
            .then([retitled("Elm table", 2)]);
        let request = order.placement().unwrap().request();
        assert_eq!(request.title.as_str(), "Elm table");
        assert_eq!(request.revision, revision(2));
    }

    #[test]
    fn a_request_has_a_hundred_revisions() {
        let at = |revision| {
            given([placed(&[ALDER]), retitled("Ash table", revision)])
                .when(COMMISSIONER, retitle("Elm table"))
        };
        at(99).then([retitled("Elm table", 100)]);
        at(100).refused("REVISION_LIMIT", Refusal::RevisionLimit { most: 100 });
    }

    #[test]
    fn each_part_can_be_edited_and_only_what_differs_has_changed() {
        let said = |text: &str| Some(Some(text.to_owned()));
        let deadline = minute(20_000).to_rfc3339();
        let edits = [
            (
                RequestField::Title,
                RequestEditInput {
                    title: said("Elm table"),
                    ..restated()
                },
            ),
            (
                RequestField::Brief,
                RequestEditInput {
                    brief: said("For ten."),
                    ..restated()
                },
            ),
            (
                RequestField::Budget,
                RequestEditInput {
                    budget: Some(Some(money("1250.01", "EUR"))),
                    ..restated()
                },
            ),
            (
                RequestField::Deadline,
                RequestEditInput {
                    deadline: said(&deadline),
                    ..restated()
                },
            ),
        ];
        for (field, input) in edits {
            let order = given(alder_offered());
            let events = order.when(COMMISSIONER, edit(input)).outcome.unwrap();
            let [event] = events.as_slice() else {
                panic!("{events:?}")
            };
            let OrderFact::RequestEdited { request, changed } = &event.fact else {
                panic!("{event:?}")
            };
            assert_eq!(changed, &[field]);
            assert_ne!(request, &self::request());
        }
    }

    #[test]
    fn what_is_left_out_stays() {
        let order = given([placed(&[ALDER]), retitled("Elm table", 2)])
            .when(
                COMMISSIONER,
                edit(RequestEditInput {
                    budget: Some(Some(money("99", "USD"))),
                    ..RequestEditInput::default()
                }),
            )
            .outcome
            .unwrap();
        let OrderFact::RequestEdited { request, changed } = &order[0].fact else {
            panic!("{order:?}")
        };
        assert_eq!(changed, &[RequestField::Budget]);
        assert_eq!(
            request,
            &Request {
                title: request.title.clone(),
                budget: request.budget,
                revision: revision(3),
                ..self::request()
            }
        );
        assert_eq!(request.title.as_str(), "Elm table");
        assert_eq!(request.budget.to_string(), "99.00 USD");
    }

    #[test]
    fn an_edit_that_changes_nothing_once_normalised_is_refused() {
        let normalised = RequestEditInput {
            title: Some(Some(" Oak table\n".to_owned())),
            budget: Some(Some(money("1250.00", "EUR"))),
            deadline: Some(Some(
                minute(10_000).to_rfc3339().replace("+00:00", "-00:00"),
            )),
            ..RequestEditInput::default()
        };
        for input in [RequestEditInput::default(), restated(), normalised] {
            given(alder_offered())
                .when(COMMISSIONER, edit(input))
                .refused("NOTHING_TO_CHANGE", Refusal::NothingToChange);
        }
    }

    #[test]
    fn offers_that_stand_are_outdated_by_it_but_stand() {
        let order = given(alder_offered())
            .when(COMMISSIONER, retitle("Elm table"))
            .then([retitled("Elm table", 2)]);
        let seat = order.invitation(ALDER).unwrap();
        assert_eq!(seat.standing_offer(), Some(&terms(&["Make"])));
        assert_eq!(
            seat.outdated(revision(2), minute(100)),
            Some(Outdated::RequestRevised)
        );
        assert_eq!(
            seat.standing_offer().unwrap().offer_revision,
            OfferRevision::FIRST
        );
    }

    #[test]
    fn an_edit_opens_no_round_and_closes_none() {
        for history in [
            vec![placed(&[ALDER, BIRCH])],
            vec![placed(&[ALDER]), submitted(ALDER, &["Make"])],
        ] {
            given(history)
                .when(COMMISSIONER, retitle("Elm table"))
                .then([retitled("Elm table", 2)]);
        }
    }

    #[test]
    fn a_passed_deadline_is_no_deadline() {
        let command = edit(restated());
        given(alder_offered())
            .at(minute(10_000))
            .when(COMMISSIONER, command)
            .refused(
                "VALIDATION_FAILED",
                Refusal::Invalid {
                    faults: vec![Fault::new("/deadline", FaultKind::DeadlinePassed)],
                },
            );
        // Left alone, the request's own deadline may have passed long ago.
        given(alder_offered())
            .at(minute(10_000))
            .when(COMMISSIONER, retitle("Elm table"))
            .then([retitled("Elm table", 2)]);
    }

    #[test]
    fn the_request_is_settled_once_an_offer_is_confirmed() {
        for history in [alder_works(&["Make"]), alder_finished()] {
            given(history)
                .when(COMMISSIONER, retitle("Elm table"))
                .refused("ILLEGAL_TRANSITION", Refusal::IllegalTransition);
        }
    }

    #[test]
    fn every_fault_is_told_and_null_is_one() {
        let faults = |input| EditRequest::parse(input, minute(0)).unwrap_err();
        let null = || RequestEditInput {
            title: Some(None),
            brief: Some(None),
            budget: Some(None),
            deadline: Some(None),
        };
        assert_eq!(
            faults(null()),
            ["/title", "/brief", "/budget", "/deadline"]
                .map(|pointer| Fault::new(pointer, FaultKind::Null))
        );
        let broken = RequestEditInput {
            title: Some(Some(" ".to_owned())),
            budget: Some(Some(MoneyInput::default())),
            deadline: Some(Some(minute(0).to_rfc3339())),
            ..null()
        };
        assert_eq!(
            faults(broken),
            [
                Fault::new(
                    "/title",
                    FaultKind::TextLength {
                        max: 200,
                        actual: 0
                    }
                ),
                Fault::new("/brief", FaultKind::Null),
                Fault::new("/budget/amount", FaultKind::Missing),
                Fault::new("/budget/currency", FaultKind::Missing),
                Fault::new("/deadline", FaultKind::DeadlinePassed),
            ]
        );
    }
}
