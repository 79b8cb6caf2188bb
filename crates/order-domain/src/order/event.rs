//! The facts of an order, as they are stored.
//!
//! Names and versions are literals of the store, not of Rust: renaming a variant changes nothing,
//! changing a shape needs a new version and an upcaster.

use chrono::{DateTime, Utc};
use kernel::{Actor, CommissionerId, OrderId, WorkshopId};
use serde::{Deserialize, Serialize};

use crate::value::{
    FaultKind, Note, OfferTerms, Reason, Request, RequestField, StageName, StageNumber,
};

/// One fact of one order's life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderEvent {
    /// The order.
    pub order_id: OrderId,
    /// Whose order it is.
    pub commissioner_id: CommissionerId,
    /// When it happened; never before the order's last event.
    pub occurred_at: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub fact: OrderFact,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all_fields = "camelCase")]
pub enum OrderFact {
    /// A commissioner asked for a piece and invited workshops.
    #[serde(rename = "OrderPlaced")]
    OrderPlaced {
        /// What is asked for, at revision 1.
        request: Request,
        /// The invited workshops, in the order given.
        workshops: Vec<WorkshopId>,
    },
    /// The commissioner changed what is asked for.
    #[serde(rename = "RequestEdited")]
    RequestEdited {
        /// What is asked for from here on, at its new revision.
        request: Request,
        /// Which parts of it have changed.
        changed: Vec<RequestField>,
    },
    /// The commissioner invited more workshops, or some again.
    #[serde(rename = "WorkshopsInvited")]
    WorkshopsInvited {
        /// The invited workshops, in the order given.
        workshops: Vec<WorkshopId>,
    },
    /// An invited workshop answered with terms.
    #[serde(rename = "OfferSubmitted")]
    OfferSubmitted {
        /// The workshop.
        workshop_id: WorkshopId,
        /// Its terms, with the revisions of request and offer.
        offer: OfferTerms,
    },
    /// A workshop put other terms in the place of those that stood, or affirmed them.
    #[serde(rename = "OfferRevised")]
    OfferRevised {
        /// The workshop.
        workshop_id: WorkshopId,
        /// Its terms, with the revisions of request and offer.
        offer: OfferTerms,
    },
    /// A workshop took its offer back.
    #[serde(rename = "OfferWithdrawn")]
    OfferWithdrawn {
        /// The workshop.
        workshop_id: WorkshopId,
        /// Why, if it said so.
        reason: Option<Reason>,
    },
    /// An invited workshop will not answer with terms.
    #[serde(rename = "InvitationDeclined")]
    InvitationDeclined {
        /// The workshop.
        workshop_id: WorkshopId,
        /// Why, if it said so.
        reason: Option<Reason>,
    },
    /// The round is closed: nobody is left to answer, and an offer stands.
    #[serde(rename = "AllResponsesReceived")]
    AllResponsesReceived {
        /// The workshops whose offers stand.
        standing: Vec<WorkshopId>,
    },
    /// Nobody is left to answer, and no offer stands: that closed the round, or the last standing
    /// offer was withdrawn after it.
    #[serde(rename = "AllInvitationsClosed")]
    AllInvitationsClosed {},
    /// The commissioner took one offer; its terms are the agreed ones from here on.
    #[serde(rename = "OfferConfirmed")]
    OfferConfirmed {
        /// The workshop whose offer was taken.
        workshop_id: WorkshopId,
        /// The agreed terms, in full.
        terms: OfferTerms,
        /// The workshops that were pending or offered, and are out now.
        not_selected: Vec<WorkshopId>,
    },
    /// The workshop says that the current stage is done.
    #[serde(rename = "StageMarkedComplete")]
    StageMarkedComplete {
        /// The confirmed workshop.
        workshop_id: WorkshopId,
        /// The stage.
        stage: StageNumber,
        /// The stage's name.
        name: StageName,
        /// Whether that completed it, or asks for approval.
        status: MarkedStatus,
    },
    /// The commissioner approved a blocking stage.
    #[serde(rename = "StageApproved")]
    StageApproved {
        /// The confirmed workshop.
        workshop_id: WorkshopId,
        /// The stage.
        stage: StageNumber,
        /// The stage's name.
        name: StageName,
    },
    /// The commissioner asked for changes to a marked stage, which is pending again.
    #[serde(rename = "StageChangesRequested")]
    StageChangesRequested {
        /// The confirmed workshop.
        workshop_id: WorkshopId,
        /// The stage.
        stage: StageNumber,
        /// The stage's name.
        name: StageName,
        /// What is to be changed.
        note: Note,
    },
    /// The last stage is completed.
    #[serde(rename = "OrderFinished")]
    OrderFinished {
        /// The confirmed workshop.
        workshop_id: WorkshopId,
    },
    /// The commissioner accepted the work.
    #[serde(rename = "OrderCompleted")]
    OrderCompleted {
        /// The confirmed workshop.
        workshop_id: WorkshopId,
    },
    /// The order ended without accepted work.
    #[serde(rename = "OrderCancelled")]
    OrderCancelled {
        /// The confirmed workshop, if there was one.
        workshop_id: Option<WorkshopId>,
        /// Why.
        reason: Reason,
        /// The state that it was cancelled from.
        cancelled_from: CancelledFrom,
        /// Whether an operator ended a dispute so.
        by_dispute: bool,
    },
    /// Somebody wants to cancel work that was agreed: an operator has to decide.
    #[serde(rename = "CancellationDisputed")]
    CancellationDisputed {
        /// The confirmed workshop.
        workshop_id: WorkshopId,
        /// Why.
        reason: Reason,
        /// The state that the order came from.
        from: DisputedFrom,
        /// Who wants it.
        opened_by: Actor,
    },
    /// An operator decided a dispute.
    #[serde(rename = "DisputeResolved")]
    DisputeResolved {
        /// The confirmed workshop.
        workshop_id: WorkshopId,
        /// How.
        resolution: Resolution,
        /// Why so.
        note: Note,
        /// The state that the order comes to by it.
        state: ResolvedState,
    },
}

/// What marking a stage came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MarkedStatus {
    /// The stage needs no approval.
    Completed,
    /// The stage waits for the commissioner.
    AwaitingApproval,
}

/// The states that an order can be cancelled from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CancelledFrom {
    /// Before any offer was confirmed.
    Negotiating,
    /// During the work, by a dispute.
    InProgress,
    /// After the work, by a dispute.
    Finished,
}

/// The states that a dispute can be opened from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DisputedFrom {
    /// During the work.
    InProgress,
    /// After the work.
    Finished,
}

impl From<DisputedFrom> for CancelledFrom {
    fn from(from: DisputedFrom) -> Self {
        match from {
            DisputedFrom::InProgress => Self::InProgress,
            DisputedFrom::Finished => Self::Finished,
        }
    }
}

/// How a dispute is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Resolution {
    /// The order goes on exactly where it was.
    Resume,
    /// The order is cancelled.
    Cancel,
    /// The order is completed as it stands.
    Complete,
}

impl Resolution {
    /// Reads a client's word.
    ///
    /// # Errors
    /// It names no resolution.
    pub fn parse(word: &str) -> Result<Self, FaultKind> {
        [Self::Resume, Self::Cancel, Self::Complete]
            .into_iter()
            .find(|resolution| resolution.as_str() == word)
            .ok_or(FaultKind::UnknownResolution)
    }

    /// The name used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::Complete => "complete",
        }
    }
}

/// The states that the resolution of a dispute leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ResolvedState {
    /// The work goes on.
    InProgress,
    /// The work waits to be accepted.
    Finished,
    /// The order ended without accepted work.
    Cancelled,
    /// The work counts as accepted.
    Completed,
}
