//! The order under test: what is asked by numbers, asked of the crate; and its order, in numbers.

use chrono::{DateTime, TimeDelta, Utc};
use kernel::{Actor, CommissionerId, OrderId, Role, WorkshopId};
use order_domain::order::{
    ApproveStage, CancelOrder, CompleteStage, ConfirmOffer, Context, DeclineInvitation,
    EditRequest, InviteWorkshops, Order, OrderCommand, PlaceOrder, PlaceOrderInput,
    RequestStageChanges, ResolveDispute, ReviseOffer, StageStatus, SubmitOffer, WithdrawOffer,
};
use order_domain::value::{
    MoneyInput, OfferInput, RequestEditInput, RequestInput, StageInput, StageNumber, WorkshopName,
};
use order_domain::workshop::{Directory, Workshop, WorkshopEvent, WorkshopFact};
use uuid::Uuid;

use crate::model::{
    Ask, CLOSED, Edit, Ending, FIRST_REQUEST, Model, ONESELF, OPEN_WORKSHOPS, PLANS, Price, Put,
    Who,
};

pub(crate) const ORDER: OrderId = OrderId::from_uuid(Uuid::from_u128(1));
const CLIENT: Uuid = Uuid::from_u128(0xc0);

/// The instant of a minute.
pub(crate) fn minute(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minutes)
}

pub(crate) fn id(workshop: usize) -> WorkshopId {
    WorkshopId::from_uuid(if workshop == ONESELF {
        CLIENT
    } else {
        Uuid::from_u128(0xa00 + workshop as u128)
    })
}

pub(crate) fn actor(who: Who) -> Actor {
    match who {
        Who::Commissioner => Actor::new(Role::Commissioner, CLIENT),
        Who::AnotherCommissioner => Actor::new(Role::Commissioner, Uuid::from_u128(0xc9)),
        Who::Workshop(workshop) => Actor::new(Role::Workshop, id(workshop).as_uuid()),
        Who::Operator => Actor::new(Role::Operator, Uuid::from_u128(0x0e)),
        Who::Analyst => Actor::new(Role::Analyst, Uuid::from_u128(0x0f)),
    }
}

/// The circumstances of a command: the directory, as far as it names anybody.
pub(crate) fn context(who: Who, command: &OrderCommand, clock: i64) -> Context {
    let known = (0..OPEN_WORKSHOPS).chain([CLOSED]);
    let entries = known.filter(|workshop| command.invites().contains(&id(*workshop)));
    let directory: Directory = entries.map(entry).collect();
    Context::new(actor(who), minute(clock)).with_directory(directory)
}

fn entry(workshop: usize) -> Workshop {
    let registered = WorkshopEvent {
        workshop_id: id(workshop),
        occurred_at: minute(-1),
        fact: WorkshopFact::WorkshopRegistered {
            name: WorkshopName::parse("A workshop").unwrap(),
            accepts_commissions: workshop != CLOSED,
        },
    };
    order_domain::workshop::evolve(Workshop::default(), &registered).unwrap()
}

fn money(price: Price) -> MoneyInput {
    let currency = if price.in_dollars { "USD" } else { "EUR" };
    MoneyInput {
        amount: Some(price.amount.to_string()),
        currency: Some(currency.to_owned()),
    }
}

fn title(number: u32) -> String {
    format!("Table {number}")
}

fn ids(workshops: &[usize]) -> Option<Vec<String>> {
    Some(workshops.iter().map(|one| id(*one).to_string()).collect())
}

fn offer(put: &Put) -> OfferInput {
    let stage = |(number, blocks): (usize, &bool)| StageInput {
        name: Some(format!("Stage {number}")),
        description: Some("As agreed.".to_owned()),
        duration_days: None,
        requires_approval: Some(*blocks),
    };
    OfferInput {
        budget: Some(money(put.terms.price)),
        deadline: Some(minute(put.terms.due).to_rfc3339()),
        description: Some("Solid oak.".to_owned()),
        stages: Some(
            PLANS[put.terms.plan]
                .iter()
                .enumerate()
                .map(stage)
                .collect(),
        ),
        request_revision: put.answers.map(i64::from),
    }
}

fn edit(edit: &Edit) -> RequestEditInput {
    RequestEditInput {
        title: edit.title.map(|number| Some(title(number))),
        brief: None,
        budget: edit.budget.map(|price| Some(money(price))),
        deadline: edit.due.map(|due| Some(minute(due).to_rfc3339())),
    }
}

/// What is asked, as the crate reads it from a client.
pub(crate) fn command(ask: &Ask) -> OrderCommand {
    // Deadlines that have passed are left to the decision.
    let early = minute(i64::from(i32::MIN));
    let stage = |number: &usize| StageNumber::new(*number as u32).unwrap();
    match ask {
        Ask::Place { workshops } => {
            let request = RequestInput {
                title: Some(title(FIRST_REQUEST.title)),
                brief: Some("For eight.".to_owned()),
                budget: Some(money(FIRST_REQUEST.budget)),
                deadline: Some(minute(FIRST_REQUEST.due).to_rfc3339()),
            };
            let input = PlaceOrderInput {
                request: Some(request),
                workshops: ids(workshops),
            };
            let client = CommissionerId::from_uuid(CLIENT);
            OrderCommand::PlaceOrder(PlaceOrder::parse(ORDER, client, input, early).unwrap())
        }
        Ask::Edit(changes) => {
            OrderCommand::EditRequest(EditRequest::parse(edit(changes), early).unwrap())
        }
        Ask::Invite { workshops } => {
            OrderCommand::InviteWorkshops(InviteWorkshops::parse(ids(workshops)).unwrap())
        }
        Ask::Submit(put) => {
            let command = SubmitOffer::parse(id(put.workshop), offer(put), early);
            OrderCommand::SubmitOffer(command.unwrap())
        }
        Ask::Revise(put) => OrderCommand::ReviseOffer(ReviseOffer {
            workshop_id: id(put.workshop),
            offer: offer(put).parse("", early).unwrap(),
        }),
        Ask::Withdraw { workshop } => {
            OrderCommand::WithdrawOffer(WithdrawOffer::parse(id(*workshop), None).unwrap())
        }
        Ask::Decline { workshop } => {
            OrderCommand::DeclineInvitation(DeclineInvitation::parse(id(*workshop), None).unwrap())
        }
        Ask::Confirm { workshop, revision } => {
            let command = ConfirmOffer::parse(id(*workshop), revision.map(i64::from));
            OrderCommand::ConfirmOffer(command.unwrap())
        }
        Ask::Complete { stage: number } => OrderCommand::CompleteStage(CompleteStage {
            stage: stage(number),
        }),
        Ask::Approve { stage: number } => OrderCommand::ApproveStage(ApproveStage {
            stage: stage(number),
        }),
        Ask::SendBack { stage: number } => {
            let command = RequestStageChanges::parse(stage(number), Some("Rounder."));
            OrderCommand::RequestStageChanges(command.unwrap())
        }
        Ask::Accept => OrderCommand::AcceptWork,
        Ask::Cancel => OrderCommand::CancelOrder(CancelOrder::parse(Some("Moved.")).unwrap()),
        Ask::Resolve(ending) => {
            let resolution = match ending {
                Ending::Resume => "resume",
                Ending::Cancel => "cancel",
                Ending::Complete => "complete",
            };
            let command = ResolveDispute::parse(Some(resolution), Some("Both were heard."));
            OrderCommand::ResolveDispute(command.unwrap())
        }
    }
}

/// The order is what the model says, whatever can be read of it.
pub(crate) fn assert_same(order: &Order, model: &Model) {
    let state = order.state().map(|state| state.as_str());
    assert_eq!(state, model.state());
    let Some(placement) = order.placement() else {
        return;
    };
    let request = placement.request();
    assert_eq!(request.revision.get(), model.request.revision);
    assert_eq!(request.title.as_str(), title(model.request.title));
    assert_eq!(request.deadline.instant(), minute(model.request.due));
    assert_eq!(request.budget.to_string(), shown(model.request.budget));

    let now = minute(model.last);
    assert_eq!(placement.updated_at(), now);
    assert_eq!(placement.invitations().len(), model.seats.len());
    for (seat, expected) in placement.invitations().iter().zip(&model.seats) {
        assert_eq!(seat.workshop_id(), id(expected.workshop));
        assert_eq!(seat.status().as_str(), expected.status);
        assert_eq!(seat.offer().is_some(), expected.offer.is_some());
        if let Some((offer, expected)) = seat.offer().zip(expected.offer) {
            assert_eq!(offer.offer_revision.get(), expected.revision);
            assert_eq!(offer.request_revision.get(), expected.answers);
            assert_eq!(offer.budget.to_string(), shown(expected.terms.price));
            assert_eq!(offer.deadline.instant(), minute(expected.terms.due));
        }
        let stands = expected.offer.filter(|_| expected.status == "offered");
        let outdated = stands.is_some_and(|offer| model.is_outdated(&offer, model.last));
        assert_eq!(seat.outdated(request.revision, now).is_some(), outdated);
    }
    assert_same_work(order, model);
}

fn assert_same_work(order: &Order, model: &Model) {
    let current = order.current_stage().map(|stage| stage.get() as usize);
    assert_eq!(current, model.current_stage());
    assert_eq!(order.dispute().is_some(), model.state() == Some("disputed"));
    assert_eq!(order.work().is_some(), model.work.is_some());
    let Some((work, expected)) = order.work().zip(model.work) else {
        return;
    };
    assert_eq!(work.workshop_id(), id(expected.workshop));
    let plan = PLANS[expected.plan];
    assert_eq!(work.stages().count(), plan.len());
    for (index, stage) in work.stages().enumerate() {
        assert_eq!(stage.plan.requires_approval, plan[index]);
        let is_next = index == expected.done;
        match stage.status {
            StageStatus::Completed { .. } => assert!(index < expected.done),
            StageStatus::AwaitingApproval => assert!(is_next && expected.marked),
            StageStatus::Pending => {
                assert!(index > expected.done || (is_next && !expected.marked));
            }
        }
    }
}

fn shown(price: Price) -> String {
    let currency = if price.in_dollars { "USD" } else { "EUR" };
    format!("{}.00 {currency}", price.amount)
}
