//! A commissioner asks for a piece, and invites workshops to make offers.

use super::check_directory;
use crate::order::{Context, Order, OrderFact, PlaceOrder, Refusal};
use crate::value::RequestRevision;

pub(super) fn decide(
    order: &Order,
    command: PlaceOrder,
    context: &Context,
) -> Result<Vec<OrderFact>, Refusal> {
    let Order::NotPlaced = order else {
        return Err(Refusal::IllegalTransition);
    };
    check_directory(&command.workshops, context)?;
    Ok(vec![OrderFact::OrderPlaced {
        workshops: command.workshops.as_slice().to_vec(),
        request: command.request.at_revision(RequestRevision::FIRST),
    }])
}

#[cfg(test)]
mod tests {
    use kernel::{Actor, CommissionerId, Role};
    use uuid::Uuid;

    use crate::order::scenario::*;
    use crate::order::{OrderCommand, OrderState, PlaceOrder, PlaceOrderInput, Refusal};
    use crate::value::{Fault, FaultKind, MAX_SEATS, RequestInput};

    #[test]
    fn an_order_begins_with_its_request_and_seats_in_the_order_given() {
        let order = given([])
            .when(COMMISSIONER, place(&[BIRCH, ALDER]))
            .then([placed(&[BIRCH, ALDER])]);
        assert_eq!(order.state(), Some(OrderState::Negotiating));
        let placement = order.placement().unwrap();
        assert_eq!(placement.request(), &request());
        let seats = placement.invitations().iter();
        assert_eq!(
            seats.map(|s| s.workshop_id()).collect::<Vec<_>>(),
            [BIRCH, ALDER]
        );
        assert_eq!(placement.created_at(), minute(100));
        assert_eq!(placement.invitations()[0].invited_at(), minute(100));
    }

    #[test]
    fn every_workshop_must_be_there_and_take_commissions() {
        given([])
            .with_directory(directory(&[(ALDER, true), (BIRCH, false)]))
            .when(COMMISSIONER, place(&[BIRCH, ALDER, CEDAR]))
            .refused(
                "UNKNOWN_WORKSHOP",
                Refusal::UnknownWorkshop {
                    faults: vec![
                        Fault::new(
                            "/workshops/0",
                            FaultKind::TakesNoCommissions { workshop_id: BIRCH },
                        ),
                        Fault::new(
                            "/workshops/2",
                            FaultKind::NotInDirectory { workshop_id: CEDAR },
                        ),
                    ],
                },
            );
    }

    #[test]
    fn only_a_commissioner_places_and_only_for_themselves() {
        for actor in [OPERATOR, ANALYST, by(ALDER), OTHER_COMMISSIONER] {
            given([]).when(actor, place(&[ALDER])).refused(
                "FORBIDDEN",
                Refusal::Forbidden {
                    role: actor.role,
                    by: "the commissioner who places the order",
                },
            );
        }
    }

    #[test]
    fn an_order_is_placed_once() {
        given(alder_offered())
            .when(COMMISSIONER, place(&[ALDER]))
            .refused("ILLEGAL_TRANSITION", Refusal::IllegalTransition);
    }

    #[test]
    fn a_deadline_that_passed_on_the_way_is_refused() {
        let late = given([]).at(minute(10_000));
        late.when(COMMISSIONER, place(&[ALDER])).refused(
            "VALIDATION_FAILED",
            Refusal::Invalid {
                faults: vec![Fault::new("/request/deadline", FaultKind::DeadlinePassed)],
            },
        );
    }

    fn parse(input: PlaceOrderInput) -> Result<PlaceOrder, Vec<Fault>> {
        PlaceOrder::parse(ORDER, CLIENT, input, minute(0))
    }

    fn workshops(ids: impl IntoIterator<Item = String>) -> PlaceOrderInput {
        PlaceOrderInput {
            request: Some(request_input()),
            workshops: Some(ids.into_iter().collect()),
        }
    }

    fn nth(n: usize) -> String {
        Uuid::from_u128(0xffff + n as u128).to_string()
    }

    #[test]
    fn an_empty_body_lacks_both_fields() {
        assert_eq!(
            parse(PlaceOrderInput::default()),
            Err(vec![
                Fault::new("/request", FaultKind::Missing),
                Fault::new("/workshops", FaultKind::Missing),
            ])
        );
    }

    #[test]
    fn all_faults_are_told_at_once_with_a_passed_deadline_among_them() {
        let input = PlaceOrderInput {
            request: Some(RequestInput {
                title: Some(" ".to_owned()),
                brief: None,
                budget: None,
                deadline: Some(minute(0).to_rfc3339()),
            }),
            workshops: Some(vec![]),
        };
        assert_eq!(
            parse(input),
            Err(vec![
                Fault::new(
                    "/request/title",
                    FaultKind::TextLength {
                        max: 200,
                        actual: 0
                    }
                ),
                Fault::new("/request/brief", FaultKind::Missing),
                Fault::new("/request/budget", FaultKind::Missing),
                Fault::new("/request/deadline", FaultKind::DeadlinePassed),
                Fault::new("/workshops", FaultKind::SeatCount { actual: 0 }),
            ])
        );
    }

    #[test]
    fn a_passed_deadline_alone_is_left_to_the_decision() {
        let mut input = workshops([ALDER.to_string()]);
        input.request.as_mut().unwrap().deadline = Some(minute(0).to_rfc3339());
        let command = OrderCommand::PlaceOrder(parse(input).unwrap());
        assert_eq!(
            command.passed_deadline(minute(0)),
            Some(Fault::new("/request/deadline", FaultKind::DeadlinePassed))
        );
        assert_eq!(command.passed_deadline(minute(-1)), None);
    }

    #[test]
    fn a_workshop_takes_one_seat_whatever_the_case_of_its_id() {
        let ids = [
            BIRCH.to_string(),
            ALDER.to_string(),
            ALDER.to_string().to_uppercase(),
        ];
        assert_eq!(
            parse(workshops(ids)),
            Err(vec![Fault::new("/workshops/2", FaultKind::NamedTwice)])
        );
    }

    #[test]
    fn what_is_no_id_is_told_where_it_stands() {
        let simple = ALDER.as_uuid().simple().to_string();
        let ids = [ALDER.to_string(), simple, "Alder & sons".to_owned()];
        assert_eq!(
            parse(workshops(ids)),
            Err(vec![
                Fault::new("/workshops/1", FaultKind::MalformedId),
                Fault::new("/workshops/2", FaultKind::MalformedId),
            ])
        );
    }

    #[test]
    fn an_order_has_up_to_twenty_seats() {
        assert!(parse(workshops((0..MAX_SEATS).map(nth))).is_ok());
        assert_eq!(
            parse(workshops((0..=MAX_SEATS).map(nth))),
            Err(vec![Fault::new(
                "/workshops",
                FaultKind::SeatCount { actual: 21 }
            )])
        );
        let malformed = (1..MAX_SEATS)
            .map(nth)
            .chain(["Alder".to_owned(), "Birch".to_owned()]);
        assert_eq!(
            parse(workshops(malformed)),
            Err(vec![
                Fault::new("/workshops/19", FaultKind::MalformedId),
                Fault::new("/workshops/20", FaultKind::MalformedId),
                Fault::new("/workshops", FaultKind::SeatCount { actual: 21 }),
            ])
        );
        let repeated = (0..MAX_SEATS).map(nth).chain([nth(0)]);
        assert_eq!(
            parse(workshops(repeated)),
            Err(vec![Fault::new("/workshops/20", FaultKind::NamedTwice)])
        );
    }

    #[test]
    fn nobody_invites_themselves() {
        let ids = [ALDER.to_string(), CLIENT.to_string()];
        assert_eq!(
            parse(workshops(ids)),
            Err(vec![Fault::new("/workshops/1", FaultKind::OwnId)])
        );
    }

    #[test]
    fn the_event_names_whoever_placed_the_order() {
        let id = Uuid::from_u128(0x77);
        let place = PlaceOrder::parse(
            ORDER,
            CommissionerId::from_uuid(id),
            workshops([ALDER.to_string()]),
            minute(0),
        );
        let context = crate::order::Context::new(Actor::new(Role::Commissioner, id), minute(0))
            .with_directory(directory(&[(ALDER, true)]));
        let command = OrderCommand::PlaceOrder(place.unwrap());
        let events = crate::order::decide(&crate::order::Order::NotPlaced, command, &context);
        assert_eq!(events.unwrap()[0].commissioner_id.as_uuid(), id);
    }
}
