//! The table of the rules, written down a second time and held against what [`super::decide`]
//! does: every command, by everybody, in every situation. A cell that nobody wrote down fails.

use std::collections::BTreeSet;

use kernel::{Actor, Role};

use crate::order::scenario::*;
use crate::order::scenes::{ACTORS, Scene, command_names, commands, label, order_states};
use crate::order::{CommandName, OrderState, evolve};

/// Whose command it is.
#[derive(Clone, Copy)]
enum By {
    ItsCommissioner,
    ThatWorkshop,
    ConfirmedWorkshop,
    EitherSide,
    Operator,
}

/// A row of the table: by whom, and in which states. An order is placed where there is none.
fn row(command: CommandName) -> (By, &'static [OrderState]) {
    use OrderState::{Disputed, Finished, InProgress, Negotiating};
    match command {
        CommandName::PlaceOrder => (By::ItsCommissioner, &[]),
        CommandName::EditRequest => (By::ItsCommissioner, &[Negotiating]),
        CommandName::InviteWorkshops => (By::ItsCommissioner, &[Negotiating]),
        CommandName::SubmitOffer => (By::ThatWorkshop, &[Negotiating]),
        CommandName::ReviseOffer => (By::ThatWorkshop, &[Negotiating]),
        CommandName::WithdrawOffer => (By::ThatWorkshop, &[Negotiating]),
        CommandName::DeclineInvitation => (By::ThatWorkshop, &[Negotiating]),
        CommandName::ConfirmOffer => (By::ItsCommissioner, &[Negotiating]),
        CommandName::CompleteStage => (By::ConfirmedWorkshop, &[InProgress]),
        CommandName::ApproveStage => (By::ItsCommissioner, &[InProgress]),
        CommandName::RequestStageChanges => (By::ItsCommissioner, &[InProgress]),
        CommandName::AcceptWork => (By::ItsCommissioner, &[Finished]),
        CommandName::CancelOrder => (By::EitherSide, &[Negotiating, InProgress, Finished]),
        CommandName::ResolveDispute => (By::Operator, &[Disputed]),
    }
}

/// Given, when, then: what a command comes to that is the actor's to give and that the state
/// allows. An arrow tells the state that the order comes to, where that is another.
const ALLOWED: &[(Scene, &str, &str)] = {
    use Scene::*;
    &[
        (NotPlaced, "PlaceOrder", "OrderPlaced -> negotiating"),
        (Pending, "EditRequest", "RequestEdited"),
        (Pending, "InviteWorkshops", "WorkshopsInvited"),
        (Pending, "SubmitOffer", "OfferSubmitted"),
        (Pending, "ReviseOffer", "OFFER_NOT_STANDING"),
        (Pending, "WithdrawOffer", "OFFER_NOT_STANDING"),
        (Pending, "DeclineInvitation", "InvitationDeclined"),
        (Pending, "ConfirmOffer", "OFFER_NOT_STANDING"),
        (Pending, "CancelOrder", "OrderCancelled -> cancelled"),
        (LastToAnswer, "EditRequest", "RequestEdited"),
        (LastToAnswer, "InviteWorkshops", "WorkshopsInvited"),
        (
            LastToAnswer,
            "SubmitOffer",
            "OfferSubmitted + AllResponsesReceived",
        ),
        (LastToAnswer, "ReviseOffer", "OFFER_NOT_STANDING"),
        (LastToAnswer, "WithdrawOffer", "OFFER_NOT_STANDING"),
        (
            LastToAnswer,
            "DeclineInvitation",
            "InvitationDeclined + AllInvitationsClosed",
        ),
        (LastToAnswer, "ConfirmOffer", "OFFER_NOT_STANDING"),
        (LastToAnswer, "CancelOrder", "OrderCancelled -> cancelled"),
        (LastBesideAnOffer, "EditRequest", "RequestEdited"),
        (LastBesideAnOffer, "InviteWorkshops", "WorkshopsInvited"),
        (
            LastBesideAnOffer,
            "SubmitOffer",
            "OfferSubmitted + AllResponsesReceived",
        ),
        (LastBesideAnOffer, "ReviseOffer", "OFFER_NOT_STANDING"),
        (LastBesideAnOffer, "WithdrawOffer", "OFFER_NOT_STANDING"),
        (
            LastBesideAnOffer,
            "DeclineInvitation",
            "InvitationDeclined + AllResponsesReceived",
        ),
        (LastBesideAnOffer, "ConfirmOffer", "OFFER_NOT_STANDING"),
        (
            LastBesideAnOffer,
            "CancelOrder",
            "OrderCancelled -> cancelled",
        ),
        (Offered, "EditRequest", "RequestEdited"),
        (Offered, "InviteWorkshops", "WorkshopsInvited"),
        (Offered, "SubmitOffer", "INVITATION_NOT_OPEN"),
        (Offered, "ReviseOffer", "OfferRevised"),
        (Offered, "WithdrawOffer", "OfferWithdrawn"),
        (Offered, "DeclineInvitation", "INVITATION_NOT_OPEN"),
        (Offered, "ConfirmOffer", "OfferConfirmed -> inProgress"),
        (Offered, "CancelOrder", "OrderCancelled -> cancelled"),
        (OnlyOffer, "EditRequest", "RequestEdited"),
        (OnlyOffer, "InviteWorkshops", "WorkshopsInvited"),
        (OnlyOffer, "SubmitOffer", "INVITATION_NOT_OPEN"),
        (OnlyOffer, "ReviseOffer", "OfferRevised"),
        (
            OnlyOffer,
            "WithdrawOffer",
            "OfferWithdrawn + AllInvitationsClosed",
        ),
        (OnlyOffer, "DeclineInvitation", "INVITATION_NOT_OPEN"),
        (OnlyOffer, "ConfirmOffer", "OfferConfirmed -> inProgress"),
        (OnlyOffer, "CancelOrder", "OrderCancelled -> cancelled"),
        (Edited, "EditRequest", "RequestEdited"),
        (Edited, "InviteWorkshops", "WorkshopsInvited"),
        (Edited, "SubmitOffer", "INVITATION_NOT_OPEN"),
        (Edited, "ReviseOffer", "OfferRevised"),
        (Edited, "WithdrawOffer", "OfferWithdrawn"),
        (Edited, "DeclineInvitation", "INVITATION_NOT_OPEN"),
        (Edited, "ConfirmOffer", "OFFER_OUTDATED"),
        (Edited, "CancelOrder", "OrderCancelled -> cancelled"),
        (Expired, "EditRequest", "RequestEdited"),
        (Expired, "InviteWorkshops", "WorkshopsInvited"),
        (Expired, "SubmitOffer", "INVITATION_NOT_OPEN"),
        (Expired, "ReviseOffer", "OfferRevised"),
        (Expired, "WithdrawOffer", "OfferWithdrawn"),
        (Expired, "DeclineInvitation", "INVITATION_NOT_OPEN"),
        (Expired, "ConfirmOffer", "OFFER_OUTDATED"),
        (Expired, "CancelOrder", "OrderCancelled -> cancelled"),
        (LastEdit, "EditRequest", "REVISION_LIMIT"),
        (LastEdit, "InviteWorkshops", "WorkshopsInvited"),
        (LastEdit, "SubmitOffer", "OfferSubmitted"),
        (LastEdit, "ReviseOffer", "OFFER_NOT_STANDING"),
        (LastEdit, "WithdrawOffer", "OFFER_NOT_STANDING"),
        (LastEdit, "DeclineInvitation", "InvitationDeclined"),
        (LastEdit, "ConfirmOffer", "OFFER_NOT_STANDING"),
        (LastEdit, "CancelOrder", "OrderCancelled -> cancelled"),
        (LastRevision, "EditRequest", "RequestEdited"),
        (LastRevision, "InviteWorkshops", "WorkshopsInvited"),
        (LastRevision, "SubmitOffer", "INVITATION_NOT_OPEN"),
        (LastRevision, "ReviseOffer", "REVISION_LIMIT"),
        (LastRevision, "WithdrawOffer", "OfferWithdrawn"),
        (LastRevision, "DeclineInvitation", "INVITATION_NOT_OPEN"),
        (LastRevision, "ConfirmOffer", "OfferConfirmed -> inProgress"),
        (LastRevision, "CancelOrder", "OrderCancelled -> cancelled"),
        (Declined, "EditRequest", "RequestEdited"),
        (Declined, "InviteWorkshops", "WorkshopsInvited"),
        (Declined, "SubmitOffer", "INVITATION_NOT_OPEN"),
        (Declined, "ReviseOffer", "OFFER_NOT_STANDING"),
        (Declined, "WithdrawOffer", "OFFER_NOT_STANDING"),
        (Declined, "DeclineInvitation", "INVITATION_NOT_OPEN"),
        (Declined, "ConfirmOffer", "OFFER_NOT_STANDING"),
        (Declined, "CancelOrder", "OrderCancelled -> cancelled"),
        (Withdrawn, "EditRequest", "RequestEdited"),
        (Withdrawn, "InviteWorkshops", "WorkshopsInvited"),
        (Withdrawn, "SubmitOffer", "INVITATION_NOT_OPEN"),
        (Withdrawn, "ReviseOffer", "OFFER_NOT_STANDING"),
        (Withdrawn, "WithdrawOffer", "OFFER_NOT_STANDING"),
        (Withdrawn, "DeclineInvitation", "INVITATION_NOT_OPEN"),
        (Withdrawn, "ConfirmOffer", "OFFER_NOT_STANDING"),
        (Withdrawn, "CancelOrder", "OrderCancelled -> cancelled"),
        (StagePending, "CompleteStage", "StageMarkedComplete"),
        (StagePending, "ApproveStage", "STAGE_NOT_AWAITING_APPROVAL"),
        (
            StagePending,
            "RequestStageChanges",
            "STAGE_NOT_AWAITING_APPROVAL",
        ),
        (
            StagePending,
            "CancelOrder",
            "CancellationDisputed -> disputed",
        ),
        (FreeStagePending, "CompleteStage", "StageMarkedComplete"),
        (
            FreeStagePending,
            "ApproveStage",
            "STAGE_NOT_AWAITING_APPROVAL",
        ),
        (
            FreeStagePending,
            "RequestStageChanges",
            "STAGE_NOT_AWAITING_APPROVAL",
        ),
        (
            FreeStagePending,
            "CancelOrder",
            "CancellationDisputed -> disputed",
        ),
        (
            LastBlockingStagePending,
            "CompleteStage",
            "StageMarkedComplete",
        ),
        (
            LastBlockingStagePending,
            "ApproveStage",
            "STAGE_NOT_AWAITING_APPROVAL",
        ),
        (
            LastBlockingStagePending,
            "RequestStageChanges",
            "STAGE_NOT_AWAITING_APPROVAL",
        ),
        (
            LastBlockingStagePending,
            "CancelOrder",
            "CancellationDisputed -> disputed",
        ),
        (StageAwaiting, "CompleteStage", "STAGE_AWAITING_APPROVAL"),
        (StageAwaiting, "ApproveStage", "StageApproved"),
        (
            StageAwaiting,
            "RequestStageChanges",
            "StageChangesRequested",
        ),
        (
            StageAwaiting,
            "CancelOrder",
            "CancellationDisputed -> disputed",
        ),
        (
            LastStagePending,
            "CompleteStage",
            "StageMarkedComplete + OrderFinished -> finished",
        ),
        (
            LastStagePending,
            "ApproveStage",
            "STAGE_NOT_AWAITING_APPROVAL",
        ),
        (
            LastStagePending,
            "RequestStageChanges",
            "STAGE_NOT_AWAITING_APPROVAL",
        ),
        (
            LastStagePending,
            "CancelOrder",
            "CancellationDisputed -> disputed",
        ),
        (
            LastStageAwaiting,
            "CompleteStage",
            "STAGE_AWAITING_APPROVAL",
        ),
        (
            LastStageAwaiting,
            "ApproveStage",
            "StageApproved + OrderFinished -> finished",
        ),
        (
            LastStageAwaiting,
            "RequestStageChanges",
            "StageChangesRequested",
        ),
        (
            LastStageAwaiting,
            "CancelOrder",
            "CancellationDisputed -> disputed",
        ),
        (Finished, "AcceptWork", "OrderCompleted -> completed"),
        (Finished, "CancelOrder", "CancellationDisputed -> disputed"),
        (
            WorkDisputed,
            "ResolveDispute resume",
            "DisputeResolved -> inProgress",
        ),
        (
            WorkDisputed,
            "ResolveDispute cancel",
            "DisputeResolved + OrderCancelled -> cancelled",
        ),
        (
            WorkDisputed,
            "ResolveDispute complete",
            "DisputeResolved + OrderCompleted -> completed",
        ),
        (
            FinishDisputed,
            "ResolveDispute resume",
            "DisputeResolved -> finished",
        ),
        (
            FinishDisputed,
            "ResolveDispute cancel",
            "DisputeResolved + OrderCancelled -> cancelled",
        ),
        (
            FinishDisputed,
            "ResolveDispute complete",
            "DisputeResolved + OrderCompleted -> completed",
        ),
    ]
};

/// Whether the order is there for the actor: parties, and those who run or watch the marketplace.
fn knows(actor: Actor) -> bool {
    ![OTHER_COMMISSIONER, by(STRANGER)].contains(&actor)
}

/// Whether the command is the actor's to give, on a placed order. While nobody is confirmed, it is
/// the state that refuses a workshop that was invited.
fn may(actor: Actor, whose: By, is_confirmed: bool) -> bool {
    match actor.role {
        Role::Analyst => false,
        Role::Operator => true,
        Role::Commissioner => matches!(whose, By::ItsCommissioner | By::EitherSide),
        Role::Workshop => match whose {
            By::ItsCommissioner | By::Operator => false,
            By::ThatWorkshop => actor == by(ALDER),
            By::ConfirmedWorkshop => actor == by(ALDER) || !is_confirmed,
            By::EitherSide => actor == by(ALDER) && is_confirmed,
        },
    }
}

/// What the table and its rules say of one cell.
fn expected(scene: Scene, actor: Actor, command: CommandName, label: &str) -> &'static str {
    let order = scene.given().order;
    let (whose, states) = row(command);
    let places = command == CommandName::PlaceOrder;
    let allowed = match order.state() {
        None if places => actor == COMMISSIONER,
        None => return "NOT_FOUND",
        // Nobody places in another's name; who places again is told that the order is there.
        Some(_) if places && actor != COMMISSIONER => return "FORBIDDEN",
        Some(_) if places => return "ILLEGAL_TRANSITION",
        Some(_) if !knows(actor) => return "NOT_FOUND",
        Some(_) => may(actor, whose, order.work().is_some()),
    };
    if !allowed {
        return "FORBIDDEN";
    }
    if order.state().is_some_and(|state| !states.contains(&state)) {
        return "ILLEGAL_TRANSITION";
    }
    let cell = ALLOWED
        .iter()
        .find(|cell| (cell.0, cell.1) == (scene, label));
    cell.unwrap_or_else(|| panic!("nobody wrote down {label} where {}", scene.words()))
        .2
}

/// What really comes of it.
fn outcome(scene: Scene, actor: Actor, command: super::OrderCommand) -> String {
    let given = scene.given();
    let events = match given.when(actor, command).outcome {
        Ok(events) => events,
        Err(rejection) => return rejection.code().as_str().to_owned(),
    };
    let facts: Vec<_> = events.iter().map(|event| event.fact.event_type()).collect();
    let before = given.order.state();
    let after = events.iter().try_fold(given.order, evolve).unwrap().state();
    let facts = facts.join(" + ");
    match after.filter(|_| after != before) {
        Some(state) => format!("{facts} -> {state}"),
        None => facts,
    }
}

#[test]
fn every_command_by_everybody_in_every_situation_is_as_the_table_says() {
    let mut met = BTreeSet::new();
    let mut wrong = Vec::new();
    for scene in Scene::ALL {
        for command in commands() {
            let (name, label) = (command.name(), label(&command));
            for actor in ACTORS {
                let expected = expected(scene, actor, name, &label);
                let outcome = outcome(scene, actor, command.clone());
                if outcome != expected {
                    let who = format!("{} {}", actor.role, actor.id);
                    let cell = format!("{label} by {who} where {}", scene.words());
                    wrong.push(format!("{cell}: {outcome}, not {expected}"));
                }
            }
            met.insert((scene.words(), label));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (scene, label, _) in ALLOWED {
        let cell = (scene.words(), (*label).to_owned());
        assert!(met.contains(&cell), "{cell:?} is no cell");
    }
}

#[test]
fn each_command_names_the_states_that_the_table_gives_it() {
    for command in command_names() {
        assert_eq!(command.states(), row(command).1, "{command}");
    }
}

#[test]
fn the_situations_and_commands_are_all_there_are() {
    let told: BTreeSet<_> = commands().iter().map(|c| c.name().as_str()).collect();
    let names = command_names();
    assert_eq!(told, names.iter().map(|name| name.as_str()).collect());
    let reached = Scene::ALL.map(|scene| scene.given().order.state());
    assert!(reached.contains(&None));
    for state in order_states() {
        assert!(reached.contains(&Some(state)), "no situation is {state}");
    }
}
