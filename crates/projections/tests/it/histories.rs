//! Orders that live a life of their own: random commands, decided by the domain.

use chrono::{DateTime, TimeDelta, Utc};
use kernel::{Actor, CommissionerId, OrderId, Role, WorkshopId};
use order_domain::order::{
    ApproveStage, CancelOrder, CompleteStage, ConfirmOffer, Context, DeclineInvitation,
    EditRequest, InviteWorkshops, Order, OrderCommand, OrderEvent, PlaceOrder, PlaceOrderInput,
    RequestStageChanges, ResolveDispute, SubmitOffer, WithdrawOffer, decide, evolve, on_behalf_of,
};
use order_domain::value::{
    MoneyInput, OfferInput, RequestEditInput, RequestInput, StageInput, StageNumber, WorkshopName,
};
use order_domain::workshop::{Directory, Workshop, WorkshopEvent, WorkshopFact};
use uuid::Uuid;

/// An event, and who did it.
#[derive(Debug, Clone)]
pub(crate) struct Happened {
    pub(crate) event: OrderEvent,
    pub(crate) actor: Actor,
    pub(crate) on_behalf_of: Option<Actor>,
}

/// Numbers that look random and are the same in every run.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

pub(crate) fn workshop_id(number: usize) -> WorkshopId {
    WorkshopId::from_uuid(Uuid::from_u128(0xa0_0000 + number as u128))
}

pub(crate) fn commissioner_id(number: usize) -> CommissionerId {
    CommissionerId::from_uuid(Uuid::from_u128(0xc0_0000 + number as u128))
}

pub(crate) fn operator() -> Actor {
    Actor::new(Role::Operator, Uuid::from_u128(0x0e))
}

pub(crate) fn commissioner(id: CommissionerId) -> Actor {
    Actor::new(Role::Commissioner, id.as_uuid())
}

pub(crate) fn workshop(id: WorkshopId) -> Actor {
    Actor::new(Role::Workshop, id.as_uuid())
}

/// One order under way.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) order_id: OrderId,
    pub(crate) commissioner_id: CommissionerId,
    pub(crate) workshops: Vec<WorkshopId>,
    pub(crate) order: Order,
    pub(crate) happened: Vec<Happened>,
    now: DateTime<Utc>,
}

impl History {
    /// An order number `number`, placed `number` minutes after the new year of 2027.
    pub(crate) fn place(number: usize, by: CommissionerId, workshops: Vec<WorkshopId>) -> Self {
        let now = DateTime::<Utc>::from_timestamp(1_798_761_600, 0).unwrap()
            + TimeDelta::minutes(number.try_into().unwrap());
        let mut history = Self {
            order_id: OrderId::from_uuid(Uuid::from_u128(0xd0_0000 + number as u128)),
            commissioner_id: by,
            workshops,
            order: Order::default(),
            happened: Vec::new(),
            now,
        };
        let input = PlaceOrderInput {
            request: Some(RequestInput {
                title: Some(format!("Piece {number}")),
                brief: Some("In oak".to_owned()),
                budget: Some(money(1000 + number)),
                deadline: Some("2028-01-01T00:00:00.123456Z".to_owned()),
            }),
            workshops: Some(history.workshops.iter().map(ToString::to_string).collect()),
        };
        let command = PlaceOrder::parse(history.order_id, by, input, now).unwrap();
        assert!(history.give(commissioner(by), OrderCommand::PlaceOrder(command)));
        history
    }

    /// Gives a command; returns whether it was accepted.
    pub(crate) fn give(&mut self, actor: Actor, command: OrderCommand) -> bool {
        self.now += TimeDelta::microseconds(1_000_001);
        let command = command.revising_what_stands(&self.order);
        let context = Context::new(actor, self.now).with_directory(self.directory());
        let on_behalf_of = on_behalf_of(&self.order, &command, actor);
        let Ok(events) = decide(&self.order, command, &context) else {
            return false;
        };
        for event in events {
            self.order = evolve(std::mem::take(&mut self.order), &event).unwrap();
            self.happened.push(Happened {
                event,
                actor,
                on_behalf_of,
            });
        }
        true
    }

    /// Lets time pass.
    pub(crate) fn wait_minutes(&mut self, minutes: i64) {
        self.now += TimeDelta::minutes(minutes);
    }

    /// Changes what is asked for, so that every standing offer is outdated.
    pub(crate) fn edit(&mut self, budget: usize) -> bool {
        let input = RequestEditInput {
            budget: Some(Some(money(budget))),
            ..RequestEditInput::default()
        };
        let command = EditRequest::parse(input, self.now).unwrap();
        self.give(
            commissioner(self.commissioner_id),
            OrderCommand::EditRequest(command),
        )
    }

    pub(crate) fn invite(&mut self, workshop_id: WorkshopId) -> bool {
        let seated = self.workshops.len();
        if !self.workshops.contains(&workshop_id) {
            self.workshops.push(workshop_id);
        }
        let command = InviteWorkshops::parse(Some(vec![workshop_id.to_string()])).unwrap();
        let invited = self.give(
            commissioner(self.commissioner_id),
            OrderCommand::InviteWorkshops(command),
        );
        if !invited {
            self.workshops.truncate(seated);
        }
        invited
    }

    pub(crate) fn offer(&mut self, by: WorkshopId, blocking: &[bool], deadline: &str) -> bool {
        let stages = blocking
            .iter()
            .enumerate()
            .map(|(index, blocking)| StageInput {
                name: Some(format!("Stage {index}")),
                description: Some("A part of the work".to_owned()),
                duration_days: (index % 2 == 0).then_some(10),
                requires_approval: Some(*blocking),
            });
        let input = OfferInput {
            budget: Some(money(900)),
            deadline: Some(deadline.to_owned()),
            description: Some("Solid oak".to_owned()),
            stages: Some(stages.collect()),
            request_revision: None,
        };
        let command = SubmitOffer::parse(by, input, self.now).unwrap();
        self.give(workshop(by), OrderCommand::SubmitOffer(command))
    }

    pub(crate) fn decline(&mut self, by: WorkshopId) -> bool {
        let command = DeclineInvitation::parse(by, Some("Fully booked")).unwrap();
        self.give(workshop(by), OrderCommand::DeclineInvitation(command))
    }

    pub(crate) fn withdraw(&mut self, by: WorkshopId) -> bool {
        let command = WithdrawOffer::parse(by, Some("No oak left")).unwrap();
        self.give(workshop(by), OrderCommand::WithdrawOffer(command))
    }

    pub(crate) fn confirm(&mut self, offer_of: WorkshopId) -> bool {
        let command = ConfirmOffer::parse(offer_of, None).unwrap();
        self.give(
            commissioner(self.commissioner_id),
            OrderCommand::ConfirmOffer(command),
        )
    }

    pub(crate) fn complete_stage(&mut self, by: Actor, number: u32) -> bool {
        let stage = StageNumber::new(number).unwrap();
        self.give(by, OrderCommand::CompleteStage(CompleteStage { stage }))
    }

    pub(crate) fn approve_stage(&mut self, number: u32) -> bool {
        let stage = StageNumber::new(number).unwrap();
        let command = OrderCommand::ApproveStage(ApproveStage { stage });
        self.give(commissioner(self.commissioner_id), command)
    }

    pub(crate) fn request_changes(&mut self, number: u32) -> bool {
        let stage = StageNumber::new(number).unwrap();
        let command = RequestStageChanges::parse(stage, Some("Rounder corners")).unwrap();
        self.give(
            commissioner(self.commissioner_id),
            OrderCommand::RequestStageChanges(command),
        )
    }

    pub(crate) fn resolve(&mut self, resolution: &str) -> bool {
        let command = ResolveDispute::parse(Some(resolution), Some("As agreed")).unwrap();
        self.give(operator(), OrderCommand::ResolveDispute(command))
    }

    pub(crate) fn cancel(&mut self, by: Actor) -> bool {
        let command = CancelOrder::parse(Some("Too late")).unwrap();
        self.give(by, OrderCommand::CancelOrder(command))
    }

    /// Tries one command of anybody's.
    pub(crate) fn step(&mut self, chance: &mut Chance) {
        let someone = self.workshops[chance.below(self.workshops.len())];
        let confirmed = self.order.work().map_or(someone, |work| work.workshop_id());
        let current = self.order.current_stage().map_or(1, StageNumber::get);
        let commissioner = commissioner(self.commissioner_id);
        match chance.below(24) {
            0..5 => {
                let blocking: Vec<bool> = (0..chance.below(4)).map(|n| n % 2 == 1).collect();
                let deadline = ["2027-06-01T00:00:00Z", "2028-06-01T00:00:00Z"][chance.below(2)];
                self.offer(someone, &blocking, deadline)
            }
            5 => self.decline(someone),
            6 => self.withdraw(someone),
            7 => self.edit(1000 + chance.below(3)),
            8 => self.invite(workshop_id(chance.below(8))),
            9..11 => self.confirm(someone),
            11..15 => self.complete_stage(workshop(confirmed), current),
            15..17 => self.approve_stage(current),
            17 => self.request_changes(current),
            18 => self.complete_stage(operator(), current),
            19 => self.give(commissioner, OrderCommand::AcceptWork),
            20..22 => self.resolve(["resume", "cancel", "complete"][chance.below(3)]),
            _ if chance.below(4) > 0 => false,
            _ => self.cancel([commissioner, workshop(confirmed)][chance.below(2)]),
        };
    }

    fn directory(&self) -> Directory {
        let registered = |workshop_id: &WorkshopId| {
            let event = WorkshopEvent {
                workshop_id: *workshop_id,
                occurred_at: self.now,
                fact: WorkshopFact::WorkshopRegistered {
                    name: WorkshopName::parse("Workshop").unwrap(),
                    accepts_commissions: true,
                },
            };
            order_domain::workshop::evolve(Workshop::default(), &event).unwrap()
        };
        self.workshops.iter().map(registered).collect()
    }
}

fn money(amount: usize) -> MoneyInput {
    MoneyInput {
        amount: Some(amount.to_string()),
        currency: Some("EUR".to_owned()),
    }
}
