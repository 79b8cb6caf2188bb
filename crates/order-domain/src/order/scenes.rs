//! Every situation of an order that a rule tells from another, every command, and everybody who
//! might give it: what the matrix of the rules and the page about it are made from.

use chrono::{DateTime, Utc};
use kernel::Actor;

use super::scenario::*;
use super::{
    CancelledFrom, CommandName, DisputedFrom, OrderCommand, OrderFact, OrderState, Resolution,
    ResolvedState,
};
use crate::value::OfferInput;

/// A situation, as far as Alder's seat and Alder's work go; Birch is invited in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scene {
    NotPlaced,
    Pending,
    LastToAnswer,
    LastBesideAnOffer,
    Offered,
    OnlyOffer,
    Edited,
    Expired,
    LastEdit,
    LastRevision,
    Declined,
    Withdrawn,
    StagePending,
    FreeStagePending,
    StageAwaiting,
    LastStagePending,
    LastBlockingStagePending,
    LastStageAwaiting,
    Finished,
    WorkDisputed,
    FinishDisputed,
    Completed,
    CompletedByDispute,
    Cancelled,
    CancelledByDispute,
}

/// The stages of the work: the first blocks, and is not the last.
const STAGES: [&str; 2] = ["Sketch!", "Make"];
/// The same, where the first does not.
const FREE: [&str; 2] = ["Sketch", "Make"];
/// The stages of work that is almost done.
const LAST: [&str; 1] = ["Make"];
/// The same, where the commissioner has to approve.
const LAST_BLOCKING: [&str; 1] = ["Make!"];

impl Scene {
    pub(crate) const ALL: [Self; 25] = [
        Self::NotPlaced,
        Self::Pending,
        Self::LastToAnswer,
        Self::LastBesideAnOffer,
        Self::Offered,
        Self::OnlyOffer,
        Self::Edited,
        Self::Expired,
        Self::LastEdit,
        Self::LastRevision,
        Self::Declined,
        Self::Withdrawn,
        Self::StagePending,
        Self::FreeStagePending,
        Self::StageAwaiting,
        Self::LastStagePending,
        Self::LastBlockingStagePending,
        Self::LastStageAwaiting,
        Self::Finished,
        Self::WorkDisputed,
        Self::FinishDisputed,
        Self::Completed,
        Self::CompletedByDispute,
        Self::Cancelled,
        Self::CancelledByDispute,
    ];

    /// The situation in words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::NotPlaced => "there is no order yet",
            Self::Pending => "the workshop has not answered",
            Self::LastToAnswer => "the workshop is the last to answer, and no offer stands",
            Self::LastBesideAnOffer => "the workshop is the last to answer, and an offer stands",
            Self::Offered => "the workshop's offer stands",
            Self::OnlyOffer => "the workshop's offer is all that is left",
            Self::Edited => "the request was edited after the offer",
            Self::Expired => "the offer's own deadline has passed",
            Self::LastEdit => "the request is at its last revision, the 100th",
            Self::LastRevision => "the workshop's offer is at its last revision, the 50th",
            Self::Declined => "the workshop has declined",
            Self::Withdrawn => "the workshop has withdrawn its offer",
            Self::StagePending => "a stage that needs approval is not marked complete",
            Self::FreeStagePending => "a stage that needs no approval is not marked complete",
            Self::StageAwaiting => "a stage awaits approval, and is not the last",
            Self::LastStagePending => {
                "the last stage, which needs no approval, is not marked complete"
            }
            Self::LastBlockingStagePending => {
                "the last stage, which needs approval, is not marked complete"
            }
            Self::LastStageAwaiting => "the last stage awaits approval",
            Self::Finished => "all stages are completed",
            Self::WorkDisputed => "the work is in dispute",
            Self::FinishDisputed => "the finished work is in dispute",
            Self::Completed => "the work was accepted",
            Self::CompletedByDispute => "a dispute ended in completing the order",
            Self::Cancelled => "the order was cancelled in its negotiation",
            Self::CancelledByDispute => "a dispute ended in cancelling the order",
        }
    }

    fn history(self) -> Vec<OrderFact> {
        let with = |mut history: Vec<_>, more: &[OrderFact]| {
            history.extend_from_slice(more);
            history
        };
        let offered = || vec![placed(&[ALDER, BIRCH]), submitted(ALDER, &STAGES)];
        let work_disputed = || {
            let dispute = disputed(DisputedFrom::InProgress, COMMISSIONER);
            with(alder_works(&STAGES), &[dispute])
        };
        match self {
            Self::NotPlaced => vec![],
            Self::Pending => vec![placed(&[ALDER, BIRCH])],
            Self::LastToAnswer => vec![placed(&[ALDER, BIRCH]), declined(BIRCH)],
            Self::LastBesideAnOffer => {
                vec![placed(&[ALDER, BIRCH]), submitted(BIRCH, &STAGES)]
            }
            Self::OnlyOffer => with(offered(), &[declined(BIRCH)]),
            Self::Offered | Self::Expired => offered(),
            Self::Edited => with(offered(), &[retitled("Elm table", 2)]),
            Self::LastEdit => vec![placed(&[ALDER, BIRCH]), retitled("Elm table", 100)],
            Self::LastRevision => with(offered(), &[revised(ALDER, &STAGES, 50)]),
            Self::Declined => vec![placed(&[ALDER, BIRCH]), declined(ALDER)],
            Self::Withdrawn => with(offered(), &[withdrawn(ALDER)]),
            Self::StagePending => alder_works(&STAGES),
            Self::FreeStagePending => alder_works(&FREE),
            Self::StageAwaiting => with(alder_works(&STAGES), &[marked(1, &STAGES)]),
            Self::LastStagePending => alder_works(&LAST),
            Self::LastBlockingStagePending => alder_works(&LAST_BLOCKING),
            Self::LastStageAwaiting => {
                with(alder_works(&LAST_BLOCKING), &[marked(1, &LAST_BLOCKING)])
            }
            Self::Finished => alder_finished(),
            Self::WorkDisputed => work_disputed(),
            Self::FinishDisputed => {
                let dispute = disputed(DisputedFrom::Finished, COMMISSIONER);
                with(alder_finished(), &[dispute])
            }
            Self::Completed => with(alder_finished(), &[completed()]),
            Self::CompletedByDispute => {
                let resolution = resolved(Resolution::Complete, ResolvedState::Completed);
                with(work_disputed(), &[resolution, completed()])
            }
            Self::Cancelled => with(offered(), &[cancelled()]),
            Self::CancelledByDispute => {
                let resolution = resolved(Resolution::Cancel, ResolvedState::Cancelled);
                let cancelled = cancelled_by_dispute(CancelledFrom::InProgress);
                with(work_disputed(), &[resolution, cancelled])
            }
        }
    }

    fn now(self) -> DateTime<Utc> {
        // The offers of a scenario stand until minute 5 000.
        minute(if self == Self::Expired { 5_000 } else { 100 })
    }

    /// The order in this situation; the directory knows everybody.
    pub(crate) fn given(self) -> Given {
        given(self.history())
            .at(self.now())
            .with_directory(directory(&[(ALDER, true), (STRANGER, true)]))
    }
}

/// The offer that Alder puts: other terms than those that may stand, legal in every situation.
fn new_offer() -> OfferInput {
    OfferInput {
        deadline: Some(minute(9_000).to_rfc3339()),
        ..offer_input(&["Carve"])
    }
}

/// Every command, with values that are legal in every situation; about Alder, and the first stage.
pub(crate) fn commands() -> Vec<OrderCommand> {
    vec![
        place(&[ALDER]),
        retitle("Ash table"),
        invite(&[STRANGER]),
        submit_input(ALDER, new_offer()),
        revise_input(ALDER, new_offer()),
        withdraw(ALDER),
        decline(ALDER),
        confirm(ALDER),
        complete(1),
        approve(1),
        request_changes(1),
        OrderCommand::AcceptWork,
        cancel(),
        resolve(Resolution::Resume),
        resolve(Resolution::Cancel),
        resolve(Resolution::Complete),
    ]
}

/// The command's name, and where one has several ends, which.
pub(crate) fn label(command: &OrderCommand) -> String {
    let name = command.name();
    if let OrderCommand::ResolveDispute(command) = command {
        format!("{name} {}", command.resolution.as_str())
    } else {
        name.to_string()
    }
}

/// Everybody who might give a command: both sides, those who run or watch the marketplace, a rival
/// who was invited too, and those who are no party to the order.
pub(crate) const ACTORS: [Actor; 7] = [
    COMMISSIONER,
    by(ALDER),
    OPERATOR,
    ANALYST,
    by(BIRCH),
    by(STRANGER),
    OTHER_COMMISSIONER,
];

/// Every command's name, in the order of the rules' page.
pub(crate) fn command_names() -> Vec<CommandName> {
    // A new command has to take its place here.
    let following = |name: &CommandName| match name {
        CommandName::PlaceOrder => Some(CommandName::EditRequest),
        CommandName::EditRequest => Some(CommandName::InviteWorkshops),
        CommandName::InviteWorkshops => Some(CommandName::SubmitOffer),
        CommandName::SubmitOffer => Some(CommandName::ReviseOffer),
        CommandName::ReviseOffer => Some(CommandName::WithdrawOffer),
        CommandName::WithdrawOffer => Some(CommandName::DeclineInvitation),
        CommandName::DeclineInvitation => Some(CommandName::ConfirmOffer),
        CommandName::ConfirmOffer => Some(CommandName::CompleteStage),
        CommandName::CompleteStage => Some(CommandName::ApproveStage),
        CommandName::ApproveStage => Some(CommandName::RequestStageChanges),
        CommandName::RequestStageChanges => Some(CommandName::AcceptWork),
        CommandName::AcceptWork => Some(CommandName::CancelOrder),
        CommandName::CancelOrder => Some(CommandName::ResolveDispute),
        CommandName::ResolveDispute => None,
    };
    std::iter::successors(Some(CommandName::PlaceOrder), following).collect()
}

/// Every state, in the order of an order's life.
pub(crate) fn order_states() -> Vec<OrderState> {
    let following = |state: &OrderState| match state {
        OrderState::Negotiating => Some(OrderState::InProgress),
        OrderState::InProgress => Some(OrderState::Finished),
        OrderState::Finished => Some(OrderState::Disputed),
        OrderState::Disputed => Some(OrderState::Completed),
        OrderState::Completed => Some(OrderState::Cancelled),
        OrderState::Cancelled => None,
    };
    std::iter::successors(Some(OrderState::Negotiating), following).collect()
}
