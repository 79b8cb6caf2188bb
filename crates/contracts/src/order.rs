//! Payloads of the order events: one shape for each, under one head.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::terms::{Offer, Request};

/// The value of a message on `atlas.order-events.v1`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderPayload {
    /// The order.
    pub order_id: Uuid,
    /// Whose order it is.
    pub commissioner_id: Uuid,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// What happened: the further fields of the payload.
    #[serde(flatten)]
    pub fact: OrderFact,
}

/// What happened to an order. On the wire the header `ce_type` names it, not the payload.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum OrderFact {
    /// See [`OrderPlaced`].
    OrderPlaced(OrderPlaced),
    /// See [`RequestEdited`].
    RequestEdited(RequestEdited),
    /// See [`WorkshopsInvited`].
    WorkshopsInvited(WorkshopsInvited),
    /// See [`OfferSubmitted`].
    OfferSubmitted(OfferSubmitted),
    /// See [`OfferRevised`].
    OfferRevised(OfferRevised),
    /// See [`OfferWithdrawn`].
    OfferWithdrawn(OfferWithdrawn),
    /// See [`InvitationDeclined`].
    InvitationDeclined(InvitationDeclined),
    /// See [`AllResponsesReceived`].
    AllResponsesReceived(AllResponsesReceived),
    /// See [`AllInvitationsClosed`].
    AllInvitationsClosed(AllInvitationsClosed),
    /// See [`OfferConfirmed`].
    OfferConfirmed(OfferConfirmed),
    /// See [`StageMarkedComplete`].
    StageMarkedComplete(StageMarkedComplete),
    /// See [`StageApproved`].
    StageApproved(StageApproved),
    /// See [`StageChangesRequested`].
    StageChangesRequested(StageChangesRequested),
    /// See [`OrderFinished`].
    OrderFinished(OrderFinished),
    /// See [`OrderCompleted`].
    OrderCompleted(OrderCompleted),
    /// See [`OrderCancelled`].
    OrderCancelled(OrderCancelled),
    /// See [`CancellationDisputed`].
    CancellationDisputed(CancellationDisputed),
    /// See [`DisputeResolved`].
    DisputeResolved(DisputeResolved),
    /// See [`WorkshopCredited`].
    WorkshopCredited(WorkshopCredited),
}

impl OrderFact {
    /// The event's public name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OrderPlaced(_) => "OrderPlaced",
            Self::RequestEdited(_) => "RequestEdited",
            Self::WorkshopsInvited(_) => "WorkshopsInvited",
            Self::OfferSubmitted(_) => "OfferSubmitted",
            Self::OfferRevised(_) => "OfferRevised",
            Self::OfferWithdrawn(_) => "OfferWithdrawn",
            Self::InvitationDeclined(_) => "InvitationDeclined",
            Self::AllResponsesReceived(_) => "AllResponsesReceived",
            Self::AllInvitationsClosed(_) => "AllInvitationsClosed",
            Self::OfferConfirmed(_) => "OfferConfirmed",
            Self::StageMarkedComplete(_) => "StageMarkedComplete",
            Self::StageApproved(_) => "StageApproved",
            Self::StageChangesRequested(_) => "StageChangesRequested",
            Self::OrderFinished(_) => "OrderFinished",
            Self::OrderCompleted(_) => "OrderCompleted",
            Self::OrderCancelled(_) => "OrderCancelled",
            Self::CancellationDisputed(_) => "CancellationDisputed",
            Self::DisputeResolved(_) => "DisputeResolved",
            Self::WorkshopCredited(_) => "WorkshopCredited",
        }
    }

    /// The version of the payload's schema.
    #[must_use]
    pub const fn schema_version(&self) -> &'static str {
        match self {
            Self::OrderPlaced(_)
            | Self::RequestEdited(_)
            | Self::WorkshopsInvited(_)
            | Self::OfferSubmitted(_)
            | Self::OfferRevised(_)
            | Self::OfferWithdrawn(_)
            | Self::InvitationDeclined(_)
            | Self::AllResponsesReceived(_)
            | Self::AllInvitationsClosed(_)
            | Self::OfferConfirmed(_)
            | Self::StageMarkedComplete(_)
            | Self::StageApproved(_)
            | Self::StageChangesRequested(_)
            | Self::OrderFinished(_)
            | Self::OrderCompleted(_)
            | Self::OrderCancelled(_)
            | Self::CancellationDisputed(_)
            | Self::DisputeResolved(_)
            | Self::WorkshopCredited(_) => "1.0",
        }
    }
}

/// A commissioner asked for a piece and invited workshops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OrderPlaced {
    /// What is asked for.
    pub request: Request,
    /// The invited workshops.
    pub workshops: Vec<Uuid>,
}

/// The commissioner changed what is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RequestEdited {
    /// What is asked for from here on.
    pub request: Request,
    /// What has changed of it: `title`, `brief`, `budget`, `deadline`.
    pub changed: Vec<String>,
}

/// The commissioner invited more workshops, or some again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WorkshopsInvited {
    /// The invited workshops.
    pub workshops: Vec<Uuid>,
}

/// An invited workshop answered with terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OfferSubmitted {
    /// The workshop.
    pub workshop_id: Uuid,
    /// Its terms.
    pub offer: Offer,
}

/// A workshop put other terms in the place of those that stood, or affirmed them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OfferRevised {
    /// The workshop.
    pub workshop_id: Uuid,
    /// Its terms from here on.
    pub offer: Offer,
}

/// A workshop took its offer back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OfferWithdrawn {
    /// The workshop.
    pub workshop_id: Uuid,
    /// Why, if it said so.
    pub reason: Option<String>,
}

/// An invited workshop will not answer with terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct InvitationDeclined {
    /// The workshop.
    pub workshop_id: Uuid,
    /// Why, if it said so.
    pub reason: Option<String>,
}

/// Nobody is left to answer, and an offer stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AllResponsesReceived {
    /// The workshops whose offers stand.
    pub standing: Vec<Uuid>,
}

/// Nobody is left to answer, and no offer stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AllInvitationsClosed {}

/// The commissioner took one offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OfferConfirmed {
    /// The workshop whose offer was taken.
    pub workshop_id: Uuid,
    /// The agreed terms, in full.
    pub terms: Offer,
    /// The workshops that were still in the running, and are out now.
    pub not_selected: Vec<Uuid>,
}

/// The workshop says that the current stage is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct StageMarkedComplete {
    /// The confirmed workshop.
    pub workshop_id: Uuid,
    /// The stage's number, from 1.
    pub stage: u32,
    /// The stage's name.
    pub name: String,
    /// `completed`, or `awaitingApproval`.
    pub status: String,
}

/// The commissioner approved a blocking stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct StageApproved {
    /// The confirmed workshop.
    pub workshop_id: Uuid,
    /// The stage's number, from 1.
    pub stage: u32,
    /// The stage's name.
    pub name: String,
}

/// The commissioner asked for changes to a marked stage, which is pending again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct StageChangesRequested {
    /// The confirmed workshop.
    pub workshop_id: Uuid,
    /// The stage's number, from 1.
    pub stage: u32,
    /// The stage's name.
    pub name: String,
    /// What is to be changed.
    pub note: String,
}

/// The last stage is completed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OrderFinished {
    /// The confirmed workshop.
    pub workshop_id: Uuid,
}

/// The commissioner accepted the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OrderCompleted {
    /// The confirmed workshop.
    pub workshop_id: Uuid,
}

/// The order ended without accepted work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OrderCancelled {
    /// The confirmed workshop, if there was one.
    pub workshop_id: Option<Uuid>,
    /// Why.
    pub reason: String,
    /// The state that it was cancelled from: `negotiating`, `inProgress` or `finished`.
    pub cancelled_from: String,
    /// Whether an operator ended a dispute so.
    pub by_dispute: bool,
}

/// Somebody wants to cancel work that was agreed: an operator has to decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CancellationDisputed {
    /// The confirmed workshop.
    pub workshop_id: Uuid,
    /// Why.
    pub reason: String,
    /// The state that the order came from: `inProgress` or `finished`.
    pub from: String,
}

/// An operator decided a dispute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DisputeResolved {
    /// The confirmed workshop.
    pub workshop_id: Uuid,
    /// `resume`, `cancel` or `complete`.
    pub resolution: String,
    /// Why so.
    pub note: String,
    /// The state that the order comes to by it: `inProgress`, `finished`, `cancelled` or `completed`.
    pub state: String,
}

/// The workshop has its part in a completed order: a message directly after that of
/// [`OrderCompleted`], for one event benefits one person. It is no event of the order's stream, and
/// its number and position are those of the event that it follows from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WorkshopCredited {
    /// The confirmed workshop.
    pub workshop_id: Uuid,
    /// Who benefits: the workshop again.
    pub beneficiary_id: Uuid,
    /// In which role: `workshop`.
    pub beneficiary_role: String,
}
