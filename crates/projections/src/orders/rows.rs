//! The rows of one order, derived from the order as the rules fold it.

use chrono::{DateTime, Utc};
use kernel::{Actor, CommissionerId, OrderId, Role, WorkshopId};
use order_domain::order::{
    Dispute, Invitation, InvitationStatus, Order, OrderState, Stage, Wait, Work,
};
use order_domain::value::{Money, OfferTerms};

/// Everything that the tables hold of one order but its timeline and the fold itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OrderRows {
    pub(super) order: OrderRow,
    /// By seat.
    pub(super) invitations: Vec<InvitationRow>,
    /// By number.
    pub(super) stages: Vec<StageRow>,
}

/// A row of `orders`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OrderRow {
    pub(super) order_id: OrderId,
    pub(super) state: OrderState,
    pub(super) commissioner_id: CommissionerId,
    pub(super) title: String,
    pub(super) budget: Money,
    pub(super) deadline: DateTime<Utc>,
    pub(super) request_revision: i64,
    pub(super) agreed: Option<AgreedColumns>,
    pub(super) current_stage: Option<i64>,
    pub(super) dispute: Option<Dispute>,
    pub(super) placed_at: DateTime<Utc>,
    pub(super) first_offered_at: Option<DateTime<Utc>>,
    pub(super) finished_at: Option<DateTime<Utc>>,
    pub(super) completed_at: Option<DateTime<Utc>>,
    pub(super) cancelled_at: Option<DateTime<Utc>>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) commissioners_turn: bool,
}

/// The columns of what was agreed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct AgreedColumns {
    pub(super) workshop_id: WorkshopId,
    pub(super) budget: Money,
    pub(super) deadline: DateTime<Utc>,
    pub(super) confirmed_at: DateTime<Utc>,
}

/// A row of `invitations`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct InvitationRow {
    pub(super) workshop_id: WorkshopId,
    pub(super) seat: i64,
    pub(super) status: InvitationStatus,
    pub(super) first_invited_at: DateTime<Utc>,
    pub(super) invited_at: DateTime<Utc>,
    pub(super) first_offered_at: Option<DateTime<Utc>>,
    pub(super) offer: Option<OfferColumns>,
    pub(super) order_state: OrderState,
    pub(super) workshops_turn: bool,
}

/// The columns of an offer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct OfferColumns {
    pub(super) budget: Money,
    pub(super) deadline: DateTime<Utc>,
    pub(super) request_revision: i64,
    pub(super) offer_revision: i64,
}

/// A row of `stages`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StageRow {
    pub(super) number: i64,
    pub(super) name: String,
    pub(super) duration_days: Option<i64>,
    pub(super) requires_approval: bool,
    pub(super) status: &'static str,
    pub(super) planned_end: Option<DateTime<Utc>>,
    pub(super) completed_at: Option<DateTime<Utc>>,
}

/// The rows of an order; none before it is placed.
pub(super) fn rows_of(order: &Order) -> Option<OrderRows> {
    let (placement, state) = (order.placement()?, order.state()?);
    let request = placement.request();
    let seats = placement.invitations();
    let work = order.work();
    let waits = order.waits_for();
    Some(OrderRows {
        order: OrderRow {
            order_id: placement.order_id(),
            state,
            commissioner_id: placement.commissioner_id(),
            title: request.title.to_string(),
            budget: request.budget,
            deadline: request.deadline.instant(),
            request_revision: request.revision.into(),
            agreed: work.map(agreed),
            current_stage: order.current_stage().map(|number| number.get().into()),
            dispute: order.dispute().cloned(),
            placed_at: placement.created_at(),
            first_offered_at: seats.iter().filter_map(Invitation::first_offered_at).min(),
            finished_at: work.and_then(Work::finished_at),
            completed_at: order.completed_at(),
            cancelled_at: order.cancelled_at(),
            updated_at: placement.updated_at(),
            commissioners_turn: waits.iter().any(|wait| wait.role() == Role::Commissioner),
        },
        invitations: (1..)
            .zip(seats)
            .map(|(number, seat)| invitation(number, seat, state, &waits))
            .collect(),
        stages: work.map_or_else(Vec::new, |work| work.stages().map(stage).collect()),
    })
}

fn agreed(work: &Work) -> AgreedColumns {
    AgreedColumns {
        workshop_id: work.workshop_id(),
        budget: work.terms().budget,
        deadline: work.terms().deadline.instant(),
        confirmed_at: work.confirmed_at(),
    }
}

fn invitation(
    number: i64,
    seat: &Invitation,
    order_state: OrderState,
    waits: &[Wait],
) -> InvitationRow {
    let workshop = Actor::new(Role::Workshop, seat.workshop_id().as_uuid());
    let offer = |terms: &OfferTerms| OfferColumns {
        budget: terms.budget,
        deadline: terms.deadline.instant(),
        request_revision: terms.request_revision.into(),
        offer_revision: terms.offer_revision.into(),
    };
    InvitationRow {
        workshop_id: seat.workshop_id(),
        seat: number,
        status: seat.status(),
        first_invited_at: seat.first_invited_at(),
        invited_at: seat.invited_at(),
        first_offered_at: seat.first_offered_at(),
        offer: seat.offer().map(offer),
        order_state,
        workshops_turn: waits.iter().any(|wait| wait.is_for(workshop)),
    }
}

fn stage(stage: Stage<'_>) -> StageRow {
    StageRow {
        number: stage.number.get().into(),
        name: stage.plan.name.to_string(),
        duration_days: stage.plan.duration_days.map(Into::into),
        requires_approval: stage.plan.requires_approval,
        status: stage.status.as_str(),
        planned_end: stage.planned_end,
        completed_at: stage.status.completed_at(),
    }
}
