//! The rows of one order, in memory: what the tables hold, and the detail that they make.

use chrono::{DateTime, Utc};
use event_store::{Position, Version};
use kernel::{Actor, CommissionerId, OrderId, WorkshopId};

use super::status::{DisputedFrom, InvitationStatus, OrderState, StageStatus};
use super::view::{
    DisputeView, InvitationView, MoneyView, OfferView, OrderDetail, RequestView, StagePlanView,
    StageView,
};

/// Everything that the tables hold of one order but its timeline.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OrderRows {
    pub(crate) order: OrderRow,
    /// By seat.
    pub(crate) invitations: Vec<InvitationRow>,
    /// By number.
    pub(crate) stages: Vec<StageRow>,
}

/// A row of `read.orders`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OrderRow {
    pub(crate) order_id: OrderId,
    pub(crate) version: Version,
    pub(crate) state: OrderState,
    pub(crate) commissioner_id: CommissionerId,
    pub(crate) workshop_id: Option<WorkshopId>,
    pub(crate) request: RequestView,
    pub(crate) current_stage: Option<i64>,
    pub(crate) dispute: Option<DisputeRow>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) touched: Touched,
}

/// The columns of an open dispute.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DisputeRow {
    pub(crate) opened_by: Actor,
    pub(crate) reason: String,
    pub(crate) opened_at: DateTime<Utc>,
    pub(crate) from: DisputedFrom,
}

/// A row of `read.invitations`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InvitationRow {
    pub(crate) workshop_id: WorkshopId,
    pub(crate) seat: i64,
    pub(crate) status: InvitationStatus,
    pub(crate) invited_at: DateTime<Utc>,
    pub(crate) offer: Option<OfferRow>,
    pub(crate) touched: Touched,
}

/// The columns of an offer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OfferRow {
    pub(crate) budget: MoneyView,
    pub(crate) deadline: DateTime<Utc>,
    pub(crate) description: String,
    pub(crate) stages: Vec<StagePlanView>,
    pub(crate) request_revision: i64,
    pub(crate) offer_revision: i64,
}

/// A row of `read.stages`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StageRow {
    pub(crate) number: i64,
    pub(crate) plan: StagePlanView,
    pub(crate) status: StageStatus,
    pub(crate) completed_at: Option<DateTime<Utc>>,
    pub(crate) touched: Touched,
}

/// The first and the last position that touched a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Touched {
    pub(crate) first: Position,
    pub(crate) last: Position,
}

impl Touched {
    /// A new row's.
    pub(crate) const fn at(position: Position) -> Self {
        Self {
            first: position,
            last: position,
        }
    }
}

impl OrderRows {
    /// The whole detail at the instant `now`, not yet cut to a viewer.
    pub(crate) fn detail(&self, now: DateTime<Utc>) -> OrderDetail {
        let order = &self.order;
        OrderDetail {
            order_id: order.order_id,
            version: order.version.get(),
            state: order.state,
            commissioner_id: order.commissioner_id,
            workshop_id: order.workshop_id,
            request: order.request.clone(),
            invitations: self
                .invitations
                .iter()
                .map(|row| row.view(order.request.revision, now))
                .collect(),
            terms: self.terms(),
            stages: self.stages.iter().map(StageRow::view).collect(),
            current_stage: order.current_stage,
            dispute: order.dispute.as_ref().map(DisputeRow::view),
            created_at: order.created_at,
            updated_at: order.updated_at,
        }
    }

    /// The agreed terms are the confirmed seat's offer.
    fn terms(&self) -> Option<OfferView> {
        let seat = self
            .invitations
            .iter()
            .find(|seat| seat.status == InvitationStatus::Confirmed)?;
        Some(seat.offer.as_ref()?.view(seat.workshop_id, false))
    }
}

impl InvitationRow {
    fn view(&self, current_request: i64, now: DateTime<Utc>) -> InvitationView {
        InvitationView {
            workshop_id: self.workshop_id,
            status: self.status,
            invited_at: self.invited_at,
            offer: self.offer.as_ref().map(|offer| {
                let outdated = is_outdated(
                    self.status,
                    offer.request_revision,
                    current_request,
                    offer.deadline,
                    now,
                );
                offer.view(self.workshop_id, outdated)
            }),
        }
    }
}

/// Whether an offer stands but cannot be confirmed until it is revised: it answers a request of
/// before `current_request`, or its own deadline has passed.
pub(super) fn is_outdated(
    status: InvitationStatus,
    answers: i64,
    current_request: i64,
    deadline: DateTime<Utc>,
    now: DateTime<Utc>,
) -> bool {
    status == InvitationStatus::Offered && (answers < current_request || deadline <= now)
}

impl OfferRow {
    pub(super) fn view(&self, workshop_id: WorkshopId, outdated: bool) -> OfferView {
        OfferView {
            workshop_id,
            budget: self.budget.clone(),
            deadline: self.deadline,
            description: self.description.clone(),
            stages: self.stages.clone(),
            request_revision: self.request_revision,
            offer_revision: self.offer_revision,
            outdated,
        }
    }
}

impl StageRow {
    fn view(&self) -> StageView {
        StageView {
            number: self.number,
            name: self.plan.name.clone(),
            description: self.plan.description.clone(),
            duration_days: self.plan.duration_days,
            requires_approval: self.plan.requires_approval,
            status: self.status,
            completed_at: self.completed_at,
        }
    }
}

impl DisputeRow {
    pub(super) fn view(&self) -> DisputeView {
        DisputeView {
            opened_by: self.opened_by.into(),
            reason: self.reason.clone(),
            opened_at: self.opened_at,
            from: self.from,
        }
    }
}
