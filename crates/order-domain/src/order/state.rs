//! What an order is, state by state.

use chrono::{DateTime, Utc};
use kernel::{Actor, CommissionerId, OrderId, WorkshopId};
use serde::{Deserialize, Serialize};

use super::event::DisputedFrom;
use super::{Invitation, Work};
use crate::value::{OfferTerms, Reason, Request, StageNumber};

/// The shape in which an [`Order`] is stored where it is kept folded. Whoever reads a folded order
/// under another number folds its stream again. Raise it with every change of the stored form, and
/// with every change of what a fact does to an order.
pub const ORDER_SHAPE: u32 = 2;

/// One commission. Each state holds exactly what there is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum Order {
    /// Before the first fact.
    #[default]
    NotPlaced,
    /// Workshops answer, and the commissioner chooses.
    Negotiating {
        /// What was placed.
        placement: Placement,
    },
    /// The confirmed workshop works.
    InProgress {
        /// What was placed.
        placement: Placement,
        /// What was agreed.
        work: Work,
    },
    /// All stages are completed; the commissioner has to accept.
    Finished {
        /// What was placed.
        placement: Placement,
        /// What was agreed.
        work: Work,
    },
    /// Somebody wants to cancel agreed work; an operator has to decide.
    Disputed {
        /// What was placed.
        placement: Placement,
        /// What was agreed, exactly as it stood.
        work: Work,
        /// What the dispute is about.
        dispute: Dispute,
    },
    /// The work was accepted.
    Completed {
        /// What was placed.
        placement: Placement,
        /// What was agreed.
        work: Work,
    },
    /// The order ended without accepted work.
    Cancelled {
        /// What was placed.
        placement: Placement,
        /// What was agreed, exactly as it stood, if a dispute ended the order.
        work: Option<Work>,
    },
}

/// What every placed order has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    #[serde(rename = "order")]
    pub(super) order_id: OrderId,
    #[serde(rename = "commissioner")]
    pub(super) commissioner_id: CommissionerId,
    pub(super) request: Request,
    #[serde(rename = "seats")]
    pub(super) invitations: Vec<Invitation>,
    /// How many disputes were opened.
    pub(super) disputes: u32,
    #[serde(rename = "created")]
    pub(super) created_at: DateTime<Utc>,
    #[serde(rename = "updated")]
    pub(super) updated_at: DateTime<Utc>,
    /// When the order came to its state last.
    #[serde(rename = "since")]
    pub(super) state_since: DateTime<Utc>,
    /// When the request came to its revision.
    #[serde(rename = "asked")]
    pub(super) asked_at: DateTime<Utc>,
}

impl Placement {
    /// The order's id.
    #[must_use]
    pub const fn order_id(&self) -> OrderId {
        self.order_id
    }

    /// Whose order it is.
    #[must_use]
    pub const fn commissioner_id(&self) -> CommissionerId {
        self.commissioner_id
    }

    /// What is asked for, at its current revision.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// The seats, in the order in which they were given.
    #[must_use]
    pub fn invitations(&self) -> &[Invitation] {
        &self.invitations
    }

    /// A workshop's seat, if it was ever invited.
    #[must_use]
    pub fn invitation(&self, workshop_id: WorkshopId) -> Option<&Invitation> {
        self.invitations
            .iter()
            .find(|seat| seat.workshop_id() == workshop_id)
    }

    /// How many disputes were opened: it tells one dispute from the next.
    pub(super) const fn disputes(&self) -> u32 {
        self.disputes
    }

    /// When the order was placed.
    #[must_use]
    pub const fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// When the last fact happened.
    #[must_use]
    pub const fn updated_at(&self) -> DateTime<Utc> {
        self.updated_at
    }

    /// When the order came to its state; where a dispute was resumed, when that was.
    #[must_use]
    pub const fn state_since(&self) -> DateTime<Utc> {
        self.state_since
    }

    /// When the request came to its revision.
    pub(super) const fn asked_at(&self) -> DateTime<Utc> {
        self.asked_at
    }
}

/// A dispute about ending the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// Who wants to end it.
    #[serde(rename = "by")]
    pub opened_by: Actor,
    /// Why.
    pub reason: Reason,
    /// Since when.
    #[serde(rename = "opened")]
    pub opened_at: DateTime<Utc>,
    /// The state that the order came from.
    pub from: DisputedFrom,
    /// Between the resolution of a dispute and the fact that ends the order by it: which one that
    /// has to be.
    pub ending: Option<Ending>,
}

/// How the resolution of a dispute ends an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    /// The order will be cancelled.
    Cancelled,
    /// The order will be completed.
    Completed,
}

/// The name of a placed order's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderState {
    /// See [`Order::Negotiating`].
    Negotiating,
    /// See [`Order::InProgress`].
    InProgress,
    /// See [`Order::Finished`].
    Finished,
    /// See [`Order::Disputed`].
    Disputed,
    /// See [`Order::Completed`].
    Completed,
    /// See [`Order::Cancelled`].
    Cancelled,
}

impl OrderState {
    /// The name used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Negotiating => "negotiating",
            Self::InProgress => "inProgress",
            Self::Finished => "finished",
            Self::Disputed => "disputed",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::fmt::Display for OrderState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Order {
    /// The name of the state; none before the order is placed.
    #[must_use]
    pub const fn state(&self) -> Option<OrderState> {
        match self {
            Self::NotPlaced => None,
            Self::Negotiating { .. } => Some(OrderState::Negotiating),
            Self::InProgress { .. } => Some(OrderState::InProgress),
            Self::Finished { .. } => Some(OrderState::Finished),
            Self::Disputed { .. } => Some(OrderState::Disputed),
            Self::Completed { .. } => Some(OrderState::Completed),
            Self::Cancelled { .. } => Some(OrderState::Cancelled),
        }
    }

    /// Whether nothing can happen to the order any more.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Cancelled { .. })
    }

    /// When the order was completed; none for any other.
    #[must_use]
    pub const fn completed_at(&self) -> Option<DateTime<Utc>> {
        if let Self::Completed { placement, .. } = self {
            Some(placement.updated_at)
        } else {
            None
        }
    }

    /// When the order was cancelled; none for any other.
    #[must_use]
    pub const fn cancelled_at(&self) -> Option<DateTime<Utc>> {
        if let Self::Cancelled { placement, .. } = self {
            Some(placement.updated_at)
        } else {
            None
        }
    }

    /// What every placed order has; none before the order is placed.
    #[must_use]
    pub const fn placement(&self) -> Option<&Placement> {
        match self {
            Self::NotPlaced => None,
            Self::Negotiating { placement }
            | Self::InProgress { placement, .. }
            | Self::Finished { placement, .. }
            | Self::Disputed { placement, .. }
            | Self::Completed { placement, .. }
            | Self::Cancelled { placement, .. } => Some(placement),
        }
    }

    pub(super) const fn placement_mut(&mut self) -> Option<&mut Placement> {
        match self {
            Self::NotPlaced => None,
            Self::Negotiating { placement }
            | Self::InProgress { placement, .. }
            | Self::Finished { placement, .. }
            | Self::Disputed { placement, .. }
            | Self::Completed { placement, .. }
            | Self::Cancelled { placement, .. } => Some(placement),
        }
    }

    /// The agreed work; none while no offer was confirmed.
    #[must_use]
    pub const fn work(&self) -> Option<&Work> {
        match self {
            Self::NotPlaced | Self::Negotiating { .. } => None,
            Self::Cancelled { work, .. } => work.as_ref(),
            Self::InProgress { work, .. }
            | Self::Finished { work, .. }
            | Self::Disputed { work, .. }
            | Self::Completed { work, .. } => Some(work),
        }
    }

    /// The agreed terms; none while no offer was confirmed.
    #[must_use]
    pub fn terms(&self) -> Option<&OfferTerms> {
        self.work().map(Work::terms)
    }

    /// The first stage that is not completed; none outside the state inProgress.
    #[must_use]
    pub fn current_stage(&self) -> Option<StageNumber> {
        if let Self::InProgress { work, .. } = self {
            work.first_open().map(|stage| stage.number)
        } else {
            None
        }
    }

    /// The dispute; none outside the state disputed.
    #[must_use]
    pub fn dispute(&self) -> Option<&Dispute> {
        if let Self::Disputed { dispute, .. } = self {
            Some(dispute)
        } else {
            None
        }
    }

    /// A workshop's seat, if it was ever invited.
    #[must_use]
    pub fn invitation(&self, workshop_id: WorkshopId) -> Option<&Invitation> {
        self.placement()?.invitation(workshop_id)
    }

    /// A workshop's offer, while it stands.
    #[must_use]
    pub fn standing_offer(&self, workshop_id: WorkshopId) -> Option<&OfferTerms> {
        self.invitation(workshop_id)?.standing_offer()
    }

    /// The instant of what happens at `now` by the clock: facts never run back.
    #[must_use]
    pub fn instant(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.placement()
            .map_or(now, |placement| placement.updated_at.max(now))
    }
}
