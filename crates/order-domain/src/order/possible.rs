//! What is possible on an order, and for whom: the preconditions that [`super::decide`] asks, asked
//! without a command.

use kernel::{Actor, Role, WorkshopId};

use super::{CommandName, Context, Invitation, Order, Rejection, admit, decide};
use crate::value::StageNumber;

/// A command on an order without what it says: which one, and what it names of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Intent {
    /// See [`super::OrderCommand::EditRequest`].
    EditRequest,
    /// See [`super::OrderCommand::InviteWorkshops`].
    InviteWorkshops,
    /// See [`super::OrderCommand::SubmitOffer`].
    SubmitOffer(WorkshopId),
    /// See [`super::OrderCommand::ReviseOffer`].
    ReviseOffer(WorkshopId),
    /// See [`super::OrderCommand::WithdrawOffer`].
    WithdrawOffer(WorkshopId),
    /// See [`super::OrderCommand::DeclineInvitation`].
    DeclineInvitation(WorkshopId),
    /// See [`super::OrderCommand::ConfirmOffer`].
    ConfirmOffer(WorkshopId),
    /// See [`super::OrderCommand::CompleteStage`].
    CompleteStage(StageNumber),
    /// See [`super::OrderCommand::ApproveStage`].
    ApproveStage(StageNumber),
    /// See [`super::OrderCommand::RequestStageChanges`].
    RequestStageChanges(StageNumber),
    /// See [`super::OrderCommand::AcceptWork`].
    AcceptWork,
    /// See [`super::OrderCommand::CancelOrder`].
    CancelOrder,
    /// See [`super::OrderCommand::ResolveDispute`].
    ResolveDispute,
}

impl Intent {
    /// Which command it is.
    #[must_use]
    pub const fn command(self) -> CommandName {
        match self {
            Self::EditRequest => CommandName::EditRequest,
            Self::InviteWorkshops => CommandName::InviteWorkshops,
            Self::SubmitOffer(_) => CommandName::SubmitOffer,
            Self::ReviseOffer(_) => CommandName::ReviseOffer,
            Self::WithdrawOffer(_) => CommandName::WithdrawOffer,
            Self::DeclineInvitation(_) => CommandName::DeclineInvitation,
            Self::ConfirmOffer(_) => CommandName::ConfirmOffer,
            Self::CompleteStage(_) => CommandName::CompleteStage,
            Self::ApproveStage(_) => CommandName::ApproveStage,
            Self::RequestStageChanges(_) => CommandName::RequestStageChanges,
            Self::AcceptWork => CommandName::AcceptWork,
            Self::CancelOrder => CommandName::CancelOrder,
            Self::ResolveDispute => CommandName::ResolveDispute,
        }
    }
}

/// Whether a command of this intent would be taken in these circumstances, if what it says is legal:
/// values in range, something that changes, workshops that take commissions. Of the directory and
/// of revisions that a command may name, nothing is asked. An order so near to its bound of bytes
/// that only the shortest words would still fit counts as one that has room.
///
/// # Errors
/// The refusal of every such command, in the order of checks.
pub fn possible(order: &Order, intent: Intent, context: &Context) -> Result<(), Rejection> {
    decide::possible(order, intent, context).map_err(|why| why.of(intent.command(), order))
}

/// Every intent that the actor could have on the order, now or in another state of it: for each seat
/// and each stage that it may know of. Of the two ways to put an offer, the one that would be taken
/// as the other is left out. Where no work is seen, the first stage stands for those to come.
#[must_use]
pub fn intents(order: &Order, actor: Actor) -> Vec<Intent> {
    let own = WorkshopId::from_uuid(actor.id);
    let seats = order.placement().map_or(&[][..], |it| it.invitations());
    let seats = seats
        .iter()
        .filter(|seat| actor.role != Role::Workshop || seat.workshop_id() == own);
    let sees_work = actor.role != Role::Workshop || order.confirmed_workshop() == Some(actor);
    let work = order.work().filter(|_| sees_work);
    let stages: Vec<_> = work.map_or_else(
        || vec![StageNumber::FIRST],
        |work| work.stages().map(|stage| stage.number).collect(),
    );
    let of_order = [Intent::EditRequest, Intent::InviteWorkshops];
    let of_ends = [
        Intent::AcceptWork,
        Intent::CancelOrder,
        Intent::ResolveDispute,
    ];
    of_order
        .into_iter()
        .chain(seats.flat_map(of_seat))
        .chain(stages.into_iter().flat_map(of_stage))
        .chain(of_ends)
        .filter(|intent| admit::is_for(*intent, actor.role))
        .collect()
}

fn of_seat(seat: &Invitation) -> [Intent; 4] {
    let id = seat.workshop_id();
    let put = match seat.standing_offer() {
        Some(_) => Intent::ReviseOffer(id),
        None => Intent::SubmitOffer(id),
    };
    [
        put,
        Intent::DeclineInvitation(id),
        Intent::WithdrawOffer(id),
        Intent::ConfirmOffer(id),
    ]
}

const fn of_stage(stage: StageNumber) -> [Intent; 3] {
    [
        Intent::CompleteStage(stage),
        Intent::ApproveStage(stage),
        Intent::RequestStageChanges(stage),
    ]
}
