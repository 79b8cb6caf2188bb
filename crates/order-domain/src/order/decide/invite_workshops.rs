//! The commissioner invites more workshops, or gives some a second chance.

use kernel::WorkshopId;

use super::{check_directory, negotiating};
use crate::order::{Context, Invitation, InviteWorkshops, Order, OrderFact, Placement, Refusal};
use crate::value::{Fault, FaultKind, Invitees, MAX_SEATS, is_oneself};

/// Somebody could be invited who takes commissions: there is a seat left, or one to be opened again.
pub(super) fn possible(order: &Order) -> Result<(), Refusal> {
    let placement = negotiating(order)?;
    let seats = placement.invitations();
    if seats.iter().all(Invitation::is_open)
        && let Some(fault) = too_many(placement, 1)
    {
        return Err(Refusal::Invalid {
            faults: vec![fault],
        });
    }
    Ok(())
}

pub(super) fn decide(
    order: &Order,
    command: InviteWorkshops,
    context: &Context,
) -> Result<Vec<OrderFact>, Refusal> {
    let placement = negotiating(order)?;
    let invitees = command.workshops;
    let faults = misplaced(placement, &invitees);
    if !faults.is_empty() {
        return Err(Refusal::Invalid { faults });
    }
    check_directory(&invitees, context)?;
    let faults = invitees.objections("/workshops", |id| already_invited(placement, id));
    if !faults.is_empty() {
        return Err(Refusal::AlreadyInvited { faults });
    }
    Ok(vec![OrderFact::WorkshopsInvited {
        workshops: invitees.as_slice().to_vec(),
    }])
}

/// What is wrong with the list itself, once it is known whose order it is and which seats there
/// are: the commissioner is in it, or it is too long.
fn misplaced(placement: &Placement, invitees: &Invitees) -> Vec<Fault> {
    let mut faults = invitees.objections("/workshops", |id| {
        is_oneself(id, placement.commissioner_id()).then_some(FaultKind::OwnId)
    });
    let named = invitees.as_slice().iter();
    let new = named.filter(|id| placement.invitation(**id).is_none());
    faults.extend(too_many(placement, new.count()));
    faults
}

/// So many new seats are more than there is room for.
fn too_many(placement: &Placement, new: usize) -> Option<Fault> {
    let actual = placement.invitations().len() + new;
    let kind = FaultKind::TooManySeats { actual };
    (actual > MAX_SEATS).then(|| Fault::new("/workshops", kind))
}

fn already_invited(placement: &Placement, workshop_id: WorkshopId) -> Option<FaultKind> {
    let seat = placement.invitation(workshop_id)?;
    seat.is_open().then(|| FaultKind::AlreadyInvited {
        workshop_id,
        status: seat.status().as_str(),
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::order::scenario::*;
    use crate::order::{Invitation, InvitationStatus, OrderCommand};

    fn nth(n: usize) -> WorkshopId {
        WorkshopId::from_uuid(Uuid::from_u128(0xffff + n as u128))
    }

    fn nths(range: std::ops::Range<usize>) -> Vec<WorkshopId> {
        range.map(nth).collect()
    }

    fn everyone(workshops: &[WorkshopId]) -> crate::workshop::Directory {
        let entries: Vec<_> = workshops.iter().map(|id| (*id, true)).collect();
        directory(&entries)
    }

    #[test]
    fn a_workshop_gets_a_seat_behind_the_others() {
        let order = given([placed(&[BIRCH])])
            .when(COMMISSIONER, invite(&[CEDAR, ALDER]))
            .then([invited(&[CEDAR, ALDER])]);
        let seats = order.placement().unwrap().invitations();
        let ids: Vec<_> = seats.iter().map(Invitation::workshop_id).collect();
        assert_eq!(ids, [BIRCH, CEDAR, ALDER]);
        assert!(seats.iter().all(Invitation::is_pending));
        assert_eq!(seats[0].invited_at(), minute(1));
        assert_eq!(seats[2].invited_at(), minute(100));
    }

    #[test]
    fn who_declined_or_withdrew_gets_a_second_chance_on_the_same_seat() {
        let history = [
            placed(&[ALDER, BIRCH, CEDAR]),
            submitted(ALDER, &["Make"]),
            withdrawn(ALDER),
            declined(BIRCH),
        ];
        let order = given(history)
            .when(COMMISSIONER, invite(&[BIRCH, ALDER]))
            .then([invited(&[BIRCH, ALDER])]);
        let seats = order.placement().unwrap().invitations();
        assert_eq!(seats.len(), 3);
        for seat in &seats[..2] {
            assert_eq!(seat.status(), InvitationStatus::Pending);
            assert_eq!(seat.offer(), None);
            assert_eq!(seat.invited_at(), minute(100));
        }
    }

    #[test]
    fn an_invitation_opens_a_new_round_which_is_closed_again() {
        let history = [
            placed(&[ALDER]),
            submitted(ALDER, &["Make"]),
            OrderFact::AllResponsesReceived {
                standing: vec![ALDER],
            },
            invited(&[BIRCH, CEDAR]),
        ];
        let order = given(history);
        order
            .when(by(BIRCH), decline(BIRCH))
            .then([declined(BIRCH)]);
        let mut history: Vec<_> = vec![placed(&[ALDER]), submitted(ALDER, &["Make"])];
        history.extend([invited(&[BIRCH, CEDAR]), declined(BIRCH)]);
        given(history).when(by(CEDAR), decline(CEDAR)).then([
            declined(CEDAR),
            OrderFact::AllResponsesReceived {
                standing: vec![ALDER],
            },
        ]);
    }

    #[test]
    fn every_workshop_must_be_there_and_take_commissions() {
        given([placed(&[ALDER])])
            .with_directory(directory(&[(BIRCH, false), (CEDAR, true)]))
            .when(COMMISSIONER, invite(&[CEDAR, BIRCH, STRANGER]))
            .refused(
                "UNKNOWN_WORKSHOP",
                Refusal::UnknownWorkshop {
                    faults: vec![
                        Fault::new(
                            "/workshops/1",
                            FaultKind::TakesNoCommissions { workshop_id: BIRCH },
                        ),
                        Fault::new(
                            "/workshops/2",
                            FaultKind::NotInDirectory {
                                workshop_id: STRANGER,
                            },
                        ),
                    ],
                },
            );
    }

    #[test]
    fn a_workshop_that_closed_keeps_its_seat_and_may_offer() {
        given([placed(&[ALDER, BIRCH])])
            .with_directory(directory(&[(ALDER, false)]))
            .when(by(ALDER), submit(ALDER, &["Make"]))
            .then([submitted(ALDER, &["Make"])]);
    }

    #[test]
    fn nobody_is_invited_where_somebody_is_already() {
        given(alder_offered())
            .with_directory(everyone(&[ALDER, BIRCH, STRANGER]))
            .when(COMMISSIONER, invite(&[ALDER, STRANGER, BIRCH]))
            .refused(
                "ALREADY_INVITED",
                Refusal::AlreadyInvited {
                    faults: vec![
                        Fault::new(
                            "/workshops/0",
                            FaultKind::AlreadyInvited {
                                workshop_id: ALDER,
                                status: "offered",
                            },
                        ),
                        Fault::new(
                            "/workshops/2",
                            FaultKind::AlreadyInvited {
                                workshop_id: BIRCH,
                                status: "pending",
                            },
                        ),
                    ],
                },
            );
    }

    #[test]
    fn an_order_has_up_to_twenty_seats_over_its_life_and_a_second_chance_takes_none() {
        let mut history = vec![placed(&nths(0..19)), declined(nth(3))];
        let directory = everyone(&nths(0..21));
        let inviting = |history: &[OrderFact], workshops: &[WorkshopId]| {
            given(history.to_vec())
                .with_directory(directory.clone())
                .when(COMMISSIONER, invite(workshops))
        };
        inviting(&history, &nths(19..20)).then([invited(&nths(19..20))]);
        let too_many = |actual| Refusal::Invalid {
            faults: vec![Fault::new("/workshops", FaultKind::TooManySeats { actual })],
        };
        inviting(&history, &nths(19..21)).refused("VALIDATION_FAILED", too_many(21));

        history.push(invited(&nths(19..20)));
        inviting(&history, &[nth(3)]).then([invited(&[nth(3)])]);
        inviting(&history, &[nth(3), nth(20)]).refused("VALIDATION_FAILED", too_many(21));
        // How many are named at once matters as little as how often they were invited.
        let all = inviting(&history, &nths(0..20)).outcome.unwrap_err();
        assert_eq!(all.code().as_str(), "ALREADY_INVITED");
    }

    #[test]
    fn a_list_that_no_order_has_room_for_needs_no_look_into_the_directory() {
        let most = invite(&nths(0..MAX_SEATS));
        assert_eq!(most.invites(), nths(0..MAX_SEATS));
        let more = invite(&nths(0..MAX_SEATS + 1));
        assert_eq!(more.invites(), []);
        given([placed(&[ALDER])]).when(COMMISSIONER, more).refused(
            "VALIDATION_FAILED",
            Refusal::Invalid {
                faults: vec![Fault::new(
                    "/workshops",
                    FaultKind::TooManySeats { actual: 22 },
                )],
            },
        );
    }

    #[test]
    fn nobody_invites_themselves() {
        let oneself = WorkshopId::from_uuid(CLIENT.as_uuid());
        given([placed(&[ALDER])])
            .with_directory(everyone(&[BIRCH, oneself]))
            .when(COMMISSIONER, invite(&[BIRCH, oneself]))
            .refused(
                "VALIDATION_FAILED",
                Refusal::Invalid {
                    faults: vec![Fault::new("/workshops/1", FaultKind::OwnId)],
                },
            );
    }

    #[test]
    fn the_list_is_judged_after_the_state() {
        let oneself = WorkshopId::from_uuid(CLIENT.as_uuid());
        given(alder_works(&["Make"]))
            .when(COMMISSIONER, invite(&[oneself, STRANGER, ALDER]))
            .refused("ILLEGAL_TRANSITION", Refusal::IllegalTransition);
    }

    #[test]
    fn a_list_names_different_workshops_and_one_at_least() {
        let faults = |ids: &[&str]| {
            let ids = ids.iter().map(|id| (*id).to_owned()).collect();
            InviteWorkshops::parse(Some(ids)).unwrap_err()
        };
        assert_eq!(
            InviteWorkshops::parse(None),
            Err(vec![Fault::new("/workshops", FaultKind::Missing)])
        );
        assert_eq!(
            faults(&[]),
            [Fault::new("/workshops", FaultKind::SeatCount { actual: 0 })]
        );
        let alder = ALDER.to_string();
        assert_eq!(
            faults(&[&alder, "Birch", &alder]),
            [
                Fault::new("/workshops/1", FaultKind::MalformedId),
                Fault::new("/workshops/2", FaultKind::NamedTwice),
            ]
        );
    }

    #[test]
    fn only_placing_and_inviting_look_into_the_directory() {
        assert_eq!(place(&[ALDER]).invites(), [ALDER]);
        assert_eq!(OrderCommand::AcceptWork.invites(), []);
        assert_eq!(confirm(ALDER).invites(), []);
    }
}
