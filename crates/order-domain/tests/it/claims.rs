//! What is said to be possible, proved by doing: over random lives, for everybody and every command,
//! with words that are legal, what is taken is what was claimed.

use std::collections::BTreeSet;

use kernel::{Actor, WorkshopId};
use order_domain::order::{
    ApproveStage, CancelOrder, CompleteStage, ConfirmOffer, Context, DeclineInvitation,
    EditRequest, Intent, InviteWorkshops, Order, OrderCommand, RequestStageChanges, ResolveDispute,
    ReviseOffer, SubmitOffer, WithdrawOffer, decide, evolve, intents, possible,
};
use order_domain::value::{
    MAX_SEATS, MoneyInput, OfferDraft, OfferInput, RequestEditInput, StageNumber,
};
use proptest::test_runner::{Config, TestRunner};
use proptest_state_machine::ReferenceStateMachine;

use crate::model::Who;
use crate::order::{actor, command, context, id, minute};
use crate::runs::Reference;
use crate::toss::Step;

const LIVES: u32 = 2_000;
/// A workshop that takes commissions, and that no run invites.
const STRANGER: usize = 39;

/// Every intent that anybody could think of.
fn every_intent(order: &Order) -> Vec<Intent> {
    let seats = order.placement().map_or(&[][..], |it| it.invitations());
    let named = seats
        .iter()
        .map(|seat| seat.workshop_id())
        .chain([id(STRANGER)]);
    let of_seats = named.flat_map(|id| {
        [
            Intent::SubmitOffer(id),
            Intent::ReviseOffer(id),
            Intent::WithdrawOffer(id),
            Intent::DeclineInvitation(id),
            Intent::ConfirmOffer(id),
        ]
    });
    let of_stages = (1..=4).filter_map(StageNumber::new).flat_map(|stage| {
        [
            Intent::CompleteStage(stage),
            Intent::ApproveStage(stage),
            Intent::RequestStageChanges(stage),
        ]
    });
    let others = [
        Intent::EditRequest,
        Intent::InviteWorkshops,
        Intent::AcceptWork,
        Intent::CancelOrder,
        Intent::ResolveDispute,
    ];
    of_seats.chain(of_stages).chain(others).collect()
}

fn everybody(order: &Order) -> Vec<Actor> {
    let seats = order.placement().map_or(&[][..], |it| it.invitations());
    let who = [
        Who::Commissioner,
        Who::AnotherCommissioner,
        Who::Workshop(STRANGER),
        Who::Operator,
        Who::Analyst,
    ];
    let workshop = |id: WorkshopId| Actor::new(kernel::Role::Workshop, id.as_uuid());
    let seated = seats.iter().map(|seat| workshop(seat.workshop_id()));
    who.map(actor).into_iter().chain(seated).collect()
}

/// A command of the intent with words that are legal there.
fn legal(order: &Order, intent: Intent, now: i64) -> OrderCommand {
    match intent {
        Intent::EditRequest => {
            let edit = RequestEditInput {
                title: Some(Some(format!("Something else at {now}"))),
                ..RequestEditInput::default()
            };
            OrderCommand::EditRequest(EditRequest::parse(edit, minute(now)).unwrap())
        }
        Intent::InviteWorkshops => {
            let invited = vec![invitee(order).to_string()];
            OrderCommand::InviteWorkshops(InviteWorkshops::parse(Some(invited)).unwrap())
        }
        Intent::SubmitOffer(workshop_id) => OrderCommand::SubmitOffer(SubmitOffer {
            workshop_id,
            offer: offer(order, now),
        }),
        Intent::ReviseOffer(workshop_id) => OrderCommand::ReviseOffer(ReviseOffer {
            workshop_id,
            offer: offer(order, now),
        }),
        Intent::WithdrawOffer(id) => {
            OrderCommand::WithdrawOffer(WithdrawOffer::parse(id, None).unwrap())
        }
        Intent::DeclineInvitation(id) => {
            OrderCommand::DeclineInvitation(DeclineInvitation::parse(id, None).unwrap())
        }
        Intent::ConfirmOffer(id) => {
            OrderCommand::ConfirmOffer(ConfirmOffer::parse(id, None).unwrap())
        }
        Intent::CompleteStage(stage) => OrderCommand::CompleteStage(CompleteStage { stage }),
        Intent::ApproveStage(stage) => OrderCommand::ApproveStage(ApproveStage { stage }),
        Intent::RequestStageChanges(stage) => {
            let command = RequestStageChanges::parse(stage, Some("Rounder."));
            OrderCommand::RequestStageChanges(command.unwrap())
        }
        Intent::AcceptWork => OrderCommand::AcceptWork,
        Intent::CancelOrder => {
            OrderCommand::CancelOrder(CancelOrder::parse(Some("Moved.")).unwrap())
        }
        Intent::ResolveDispute => {
            let command = ResolveDispute::parse(Some("resume"), Some("Both were heard."));
            OrderCommand::ResolveDispute(command.unwrap())
        }
    }
}

/// Who could be invited: somebody new while there is room, else whose seat is closed.
fn invitee(order: &Order) -> WorkshopId {
    let seats = order.placement().map_or(&[][..], |it| it.invitations());
    let closed = seats
        .iter()
        .find(|seat| matches!(seat.status().as_str(), "declined" | "withdrawn"));
    match closed {
        Some(seat) if seats.len() >= MAX_SEATS => seat.workshop_id(),
        _ => id(STRANGER),
    }
}

/// Terms that nobody has put, in the request's currency.
fn offer(order: &Order, now: i64) -> OfferDraft {
    let request = order.placement().map(|placement| placement.request());
    let currency = request.map_or("EUR".to_owned(), |it| it.budget.currency().to_string());
    let input = OfferInput {
        budget: Some(MoneyInput {
            amount: Some("77777".to_owned()),
            currency: Some(currency),
        }),
        deadline: Some(minute(now + 10_000).to_rfc3339()),
        description: Some("Elm.".to_owned()),
        stages: None,
        request_revision: None,
    };
    input.parse("", minute(now)).unwrap()
}

/// What the rules make of every intent, by everybody, is what they claimed; what is listed for
/// somebody is all that they could do.
fn prove(order: &Order, clock: i64, met: &mut BTreeSet<(&'static str, &'static str)>) {
    for actor in everybody(order) {
        let listed = intents(order, actor);
        for intent in every_intent(order) {
            let command = legal(order, intent, clock.max(0) + 20_000);
            let context = Context {
                actor,
                ..context(Who::Analyst, &command, clock)
            };
            let claimed = possible(order, intent, &context).map_err(|no| no.code().as_str());
            let outcome = decide(order, command.clone(), &context);
            let outcome = outcome.map(drop).map_err(|no| no.code().as_str());
            assert_eq!(claimed, outcome, "{intent:?} by {actor:?} on {order:#?}");
            assert!(
                claimed.is_err() || listed.contains(&intent),
                "{intent:?} is not listed"
            );
            let said = outcome.map_or_else(|code| code, |()| "taken");
            met.insert((command.name().as_str(), said));
        }
    }
}

#[test]
fn what_is_claimed_to_be_possible_is_what_is_taken() {
    let config = Config {
        cases: Config::default().cases.max(LIVES),
        failure_persistence: None,
        ..Config::default()
    };
    let met = std::sync::Mutex::new(BTreeSet::new());
    let lives = Reference::sequential_strategy(1..=60);
    let outcome = TestRunner::new(config).run(&lives, |(mut reference, steps, _)| {
        let mut order = Order::default();
        for step in steps {
            let Step { who, ask, .. } = &step;
            let command = command(ask);
            let clock = reference.model.clock + step.minutes;
            let context = context(*who, &command, clock);
            if let Ok(events) = decide(&order, command, &context) {
                order = events.iter().try_fold(order, evolve).unwrap();
            }
            reference = Reference::apply(reference, &step);
        }
        prove(&order, reference.model.clock, &mut met.lock().unwrap());
        Ok(())
    });
    outcome.unwrap();
    // Every command was taken somewhere, and refused by its state and by whose it is.
    let met = met.lock().unwrap();
    let said = |said| met.iter().filter(|(_, it)| *it == said).count();
    assert_eq!(said("taken"), 13, "{met:?}");
    assert_eq!(said("ILLEGAL_TRANSITION"), 13, "{met:?}");
    assert_eq!(said("FORBIDDEN"), 13, "{met:?}");
}
