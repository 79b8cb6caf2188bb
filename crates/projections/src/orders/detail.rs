//! The detail of an order, from the order as the rules fold it.

use chrono::{DateTime, Utc};
use event_store::Version;
use kernel::WorkshopId;
use order_domain::order::{Dispute, Invitation, Order, Placement, Stage, Work};
use order_domain::value::OfferTerms;

use super::view::{DisputeView, InvitationView, OfferView, OrderDetail, StagePlanView, StageView};

impl OrderDetail {
    /// The whole detail of `order` after `version` events, at the instant `now`; none before the
    /// order is placed. Cut it to its viewer before it leaves.
    #[must_use]
    pub fn from_order(order: &Order, version: Version, now: DateTime<Utc>) -> Option<Self> {
        let (placement, state) = (order.placement()?, order.state()?);
        let workshop_id = order.work().map(Work::workshop_id);
        Some(Self {
            order_id: placement.order_id(),
            version: version.get(),
            state: state.into(),
            commissioner_id: placement.commissioner_id(),
            workshop_id,
            request: placement.request().into(),
            invitations: placement
                .invitations()
                .iter()
                .map(|seat| invitation(placement, seat, now))
                .collect(),
            terms: order
                .work()
                .map(|work| offer(work.terms(), work.workshop_id(), false)),
            stages: order
                .work()
                .map(|work| work.stages().map(stage).collect())
                .unwrap_or_default(),
            current_stage: order.current_stage().map(|number| number.get().into()),
            dispute: order.dispute().map(dispute),
            created_at: placement.created_at(),
            updated_at: placement.updated_at(),
        })
    }
}

fn invitation(placement: &Placement, seat: &Invitation, now: DateTime<Utc>) -> InvitationView {
    let outdated = seat.outdated(placement.request().revision, now).is_some();
    InvitationView {
        workshop_id: seat.workshop_id(),
        status: seat.status().into(),
        invited_at: seat.invited_at(),
        offer: seat
            .offer()
            .map(|terms| offer(terms, seat.workshop_id(), outdated)),
    }
}

fn offer(terms: &OfferTerms, workshop_id: WorkshopId, outdated: bool) -> OfferView {
    OfferView {
        workshop_id,
        budget: terms.budget.into(),
        deadline: terms.deadline.instant(),
        description: terms.description.to_string(),
        stages: terms.stages.as_slice().iter().map(Into::into).collect(),
        request_revision: terms.request_revision.into(),
        offer_revision: terms.offer_revision.into(),
        outdated,
    }
}

fn stage(stage: Stage<'_>) -> StageView {
    let plan = StagePlanView::from(stage.plan);
    StageView {
        number: stage.number.get().into(),
        name: plan.name,
        description: plan.description,
        duration_days: plan.duration_days,
        requires_approval: plan.requires_approval,
        status: stage.status.into(),
        completed_at: stage.status.completed_at(),
    }
}

fn dispute(dispute: &Dispute) -> DisputeView {
    DisputeView {
        opened_by: dispute.opened_by.into(),
        reason: dispute.reason.to_string(),
        opened_at: dispute.opened_at,
        from: dispute.from.into(),
    }
}
