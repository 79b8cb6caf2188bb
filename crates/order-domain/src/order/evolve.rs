//! What a fact does to an order.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use kernel::{OrderId, WorkshopId};
use serde::{Deserialize, Serialize};

use super::event::{CancelledFrom, DisputedFrom, MarkedStatus, Resolution};
use super::{
    Dispute, Ending, Invitation, Order, OrderEvent, OrderFact, OrderState, Placement, StageStatus,
    Work,
};
use crate::value::{OfferTerms, StageNumber};

/// A fact that cannot follow what went before: the stream is corrupt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{event} cannot follow in order {order_id}, which is {state}")]
pub struct Corrupt {
    /// The order.
    pub order_id: OrderId,
    /// The name of the fact.
    pub event: Cow<'static, str>,
    /// The state that the order was in.
    pub state: Cow<'static, str>,
}

/// The order after all of `events`, oldest first.
///
/// # Errors
/// One of them cannot follow the ones before it.
pub fn fold<'a>(events: impl IntoIterator<Item = &'a OrderEvent>) -> Result<Order, Corrupt> {
    events.into_iter().try_fold(Order::default(), evolve)
}

/// The order after `event`.
///
/// # Errors
/// The event cannot follow.
pub fn evolve(order: Order, event: &OrderEvent) -> Result<Order, Corrupt> {
    let corrupt = Corrupt {
        order_id: event.order_id,
        event: event.fact.event_type().into(),
        state: order.state().map_or("notPlaced", OrderState::as_str).into(),
    };
    if order.placement().is_some_and(|placement| {
        placement.order_id != event.order_id || placement.commissioner_id != event.commissioner_id
    }) {
        return Err(corrupt);
    }
    let before = order.state();
    let mut next = apply(order, event).ok_or(corrupt)?;
    let moved = next.state() != before;
    if let Some(placement) = next.placement_mut() {
        placement.updated_at = event.occurred_at;
        if moved {
            placement.state_since = event.occurred_at;
        }
    }
    Ok(next)
}

/// One arm a fact; none if the fact cannot follow.
fn apply(order: Order, event: &OrderEvent) -> Option<Order> {
    let at = event.occurred_at;
    match &event.fact {
        OrderFact::OrderPlaced { request, workshops } => {
            let Order::NotPlaced = order else { return None };
            let seat = |id: &WorkshopId| Invitation::new(*id, at);
            Some(Order::Negotiating {
                placement: Placement {
                    order_id: event.order_id,
                    commissioner_id: event.commissioner_id,
                    request: request.clone(),
                    invitations: workshops.iter().map(seat).collect(),
                    disputes: 0,
                    created_at: at,
                    updated_at: at,
                    state_since: at,
                    asked_at: at,
                },
            })
        }
        OrderFact::RequestEdited { request, .. } => {
            let Order::Negotiating { mut placement } = order else {
                return None;
            };
            placement.request = request.clone();
            placement.asked_at = at;
            Some(Order::Negotiating { placement })
        }
        OrderFact::WorkshopsInvited { workshops } => invited(order, workshops, at),
        OrderFact::OfferSubmitted { workshop_id, offer } => answered(order, *workshop_id, |seat| {
            seat.take_offer(offer.clone(), at);
        }),
        OrderFact::OfferRevised { workshop_id, offer } => {
            reconsidered(order, *workshop_id, |seat| {
                seat.take_offer(offer.clone(), at);
            })
        }
        OrderFact::OfferWithdrawn { workshop_id, .. } => {
            reconsidered(order, *workshop_id, |seat| seat.withdraw(at))
        }
        OrderFact::InvitationDeclined { workshop_id, .. } => {
            answered(order, *workshop_id, |seat| seat.decline(at))
        }
        OrderFact::AllResponsesReceived { .. } => round_closed(order, true),
        OrderFact::AllInvitationsClosed {} => round_closed(order, false),
        OrderFact::OfferConfirmed {
            workshop_id, terms, ..
        } => confirmed(order, *workshop_id, terms, at),
        OrderFact::StageMarkedComplete { stage, status, .. } => {
            stage_marked(order, *stage, *status, at)
        }
        OrderFact::StageApproved { stage, .. } => {
            stage_judged(order, *stage, |work| work.complete_stage(at))
        }
        OrderFact::StageChangesRequested { stage, .. } => {
            stage_judged(order, *stage, |work| work.request_changes(at))
        }
        OrderFact::OrderFinished { .. } => finished(order, at),
        OrderFact::OrderCompleted { .. } => completed(order),
        OrderFact::OrderCancelled {
            cancelled_from,
            by_dispute,
            ..
        } => cancelled(order, *cancelled_from, *by_dispute),
        OrderFact::CancellationDisputed {
            reason,
            from,
            opened_by,
            ..
        } => {
            let dispute = Dispute {
                opened_by: *opened_by,
                reason: reason.clone(),
                opened_at: at,
                from: *from,
                ending: None,
            };
            disputed(order, dispute)
        }
        OrderFact::DisputeResolved { resolution, .. } => resolved(order, *resolution),
    }
}

/// A pending seat answers.
fn answered(
    order: Order,
    workshop_id: WorkshopId,
    answer: impl FnOnce(&mut Invitation),
) -> Option<Order> {
    let Order::Negotiating { mut placement } = order else {
        return None;
    };
    let seat = placement
        .seat_mut(workshop_id)
        .filter(|seat| seat.is_pending())?;
    answer(seat);
    Some(Order::Negotiating { placement })
}

/// Workshops get a seat, or their closed seat opens again.
fn invited(order: Order, workshops: &[WorkshopId], at: DateTime<Utc>) -> Option<Order> {
    let Order::Negotiating { mut placement } = order else {
        return None;
    };
    for workshop_id in workshops {
        match placement.seat_mut(*workshop_id) {
            None => placement
                .invitations
                .push(Invitation::new(*workshop_id, at)),
            Some(seat) if !seat.is_open() => seat.invite_again(at),
            Some(_) => return None,
        }
    }
    Some(Order::Negotiating { placement })
}

/// A workshop whose offer stands has second thoughts.
fn reconsidered(
    order: Order,
    workshop_id: WorkshopId,
    change: impl FnOnce(&mut Invitation),
) -> Option<Order> {
    let Order::Negotiating { mut placement } = order else {
        return None;
    };
    let seat = placement.seat_mut(workshop_id)?;
    seat.standing_offer()?;
    change(seat);
    Some(Order::Negotiating { placement })
}

/// Nobody is left to answer; `stands` says whether an offer stands.
fn round_closed(order: Order, stands: bool) -> Option<Order> {
    let Order::Negotiating { placement } = order else {
        return None;
    };
    let mut seats = placement.invitations.iter();
    let follows = !seats.clone().any(Invitation::is_pending)
        && seats.any(|seat| seat.standing_offer().is_some()) == stands;
    follows.then_some(Order::Negotiating { placement })
}

fn confirmed(
    order: Order,
    workshop_id: WorkshopId,
    terms: &OfferTerms,
    at: DateTime<Utc>,
) -> Option<Order> {
    let Order::Negotiating { mut placement } = order else {
        return None;
    };
    let seat = placement.seat_mut(workshop_id)?;
    seat.standing_offer()?;
    seat.confirm(terms.clone());
    placement.close_seats();
    Some(Order::InProgress {
        placement,
        work: Work::new(workshop_id, terms.clone(), at),
    })
}

fn stage_marked(
    order: Order,
    stage: StageNumber,
    status: MarkedStatus,
    at: DateTime<Utc>,
) -> Option<Order> {
    let Order::InProgress {
        placement,
        mut work,
    } = order
    else {
        return None;
    };
    let current = work.first_open()?;
    if current.number != stage || current.status != StageStatus::Pending {
        return None;
    }
    match status {
        MarkedStatus::Completed => work.complete_stage(at),
        MarkedStatus::AwaitingApproval => work.await_approval(at),
    }
    Some(Order::InProgress { placement, work })
}

/// The commissioner says what they think of a marked stage.
fn stage_judged(order: Order, stage: StageNumber, judge: impl FnOnce(&mut Work)) -> Option<Order> {
    let Order::InProgress {
        placement,
        mut work,
    } = order
    else {
        return None;
    };
    let current = work.first_open()?;
    if current.number != stage || current.status != StageStatus::AwaitingApproval {
        return None;
    }
    judge(&mut work);
    Some(Order::InProgress { placement, work })
}

fn finished(order: Order, at: DateTime<Utc>) -> Option<Order> {
    let Order::InProgress {
        placement,
        mut work,
    } = order
    else {
        return None;
    };
    if work.first_open().is_some() {
        return None;
    }
    work.finish(at);
    Some(Order::Finished { placement, work })
}

/// The work is accepted, or a dispute was resolved so.
fn completed(order: Order) -> Option<Order> {
    match order {
        Order::Finished { placement, work } => Some(Order::Completed { placement, work }),
        Order::Disputed {
            placement,
            work,
            dispute,
        } if dispute.ending == Some(Ending::Completed) => {
            Some(Order::Completed { placement, work })
        }
        Order::NotPlaced
        | Order::Negotiating { .. }
        | Order::InProgress { .. }
        | Order::Disputed { .. }
        | Order::Completed { .. }
        | Order::Cancelled { .. } => None,
    }
}

fn cancelled(order: Order, from: CancelledFrom, by_dispute: bool) -> Option<Order> {
    match order {
        Order::Negotiating { mut placement }
            if from == CancelledFrom::Negotiating && !by_dispute =>
        {
            placement.close_seats();
            Some(Order::Cancelled {
                placement,
                work: None,
            })
        }
        Order::Disputed {
            placement,
            work,
            dispute,
        } if dispute.ending == Some(Ending::Cancelled)
            && from == dispute.from.into()
            && by_dispute =>
        {
            Some(Order::Cancelled {
                placement,
                work: Some(work),
            })
        }
        Order::NotPlaced
        | Order::Negotiating { .. }
        | Order::InProgress { .. }
        | Order::Finished { .. }
        | Order::Disputed { .. }
        | Order::Completed { .. }
        | Order::Cancelled { .. } => None,
    }
}

fn disputed(order: Order, dispute: Dispute) -> Option<Order> {
    let (mut placement, work, from) = match order {
        // Once the last stage is completed, nothing comes before the fact that says so.
        Order::InProgress { placement, work } if work.first_open().is_some() => {
            (placement, work, DisputedFrom::InProgress)
        }
        Order::Finished { placement, work } => (placement, work, DisputedFrom::Finished),
        Order::NotPlaced
        | Order::Negotiating { .. }
        | Order::InProgress { .. }
        | Order::Disputed { .. }
        | Order::Completed { .. }
        | Order::Cancelled { .. } => return None,
    };
    if from != dispute.from {
        return None;
    }
    placement.disputes = placement.disputes.saturating_add(1);
    Some(Order::Disputed {
        placement,
        work,
        dispute,
    })
}

/// The order goes on where it was, or waits for the fact that ends it.
fn resolved(order: Order, resolution: Resolution) -> Option<Order> {
    let Order::Disputed {
        placement,
        work,
        dispute,
    } = order
    else {
        return None;
    };
    if dispute.ending.is_some() {
        return None;
    }
    let ending = match resolution {
        Resolution::Resume => {
            return Some(match dispute.from {
                DisputedFrom::InProgress => Order::InProgress { placement, work },
                DisputedFrom::Finished => Order::Finished { placement, work },
            });
        }
        Resolution::Cancel => Ending::Cancelled,
        Resolution::Complete => Ending::Completed,
    };
    Some(Order::Disputed {
        placement,
        work,
        dispute: Dispute {
            ending: Some(ending),
            ..dispute
        },
    })
}

impl Placement {
    fn seat_mut(&mut self, workshop_id: WorkshopId) -> Option<&mut Invitation> {
        self.invitations
            .iter_mut()
            .find(|seat| seat.workshop_id() == workshop_id)
    }

    fn close_seats(&mut self) {
        self.invitations.iter_mut().for_each(Invitation::pass_over);
    }
}

#[cfg(test)]
mod tests {
    use kernel::OrderId;

    use crate::order::scenario::*;
    use crate::order::{
        CancelledFrom, DisputedFrom, OrderFact, OrderState, Resolution, ResolvedState, evolve,
    };

    /// Every fact, as it would be written about the order of Alder and Birch.
    fn every_fact() -> Vec<OrderFact> {
        vec![
            placed(&[ALDER, BIRCH]),
            retitled("Elm table", 2),
            invited(&[BIRCH]),
            invited(&[CEDAR]),
            submitted(BIRCH, &["Make"]),
            revised(ALDER, &["Make"], 2),
            withdrawn(ALDER),
            declined(BIRCH),
            OrderFact::AllResponsesReceived {
                standing: vec![ALDER],
            },
            OrderFact::AllInvitationsClosed {},
            confirmed(ALDER, &["Make"]),
            marked(1, &["Make"]),
            approved(1, &["Sketch!"]),
            changes_requested(1, &["Sketch!"]),
            finished(),
            completed(),
            cancelled(),
            cancelled_by_dispute(CancelledFrom::InProgress),
            cancelled_by_dispute(CancelledFrom::Finished),
            disputed(DisputedFrom::InProgress, COMMISSIONER),
            disputed(DisputedFrom::Finished, COMMISSIONER),
            resolved(Resolution::Resume, ResolvedState::Finished),
            resolved(Resolution::Cancel, ResolvedState::Cancelled),
            resolved(Resolution::Complete, ResolvedState::Completed),
        ]
    }

    /// Which facts can follow in which state.
    fn matrix() -> String {
        let with = |mut history: Vec<_>, more: Vec<_>| {
            history.extend(more);
            history
        };
        let negotiating = || vec![placed(&[ALDER, BIRCH]), submitted(ALDER, &["Make"])];
        let disputed_finish = || {
            let dispute = disputed(DisputedFrom::Finished, COMMISSIONER);
            with(alder_finished(), vec![dispute])
        };
        let awaiting = with(alder_works(&["Sketch!"]), vec![marked(1, &["Sketch!"])]);
        let states = [
            ("(none)", vec![]),
            ("negotiating, one pending", negotiating()),
            (
                "negotiating, none pending",
                with(negotiating(), vec![declined(BIRCH)]),
            ),
            ("inProgress, pending", alder_works(&["Make"])),
            ("inProgress, awaiting", awaiting),
            (
                "inProgress, all completed",
                with(alder_works(&["Make"]), vec![marked(1, &["Make"])]),
            ),
            ("finished", alder_finished()),
            ("disputed", disputed_finish()),
            (
                "disputed, to be cancelled",
                with(
                    disputed_finish(),
                    vec![resolved(Resolution::Cancel, ResolvedState::Cancelled)],
                ),
            ),
            (
                "disputed, to be completed",
                with(
                    disputed_finish(),
                    vec![resolved(Resolution::Complete, ResolvedState::Completed)],
                ),
            ),
            ("completed", with(alder_finished(), vec![completed()])),
            ("cancelled", with(alder_offered(), vec![cancelled()])),
        ];
        let mut lines = String::new();
        for (state, history) in states {
            let order = given(history).order;
            let following: Vec<_> = every_fact()
                .into_iter()
                .filter_map(|fact| {
                    let event = event(fact, minute(200));
                    let next = evolve(order.clone(), &event).ok()?;
                    let name = next.state().map_or("", OrderState::as_str);
                    Some(format!("  {} -> {name}\n", event.fact.event_type()))
                })
                .collect();
            lines.push_str(&format!("{state}\n{}", following.concat()));
        }
        lines
    }

    #[test]
    fn each_state_takes_its_facts_and_no_other() {
        insta::assert_snapshot!(matrix());
    }

    #[test]
    fn a_fact_that_cannot_follow_names_order_event_and_state() {
        let order = given(alder_finished()).order;
        let corrupt = evolve(order, &event(finished(), minute(200))).unwrap_err();
        assert_eq!(
            corrupt.to_string(),
            format!("OrderFinished cannot follow in order {ORDER}, which is finished")
        );
    }

    #[test]
    fn a_fact_of_another_order_cannot_follow() {
        let order = given(alder_offered()).order;
        let mut foreign = event(declined(BIRCH), minute(200));
        foreign.order_id = OrderId::from_uuid(STRANGER.as_uuid());
        assert!(evolve(order.clone(), &foreign).is_err());
        foreign.order_id = ORDER;
        assert!(evolve(order, &foreign).is_ok());
    }

    #[test]
    fn only_a_dispute_ends_agreed_work_and_it_tells_where_that_was() {
        let with = |from, by_dispute| OrderFact::OrderCancelled {
            workshop_id: None,
            reason: reason(),
            cancelled_from: from,
            by_dispute,
        };
        let mut to_cancel = alder_finished();
        to_cancel.extend([
            disputed(DisputedFrom::Finished, COMMISSIONER),
            resolved(Resolution::Cancel, ResolvedState::Cancelled),
        ]);
        for (history, from, by_dispute, follows) in [
            (alder_offered(), CancelledFrom::Negotiating, false, true),
            (alder_offered(), CancelledFrom::Negotiating, true, false),
            (alder_offered(), CancelledFrom::InProgress, false, false),
            (to_cancel.clone(), CancelledFrom::Finished, true, true),
            (to_cancel.clone(), CancelledFrom::Finished, false, false),
            (to_cancel, CancelledFrom::InProgress, true, false),
        ] {
            let fact = event(with(from, by_dispute), minute(200));
            let after = evolve(given(history).order, &fact);
            assert_eq!(after.is_ok(), follows, "{from:?} {by_dispute}");
        }
    }

    #[test]
    fn only_the_current_stage_moves() {
        let stages = ["One", "Two"];
        let order = given(alder_works(&stages)).order;
        assert!(evolve(order, &event(marked(2, &stages), minute(200))).is_err());
    }

    #[test]
    fn every_fact_moves_the_time_of_the_last_change() {
        let order = given(alder_finished()).order;
        let placement = order.placement().unwrap();
        assert_eq!(placement.created_at(), minute(1));
        assert_eq!(placement.updated_at(), minute(5));
    }
}
