//! What can be asked of an order, read from what clients send.

use chrono::{DateTime, Utc};
use kernel::{CommissionerId, OrderId, WorkshopId};

use crate::value::{
    Fault, FaultKind, Faults, Invitees, OfferDraft, OfferInput, OfferRevision, Reason,
    RequestDraft, RequestInput, StageNumber,
};

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderCommand {
    /// Ask for a piece, and invite workshops to make offers.
    PlaceOrder(PlaceOrder),
    /// Answer an invitation with terms.
    SubmitOffer(SubmitOffer),
    /// Answer an invitation with no.
    DeclineInvitation(DeclineInvitation),
    /// Take one offer.
    ConfirmOffer(ConfirmOffer),
    /// Say that the current stage is done.
    CompleteStage(CompleteStage),
    /// Let the work pass a blocking stage.
    ApproveStage(ApproveStage),
    /// Accept the finished work.
    AcceptWork,
    /// End the order, or open a dispute about ending it.
    CancelOrder(CancelOrder),
}

impl OrderCommand {
    /// Which command it is.
    #[must_use]
    pub const fn name(&self) -> CommandName {
        match self {
            Self::PlaceOrder(_) => CommandName::PlaceOrder,
            Self::SubmitOffer(_) => CommandName::SubmitOffer,
            Self::DeclineInvitation(_) => CommandName::DeclineInvitation,
            Self::ConfirmOffer(_) => CommandName::ConfirmOffer,
            Self::CompleteStage(_) => CommandName::CompleteStage,
            Self::ApproveStage(_) => CommandName::ApproveStage,
            Self::AcceptWork => CommandName::AcceptWork,
            Self::CancelOrder(_) => CommandName::CancelOrder,
        }
    }

    /// The fault that only the clock can find: a deadline that is not later than `at`.
    #[must_use]
    pub fn passed_deadline(&self, at: DateTime<Utc>) -> Option<Fault> {
        let (pointer, deadline) = match self {
            Self::PlaceOrder(command) => ("/request/deadline", command.request.deadline),
            Self::SubmitOffer(command) => ("/deadline", command.offer.deadline),
            Self::DeclineInvitation(_)
            | Self::ConfirmOffer(_)
            | Self::CompleteStage(_)
            | Self::ApproveStage(_)
            | Self::AcceptWork
            | Self::CancelOrder(_) => return None,
        };
        deadline
            .has_passed(at)
            .then(|| Fault::new(pointer, FaultKind::DeadlinePassed))
    }
}

/// The name of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandName {
    /// See [`OrderCommand::PlaceOrder`].
    PlaceOrder,
    /// See [`OrderCommand::SubmitOffer`].
    SubmitOffer,
    /// See [`OrderCommand::DeclineInvitation`].
    DeclineInvitation,
    /// See [`OrderCommand::ConfirmOffer`].
    ConfirmOffer,
    /// See [`OrderCommand::CompleteStage`].
    CompleteStage,
    /// See [`OrderCommand::ApproveStage`].
    ApproveStage,
    /// See [`OrderCommand::AcceptWork`].
    AcceptWork,
    /// See [`OrderCommand::CancelOrder`].
    CancelOrder,
}

impl CommandName {
    /// The name used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlaceOrder => "PlaceOrder",
            Self::SubmitOffer => "SubmitOffer",
            Self::DeclineInvitation => "DeclineInvitation",
            Self::ConfirmOffer => "ConfirmOffer",
            Self::CompleteStage => "CompleteStage",
            Self::ApproveStage => "ApproveStage",
            Self::AcceptWork => "AcceptWork",
            Self::CancelOrder => "CancelOrder",
        }
    }
}

impl std::fmt::Display for CommandName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Ask for a piece, and invite workshops to make offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceOrder {
    /// A fresh id for the order.
    pub order_id: OrderId,
    /// Who asks.
    pub commissioner_id: CommissionerId,
    /// What is asked for.
    pub request: RequestDraft,
    /// Who may answer.
    pub workshops: Invitees,
}

/// The body of [`PlaceOrder`], as a client sends it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlaceOrderInput {
    /// What is asked for.
    pub request: Option<RequestInput>,
    /// 1 to 20 different ids of workshops.
    pub workshops: Option<Vec<String>>,
}

impl PlaceOrder {
    /// Reads a client's body.
    ///
    /// # Errors
    /// All faults at once, a passed deadline among them. A passed deadline alone is left to the
    /// decision.
    pub fn parse(
        order_id: OrderId,
        commissioner_id: CommissionerId,
        input: PlaceOrderInput,
        now: DateTime<Utc>,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let request = faults
            .required("/request", input.request, Ok)
            .and_then(|request| request.read("/request", now, &mut faults));
        let workshops = Invitees::read("/workshops", input.workshops, commissioner_id, &mut faults);
        let command = request.zip(workshops).map(|(request, workshops)| Self {
            order_id,
            commissioner_id,
            request,
            workshops,
        });
        faults.finish(command)
    }
}

/// Answer an invitation with terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitOffer {
    /// The invited workshop.
    pub workshop_id: WorkshopId,
    /// Its terms.
    pub offer: OfferDraft,
}

impl SubmitOffer {
    /// Reads a client's body.
    ///
    /// # Errors
    /// As [`PlaceOrder::parse`].
    pub fn parse(
        workshop_id: WorkshopId,
        input: OfferInput,
        now: DateTime<Utc>,
    ) -> Result<Self, Vec<Fault>> {
        let offer = input.parse("", now)?;
        Ok(Self { workshop_id, offer })
    }
}

/// Answer an invitation with no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclineInvitation {
    /// The invited workshop.
    pub workshop_id: WorkshopId,
    /// Why, if it says so.
    pub reason: Option<Reason>,
}

impl DeclineInvitation {
    /// Reads a client's body.
    ///
    /// # Errors
    /// The reason is no legal text.
    pub fn parse(workshop_id: WorkshopId, reason: Option<&str>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let reason = faults.optional("/reason", reason, Reason::parse);
        faults.finish(reason.map(|reason| Self {
            workshop_id,
            reason,
        }))
    }
}

/// Take one offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmOffer {
    /// The workshop that made it.
    pub workshop_id: WorkshopId,
    /// The revision that the commissioner means, if they say so.
    pub offer_revision: Option<OfferRevision>,
}

impl ConfirmOffer {
    /// Reads a client's body.
    ///
    /// # Errors
    /// No revision can have the number.
    pub fn parse(workshop_id: WorkshopId, offer_revision: Option<i64>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let revision = faults.optional("/offerRevision", offer_revision, OfferRevision::parse);
        faults.finish(revision.map(|offer_revision| Self {
            workshop_id,
            offer_revision,
        }))
    }
}

/// Say that the current stage is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompleteStage {
    /// The stage.
    pub stage: StageNumber,
}

/// Let the work pass a blocking stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApproveStage {
    /// The stage.
    pub stage: StageNumber,
}

/// End the order, or open a dispute about ending it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelOrder {
    /// Why.
    pub reason: Reason,
}

impl CancelOrder {
    /// Reads a client's body.
    ///
    /// # Errors
    /// The reason is absent or no legal text.
    pub fn parse(reason: Option<&str>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let reason = faults.required("/reason", reason, Reason::parse);
        faults.finish(reason.map(|reason| Self { reason }))
    }
}
