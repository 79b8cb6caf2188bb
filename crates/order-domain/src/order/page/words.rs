//! States and steps in the words of those whom the page is for.

use crate::order::{CommandName, OrderCommand, OrderState};

/// What a step is called.
pub(super) const fn step(command: CommandName) -> &'static str {
    match command {
        CommandName::PlaceOrder => "place the order",
        CommandName::EditRequest => "edit the request",
        CommandName::InviteWorkshops => "invite workshops",
        CommandName::SubmitOffer => "submit an offer",
        CommandName::ReviseOffer => "revise an offer",
        CommandName::WithdrawOffer => "withdraw an offer",
        CommandName::DeclineInvitation => "decline an invitation",
        CommandName::ConfirmOffer => "confirm an offer",
        CommandName::CompleteStage => "mark a stage complete",
        CommandName::ApproveStage => "approve a stage",
        CommandName::RequestStageChanges => "ask for changes to a stage",
        CommandName::AcceptWork => "accept the work",
        CommandName::CancelOrder => "cancel the order",
        CommandName::ResolveDispute => "resolve the dispute",
    }
}

/// The same on an arrow of the diagram, where the state that it leads to has to be plausible.
pub(super) fn arrow(command: &OrderCommand, after: OrderState) -> String {
    match (command.name(), after) {
        (CommandName::CompleteStage, OrderState::Finished) => {
            "mark the last stage complete".to_owned()
        }
        (CommandName::ApproveStage, OrderState::Finished) => "approve the last stage".to_owned(),
        (CommandName::CancelOrder, OrderState::Disputed) => {
            "cancel the order, which an operator decides".to_owned()
        }
        _ => step_and_end(command),
    }
}

/// The same, and for a dispute how it is resolved.
pub(super) fn step_and_end(command: &OrderCommand) -> String {
    let step = step(command.name());
    if let OrderCommand::ResolveDispute(command) = command {
        format!("{step} ({})", command.resolution.as_str())
    } else {
        step.to_owned()
    }
}

/// What a state is called.
pub(super) const fn name(state: OrderState) -> &'static str {
    match state {
        OrderState::Negotiating => "negotiating",
        OrderState::InProgress => "in progress",
        OrderState::Finished => "finished",
        OrderState::Disputed => "disputed",
        OrderState::Completed => "completed",
        OrderState::Cancelled => "cancelled",
    }
}

/// What a state means for both sides.
pub(super) const fn meaning(state: OrderState) -> &'static str {
    match state {
        OrderState::Negotiating => {
            "the invited workshops answer with offers or decline, and the commissioner confirms one \
             offer; all other invitations end with that"
        }
        OrderState::InProgress => {
            "the confirmed workshop works on the agreed stages, one after the other; with the last \
             of them the order is finished"
        }
        OrderState::Finished => "all stages are completed, and the commissioner has to accept",
        OrderState::Disputed => {
            "one side has cancelled what was agreed, and an operator has to decide: resume, cancel \
             or complete"
        }
        OrderState::Completed => {
            "the commissioner accepted the work, or an operator ended a dispute in this way; nothing \
             can follow"
        }
        OrderState::Cancelled => {
            "the commissioner ended it before confirming an offer, or an operator ended a dispute in \
             this way; nothing can follow"
        }
    }
}
