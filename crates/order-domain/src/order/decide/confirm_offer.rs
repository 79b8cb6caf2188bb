//! The commissioner takes one offer.

use chrono::{DateTime, Utc};
use kernel::WorkshopId;

use super::{negotiating, standing_offer};
use crate::order::{ConfirmOffer, Invitation, Order, OrderFact, Placement, Refusal};
use crate::value::OfferTerms;

/// An offer stands that could be confirmed at the instant `at`, whatever revision is named.
pub(super) fn possible(
    order: &Order,
    workshop_id: WorkshopId,
    at: DateTime<Utc>,
) -> Result<(), Refusal> {
    let placement = negotiating(order)?;
    let (_, terms) = standing_offer(placement, workshop_id)?;
    check_current(placement, workshop_id, terms, at)
}

/// The offer answers the request as it is, and has not expired.
fn check_current(
    placement: &Placement,
    workshop_id: WorkshopId,
    terms: &OfferTerms,
    at: DateTime<Utc>,
) -> Result<(), Refusal> {
    let outdated = terms.outdated(placement.request().revision, at);
    outdated.map_or(Ok(()), |reason| {
        Err(Refusal::OfferOutdated {
            workshop_id,
            reason,
        })
    })
}

pub(super) fn decide(
    order: &Order,
    command: &ConfirmOffer,
    at: DateTime<Utc>,
) -> Result<Vec<OrderFact>, Refusal> {
    let workshop_id = command.workshop_id;
    let placement = negotiating(order)?;
    let (_, terms) = standing_offer(placement, workshop_id)?;
    let current = terms.offer_revision;
    if command.offer_revision.is_some_and(|named| named != current) {
        return Err(Refusal::OfferChanged {
            workshop_id,
            current,
        });
    }
    check_current(placement, workshop_id, terms, at)?;
    let not_selected = placement
        .invitations()
        .iter()
        .filter(|other| other.is_open() && other.workshop_id() != workshop_id)
        .map(Invitation::workshop_id)
        .collect();
    Ok(vec![OrderFact::OfferConfirmed {
        workshop_id,
        terms: terms.clone(),
        not_selected,
    }])
}

#[cfg(test)]
mod tests {
    use crate::order::scenario::*;
    use crate::order::{
        ConfirmOffer, InvitationStatus, OrderCommand, OrderFact, OrderState, Refusal, StageStatus,
    };
    use crate::value::{Fault, FaultKind, OfferRevision, Outdated};

    #[test]
    fn the_terms_become_the_agreed_ones_and_open_seats_are_passed_over() {
        let history = [
            placed(&[ALDER, BIRCH, CEDAR, STRANGER]),
            submitted(ALDER, &["Make", "Oil"]),
            submitted(BIRCH, &["Make"]),
            declined(CEDAR),
        ];
        let order =
            given(history)
                .when(COMMISSIONER, confirm(ALDER))
                .then([OrderFact::OfferConfirmed {
                    workshop_id: ALDER,
                    terms: terms(&["Make", "Oil"]),
                    not_selected: vec![BIRCH, STRANGER],
                }]);
        assert_eq!(order.state(), Some(OrderState::InProgress));
        assert_eq!(order.terms(), Some(&terms(&["Make", "Oil"])));
        let work = order.work().unwrap();
        assert_eq!(work.workshop_id(), ALDER);
        assert!(
            work.stages()
                .all(|stage| stage.status == StageStatus::Pending)
        );
        assert_eq!(order.current_stage(), Some(stage(1)));
        let seats = order.placement().unwrap().invitations();
        assert_eq!(
            seats.iter().map(|seat| seat.status()).collect::<Vec<_>>(),
            [
                InvitationStatus::Confirmed,
                InvitationStatus::NotSelected,
                InvitationStatus::Declined,
                InvitationStatus::NotSelected,
            ]
        );
        assert_eq!(seats[0].offer(), Some(&terms(&["Make", "Oil"])));
        assert_eq!(seats[1].offer(), Some(&terms(&["Make"])));
        assert_eq!(seats[3].offer(), None);
        assert!(seats.iter().all(|seat| seat.standing_offer().is_none()));
    }

    #[test]
    fn an_offer_must_stand() {
        let mut history = alder_offered();
        history.push(declined(BIRCH));
        for (workshop_id, status) in [
            (BIRCH, InvitationStatus::Declined),
            (CEDAR, InvitationStatus::Pending),
        ] {
            given(history.clone())
                .when(COMMISSIONER, confirm(workshop_id))
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
    fn an_offer_cannot_be_taken_from_its_deadline_on() {
        let last_moment = minute(5_000) - chrono::TimeDelta::microseconds(1);
        given(alder_offered())
            .at(last_moment)
            .when(COMMISSIONER, confirm(ALDER))
            .then([OrderFact::OfferConfirmed {
                workshop_id: ALDER,
                terms: terms(&["Make"]),
                not_selected: vec![BIRCH, CEDAR],
            }]);
        let late = given(alder_offered()).at(minute(5_000));
        late.when(COMMISSIONER, confirm(ALDER)).refused(
            "OFFER_OUTDATED",
            Refusal::OfferOutdated {
                workshop_id: ALDER,
                reason: Outdated::DeadlinePassed,
            },
        );
        let seat = late.order.invitation(ALDER).unwrap();
        let revision = request().revision;
        assert_eq!(seat.outdated(revision, last_moment), None);
        assert_eq!(
            seat.outdated(revision, minute(5_000)),
            Some(Outdated::DeadlinePassed)
        );
    }

    #[test]
    fn an_offer_is_outdated_once_the_request_was_revised() {
        let later = crate::value::RequestRevision::parse(2).unwrap();
        assert_eq!(
            terms(&["Make"]).outdated(later, minute(5_000)),
            Some(Outdated::RequestRevised)
        );
    }

    #[test]
    fn the_commissioner_may_name_the_revision_they_mean() {
        let naming = |number| {
            let command = ConfirmOffer::parse(ALDER, Some(number)).unwrap();
            given(alder_offered()).when(COMMISSIONER, OrderCommand::ConfirmOffer(command))
        };
        naming(1).then([OrderFact::OfferConfirmed {
            workshop_id: ALDER,
            terms: terms(&["Make"]),
            not_selected: vec![BIRCH, CEDAR],
        }]);
        naming(2).refused(
            "OFFER_CHANGED",
            Refusal::OfferChanged {
                workshop_id: ALDER,
                current: OfferRevision::FIRST,
            },
        );
        assert_eq!(
            ConfirmOffer::parse(ALDER, Some(0)),
            Err(vec![Fault::new(
                "/offerRevision",
                FaultKind::RevisionOutOfRange
            )])
        );
    }

    #[test]
    fn one_offer_is_confirmed_and_no_second() {
        let history = [
            placed(&[ALDER, BIRCH]),
            submitted(ALDER, &["Make"]),
            submitted(BIRCH, &["Make"]),
            confirmed(ALDER, &["Make"]),
        ];
        given(history)
            .when(COMMISSIONER, confirm(BIRCH))
            .refused("ILLEGAL_TRANSITION", Refusal::IllegalTransition);
    }
}
