//! What can be asked of an order, read from what clients send.

mod dispute;
mod negotiation;
mod placing;
mod work;

use chrono::{DateTime, Utc};
use kernel::WorkshopId;

pub use dispute::{CancelOrder, ResolveDispute};
pub use negotiation::{ConfirmOffer, DeclineInvitation, ReviseOffer, SubmitOffer, WithdrawOffer};
pub use placing::{EditRequest, InviteWorkshops, PlaceOrder, PlaceOrderInput};
pub use work::{ApproveStage, CompleteStage, RequestStageChanges};

use super::{Intent, Order, OrderState};
use crate::value::{Deadline, Fault, FaultKind, MAX_SEATS};

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderCommand {
    /// Ask for a piece, and invite workshops to make offers.
    PlaceOrder(PlaceOrder),
    /// Change what is asked for.
    EditRequest(EditRequest),
    /// Invite more workshops, or some again.
    InviteWorkshops(InviteWorkshops),
    /// Answer an invitation with terms.
    SubmitOffer(SubmitOffer),
    /// Put other terms in the place of those that stand, or affirm them.
    ReviseOffer(ReviseOffer),
    /// Take an offer back.
    WithdrawOffer(WithdrawOffer),
    /// Answer an invitation with no.
    DeclineInvitation(DeclineInvitation),
    /// Take one offer.
    ConfirmOffer(ConfirmOffer),
    /// Say that the current stage is done.
    CompleteStage(CompleteStage),
    /// Let the work pass a blocking stage.
    ApproveStage(ApproveStage),
    /// Send a marked stage back.
    RequestStageChanges(RequestStageChanges),
    /// Accept the finished work.
    AcceptWork,
    /// End the order, or open a dispute about ending it.
    CancelOrder(CancelOrder),
    /// Decide a dispute.
    ResolveDispute(ResolveDispute),
}

impl OrderCommand {
    /// Which command it is.
    #[must_use]
    pub const fn name(&self) -> CommandName {
        match self {
            Self::PlaceOrder(_) => CommandName::PlaceOrder,
            Self::EditRequest(_) => CommandName::EditRequest,
            Self::InviteWorkshops(_) => CommandName::InviteWorkshops,
            Self::SubmitOffer(_) => CommandName::SubmitOffer,
            Self::ReviseOffer(_) => CommandName::ReviseOffer,
            Self::WithdrawOffer(_) => CommandName::WithdrawOffer,
            Self::DeclineInvitation(_) => CommandName::DeclineInvitation,
            Self::ConfirmOffer(_) => CommandName::ConfirmOffer,
            Self::CompleteStage(_) => CommandName::CompleteStage,
            Self::ApproveStage(_) => CommandName::ApproveStage,
            Self::RequestStageChanges(_) => CommandName::RequestStageChanges,
            Self::AcceptWork => CommandName::AcceptWork,
            Self::CancelOrder(_) => CommandName::CancelOrder,
            Self::ResolveDispute(_) => CommandName::ResolveDispute,
        }
    }

    /// The command that a workshop means who puts its terms without saying whether it offered
    /// before: submitting becomes revising while its offer stands. Any other command stays.
    #[must_use]
    pub fn revising_what_stands(self, order: &Order) -> Self {
        let Self::SubmitOffer(SubmitOffer { workshop_id, offer }) = self else {
            return self;
        };
        if order.standing_offer(workshop_id).is_some() {
            Self::ReviseOffer(ReviseOffer { workshop_id, offer })
        } else {
            Self::SubmitOffer(SubmitOffer { workshop_id, offer })
        }
    }

    /// What the command intends, without what it says; the command itself if it places an order.
    ///
    /// # Errors
    /// There is no order yet on which anything could be intended.
    pub const fn intent(&self) -> Result<Intent, &PlaceOrder> {
        Ok(match self {
            Self::PlaceOrder(command) => return Err(command),
            Self::EditRequest(_) => Intent::EditRequest,
            Self::InviteWorkshops(_) => Intent::InviteWorkshops,
            Self::SubmitOffer(command) => Intent::SubmitOffer(command.workshop_id),
            Self::ReviseOffer(command) => Intent::ReviseOffer(command.workshop_id),
            Self::WithdrawOffer(command) => Intent::WithdrawOffer(command.workshop_id),
            Self::DeclineInvitation(command) => Intent::DeclineInvitation(command.workshop_id),
            Self::ConfirmOffer(command) => Intent::ConfirmOffer(command.workshop_id),
            Self::CompleteStage(command) => Intent::CompleteStage(command.stage),
            Self::ApproveStage(command) => Intent::ApproveStage(command.stage),
            Self::RequestStageChanges(command) => Intent::RequestStageChanges(command.stage),
            Self::AcceptWork => Intent::AcceptWork,
            Self::CancelOrder(_) => Intent::CancelOrder,
            Self::ResolveDispute(_) => Intent::ResolveDispute,
        })
    }

    /// The workshops whose entries in the directory the decision has to know; none where more are
    /// named than any order has room for.
    #[must_use]
    pub fn invites(&self) -> &[WorkshopId] {
        let invitees = match self {
            Self::PlaceOrder(command) => command.workshops.as_slice(),
            Self::InviteWorkshops(command) => command.workshops.as_slice(),
            Self::EditRequest(_)
            | Self::SubmitOffer(_)
            | Self::ReviseOffer(_)
            | Self::WithdrawOffer(_)
            | Self::DeclineInvitation(_)
            | Self::ConfirmOffer(_)
            | Self::CompleteStage(_)
            | Self::ApproveStage(_)
            | Self::RequestStageChanges(_)
            | Self::AcceptWork
            | Self::CancelOrder(_)
            | Self::ResolveDispute(_) => &[],
        };
        if invitees.len() > MAX_SEATS {
            &[]
        } else {
            invitees
        }
    }

    /// The fault that only the clock can find: a deadline that is not later than `at`.
    #[must_use]
    pub fn passed_deadline(&self, at: DateTime<Utc>) -> Option<Fault> {
        let (pointer, deadline) = self.deadline()?;
        deadline
            .has_passed(at)
            .then(|| Fault::new(pointer, FaultKind::DeadlinePassed))
    }

    /// The deadline that the command brings, and where it stands in the body.
    fn deadline(&self) -> Option<(&'static str, Deadline)> {
        match self {
            Self::PlaceOrder(command) => Some(("/request/deadline", command.request.deadline)),
            Self::EditRequest(command) => Some(("/deadline", command.edit.deadline?)),
            Self::SubmitOffer(command) => Some(("/deadline", command.offer.deadline)),
            Self::ReviseOffer(command) => Some(("/deadline", command.offer.deadline)),
            Self::InviteWorkshops(_)
            | Self::WithdrawOffer(_)
            | Self::DeclineInvitation(_)
            | Self::ConfirmOffer(_)
            | Self::CompleteStage(_)
            | Self::ApproveStage(_)
            | Self::RequestStageChanges(_)
            | Self::AcceptWork
            | Self::CancelOrder(_)
            | Self::ResolveDispute(_) => None,
        }
    }
}

/// The name of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandName {
    /// See [`OrderCommand::PlaceOrder`].
    PlaceOrder,
    /// See [`OrderCommand::EditRequest`].
    EditRequest,
    /// See [`OrderCommand::InviteWorkshops`].
    InviteWorkshops,
    /// See [`OrderCommand::SubmitOffer`].
    SubmitOffer,
    /// See [`OrderCommand::ReviseOffer`].
    ReviseOffer,
    /// See [`OrderCommand::WithdrawOffer`].
    WithdrawOffer,
    /// See [`OrderCommand::DeclineInvitation`].
    DeclineInvitation,
    /// See [`OrderCommand::ConfirmOffer`].
    ConfirmOffer,
    /// See [`OrderCommand::CompleteStage`].
    CompleteStage,
    /// See [`OrderCommand::ApproveStage`].
    ApproveStage,
    /// See [`OrderCommand::RequestStageChanges`].
    RequestStageChanges,
    /// See [`OrderCommand::AcceptWork`].
    AcceptWork,
    /// See [`OrderCommand::CancelOrder`].
    CancelOrder,
    /// See [`OrderCommand::ResolveDispute`].
    ResolveDispute,
}

impl CommandName {
    /// The states of an order in which such a command may be taken; none for the one that places it.
    #[must_use]
    pub const fn states(self) -> &'static [OrderState] {
        match self {
            Self::PlaceOrder => &[],
            Self::EditRequest
            | Self::InviteWorkshops
            | Self::SubmitOffer
            | Self::ReviseOffer
            | Self::WithdrawOffer
            | Self::DeclineInvitation
            | Self::ConfirmOffer => &[OrderState::Negotiating],
            Self::CompleteStage | Self::ApproveStage | Self::RequestStageChanges => {
                &[OrderState::InProgress]
            }
            Self::AcceptWork => &[OrderState::Finished],
            Self::CancelOrder => &[
                OrderState::Negotiating,
                OrderState::InProgress,
                OrderState::Finished,
            ],
            Self::ResolveDispute => &[OrderState::Disputed],
        }
    }

    /// The name used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlaceOrder => "PlaceOrder",
            Self::EditRequest => "EditRequest",
            Self::InviteWorkshops => "InviteWorkshops",
            Self::SubmitOffer => "SubmitOffer",
            Self::ReviseOffer => "ReviseOffer",
            Self::WithdrawOffer => "WithdrawOffer",
            Self::DeclineInvitation => "DeclineInvitation",
            Self::ConfirmOffer => "ConfirmOffer",
            Self::CompleteStage => "CompleteStage",
            Self::ApproveStage => "ApproveStage",
            Self::RequestStageChanges => "RequestStageChanges",
            Self::AcceptWork => "AcceptWork",
            Self::CancelOrder => "CancelOrder",
            Self::ResolveDispute => "ResolveDispute",
        }
    }
}

impl std::fmt::Display for CommandName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
