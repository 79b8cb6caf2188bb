//! Whom an order waits for.

use chrono::{DateTime, Utc};
use kernel::{Actor, Role, WorkshopId};

use super::{Invitation, Order, Placement, StageStatus, Work};

/// Somebody who has to act before the order goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Who it is.
    pub whom: Whom,
    /// What they have to do.
    pub task: Task,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// Whom an order waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// This party.
    Party(Actor),
    /// Any of those who run the marketplace.
    AnyOperator,
}

/// What an order waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// A pending invitation is to be answered.
    AnswerInvitation,
    /// A standing offer is to be revised or withdrawn: it answers an older request.
    ReviseOffer,
    /// An offer that answers the request is to be chosen, or the request edited.
    ChooseOffer,
    /// Nobody is left to answer: workshops are to be invited, or the order ended.
    InviteWorkshops,
    /// The current stage is to be completed.
    CompleteStage,
    /// The current stage is to be approved or sent back.
    ApproveStage,
    /// The finished work is to be accepted.
    AcceptWork,
    /// A dispute is to be resolved.
    ResolveDispute,
}

impl Wait {
    /// Which part they play.
    #[must_use]
    pub const fn role(&self) -> Role {
        match self.whom {
            Whom::Party(party) => party.role,
            Whom::AnyOperator => Role::Operator,
        }
    }

    /// Whether it is this actor who has to act.
    #[must_use]
    pub fn is_for(&self, actor: Actor) -> bool {
        match self.whom {
            Whom::Party(party) => party == actor,
            Whom::AnyOperator => actor.role == Role::Operator,
        }
    }
}

impl Order {
    /// Whom the order waits for: nobody, once it has ended. It does not depend on the clock: an offer
    /// that has passed its own deadline still waits for the commissioner, who may edit the request.
    #[must_use]
    pub fn waits_for(&self) -> Vec<Wait> {
        match self {
            Self::NotPlaced | Self::Completed { .. } | Self::Cancelled { .. } => vec![],
            Self::Negotiating { placement } => in_negotiation(placement),
            Self::InProgress { placement, work } => at_work(placement, work).into_iter().collect(),
            Self::Finished { placement, .. } => {
                vec![of_commissioner(
                    placement,
                    Task::AcceptWork,
                    placement.state_since(),
                )]
            }
            // A resolution that ends the order has been given already.
            Self::Disputed { dispute, .. } if dispute.ending.is_some() => vec![],
            Self::Disputed { dispute, .. } => vec![Wait {
                whom: Whom::AnyOperator,
                task: Task::ResolveDispute,
                since: dispute.opened_at,
            }],
        }
    }

    /// The order as if this workshop were the only one invited, and the work not another's: what it
    /// waits for is then all that the workshop may know of that.
    #[must_use]
    pub fn as_if_alone(&self, workshop_id: WorkshopId) -> Self {
        let mut order = self.clone();
        if let Some(placement) = order.placement_mut() {
            placement
                .invitations
                .retain(|seat| seat.workshop_id() == workshop_id);
        }
        order
    }
}

fn in_negotiation(placement: &Placement) -> Vec<Wait> {
    let current = placement.request().revision;
    let mut waits = Vec::new();
    let mut choose: Option<DateTime<Utc>> = None;
    for seat in placement.invitations() {
        let wait = |task, since| Wait {
            whom: workshop(seat.workshop_id()),
            task,
            since,
        };
        match seat.standing_offer() {
            None if seat.is_pending() => {
                waits.push(wait(Task::AnswerInvitation, seat.since()));
            }
            None => {}
            Some(offer) if offer.request_revision < current => {
                waits.push(wait(Task::ReviseOffer, placement.asked_at()));
            }
            Some(_) => {
                choose = Some(choose.map_or(seat.since(), |since| since.min(seat.since())));
            }
        }
    }
    if let Some(since) = choose {
        waits.insert(0, of_commissioner(placement, Task::ChooseOffer, since));
    } else if waits.is_empty() {
        let closed = placement.invitations().iter().map(Invitation::since).max();
        let since = closed.unwrap_or(placement.created_at());
        waits.push(of_commissioner(placement, Task::InviteWorkshops, since));
    }
    waits
}

/// None between the completion of the last stage and the fact that finishes the order.
fn at_work(placement: &Placement, work: &Work) -> Option<Wait> {
    let current = work.first_open()?;
    let since = work.since().max(placement.state_since());
    Some(match current.status {
        StageStatus::AwaitingApproval => of_commissioner(placement, Task::ApproveStage, since),
        StageStatus::Pending | StageStatus::Completed { .. } => Wait {
            whom: workshop(work.workshop_id()),
            task: Task::CompleteStage,
            since,
        },
    })
}

const fn of_commissioner(placement: &Placement, task: Task, since: DateTime<Utc>) -> Wait {
    Wait {
        whom: Whom::Party(Actor::new(
            Role::Commissioner,
            placement.commissioner_id().as_uuid(),
        )),
        task,
        since,
    }
}

const fn workshop(workshop_id: WorkshopId) -> Whom {
    Whom::Party(Actor::new(Role::Workshop, workshop_id.as_uuid()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::OrderFact;
    use crate::order::scenario::*;
    use crate::order::{DisputedFrom, Resolution, ResolvedState};

    /// Whom the order waits for, in short: who, for what, since which minute.
    fn waits(history: impl IntoIterator<Item = OrderFact>) -> Vec<(Actor, Task, i64)> {
        let waits = given(history).order.waits_for();
        let of = |wait: Wait| {
            let actor = match wait.whom {
                Whom::Party(actor) => actor,
                Whom::AnyOperator => OPERATOR,
            };
            (actor, wait.task, (wait.since - minute(0)).num_minutes())
        };
        waits.into_iter().map(of).collect()
    }

    #[test]
    fn a_negotiation_waits_for_answers_and_for_a_choice() {
        let alder = by(ALDER);
        let answers = |workshops: &[WorkshopId]| {
            let answer = |id: &WorkshopId| (by(*id), Task::AnswerInvitation, 1);
            workshops.iter().map(answer).collect::<Vec<_>>()
        };
        let placed = [placed(&[ALDER, BIRCH])];
        assert_eq!(waits(placed), answers(&[ALDER, BIRCH]));
        // Placed in minute 1, and each fact a minute after the one before.
        let mut history = alder_offered();
        let since = i64::try_from(history.len()).unwrap();
        let choose = (COMMISSIONER, Task::ChooseOffer, since);
        let expected = [vec![choose], answers(&[BIRCH, CEDAR])].concat();
        assert_eq!(waits(history.clone()), expected);
        history.extend([declined(CEDAR), retitled("Elm table", 2), declined(BIRCH)]);
        let revise = (alder, Task::ReviseOffer, since + 2);
        assert_eq!(waits(history.clone()), [revise]);
        history.push(withdrawn(ALDER));
        let invite = (COMMISSIONER, Task::InviteWorkshops, since + 4);
        assert_eq!(waits(history), [invite]);
    }

    #[test]
    fn work_waits_for_one_side_at_a_time_and_anew_after_a_dispute() {
        let stages = ["Make!"];
        let mut history = alder_works(&stages);
        let begun = i64::try_from(history.len()).unwrap();
        let mut expect = |more: &[OrderFact], expected: &[(Actor, Task, i64)]| {
            history.extend_from_slice(more);
            assert_eq!(waits(history.clone()), expected);
        };
        expect(&[], &[(by(ALDER), Task::CompleteStage, begun)]);
        expect(
            &[marked(1, &stages)],
            &[(COMMISSIONER, Task::ApproveStage, begun + 1)],
        );
        expect(
            &[changes_requested(1, &stages)],
            &[(by(ALDER), Task::CompleteStage, begun + 2)],
        );
        expect(
            &[disputed(DisputedFrom::InProgress, COMMISSIONER)],
            &[(OPERATOR, Task::ResolveDispute, begun + 3)],
        );
        expect(
            &[resolved(Resolution::Resume, ResolvedState::InProgress)],
            &[(by(ALDER), Task::CompleteStage, begun + 4)],
        );
    }

    #[test]
    fn a_workshop_alone_waits_as_if_nobody_else_were_invited() {
        let mut history = vec![placed(&[ALDER, BIRCH])];
        history.push(declined(ALDER));
        let order = given(history).order;
        let alone = order.as_if_alone(ALDER).waits_for();
        assert_eq!(alone.len(), 1);
        assert_eq!(alone[0].task, Task::InviteWorkshops);
        assert_eq!(order.waits_for()[0].task, Task::AnswerInvitation);
    }
}
