//! Given, when, then: the words that the tests of the rules are written in.

mod commands;
mod facts;

use chrono::{DateTime, TimeDelta, Utc};
use kernel::{Actor, CommissionerId, OrderId, Role, WorkshopId};
use uuid::Uuid;

pub(crate) use commands::*;
pub(crate) use facts::*;

use super::{
    CommandName, Context, Order, OrderCommand, OrderEvent, OrderFact, Refusal, Rejection, decide,
    evolve, fold,
};
use crate::value::{
    MoneyInput, Note, OfferInput, OfferRevision, OfferTerms, Reason, Request, RequestInput,
    RequestRevision, StageInput, StageNumber, WorkshopName,
};
use crate::workshop::{Directory, Entry, Workshop};

/// The seats of most scenarios.
pub(crate) const ALDER: WorkshopId = WorkshopId::from_uuid(Uuid::from_u128(0xa1));
pub(crate) const BIRCH: WorkshopId = WorkshopId::from_uuid(Uuid::from_u128(0xb1));
pub(crate) const CEDAR: WorkshopId = WorkshopId::from_uuid(Uuid::from_u128(0xc1));
/// A workshop that is never invited.
pub(crate) const STRANGER: WorkshopId = WorkshopId::from_uuid(Uuid::from_u128(0xd1));

pub(crate) const ORDER: OrderId = OrderId::from_uuid(Uuid::from_u128(0x01));
pub(crate) const CLIENT: CommissionerId = CommissionerId::from_uuid(Uuid::from_u128(0xc0));

pub(crate) const COMMISSIONER: Actor = Actor::new(Role::Commissioner, CLIENT.as_uuid());
pub(crate) const OTHER_COMMISSIONER: Actor = Actor::new(Role::Commissioner, Uuid::from_u128(0xc9));
pub(crate) const OPERATOR: Actor = Actor::new(Role::Operator, Uuid::from_u128(0x0e));
pub(crate) const ANALYST: Actor = Actor::new(Role::Analyst, Uuid::from_u128(0x0f));

/// The time `minutes` after the scenario begins.
pub(crate) fn minute(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minutes)
}

/// The workshop as one who acts.
pub(crate) const fn by(workshop_id: WorkshopId) -> Actor {
    Actor::new(Role::Workshop, workshop_id.as_uuid())
}

/// The stage of this number.
pub(crate) fn stage(number: u32) -> StageNumber {
    StageNumber::new(number).unwrap()
}

pub(crate) fn reason() -> Reason {
    Reason::parse("Plans have changed.").unwrap()
}

pub(crate) fn note() -> Note {
    Note::parse("The edge is too sharp.").unwrap()
}

pub(crate) fn money(amount: &str, currency: &str) -> MoneyInput {
    MoneyInput {
        amount: Some(amount.to_owned()),
        currency: Some(currency.to_owned()),
    }
}

/// A request that is legal up to minute 10 000.
pub(crate) fn request_input() -> RequestInput {
    RequestInput {
        title: Some("Oak table".to_owned()),
        brief: Some("For eight, without screws.".to_owned()),
        budget: Some(money("1250", "EUR")),
        deadline: Some(minute(10_000).to_rfc3339()),
    }
}

/// An offer that is legal up to minute 5 000; a stage whose name ends in `!` blocks.
pub(crate) fn offer_input(stages: &[&str]) -> OfferInput {
    let stage = |name: &&str| StageInput {
        name: Some((*name).to_owned()),
        description: Some("As agreed.".to_owned()),
        duration_days: Some(14),
        requires_approval: Some(name.ends_with('!')),
    };
    OfferInput {
        budget: Some(money("1400.50", "EUR")),
        deadline: Some(minute(5_000).to_rfc3339()),
        description: Some("Solid oak, oiled.".to_owned()),
        stages: Some(stages.iter().map(stage).collect()),
        request_revision: None,
    }
}

pub(crate) fn request() -> Request {
    let draft = request_input().parse("", minute(0)).unwrap();
    draft.at_revision(RequestRevision::FIRST)
}

/// The terms of [`offer_input`].
pub(crate) fn terms(stages: &[&str]) -> OfferTerms {
    let draft = offer_input(stages).parse("", minute(0)).unwrap();
    draft.at_revisions(RequestRevision::FIRST, OfferRevision::FIRST)
}

/// The directory in which these workshops take commissions.
pub(crate) fn directory(workshops: &[(WorkshopId, bool)]) -> Directory {
    let entry = |(workshop_id, accepts_commissions): &(WorkshopId, bool)| {
        Workshop::Registered(Entry {
            workshop_id: *workshop_id,
            name: WorkshopName::parse("A workshop").unwrap(),
            accepts_commissions: *accepts_commissions,
            updated_at: minute(-1),
        })
    };
    workshops.iter().map(entry).collect()
}

/// The terms of [`offer_input`] for these revisions of request and offer.
pub(crate) fn terms_at(stages: &[&str], request: i64, offer: i64) -> OfferTerms {
    OfferTerms {
        request_revision: RequestRevision::parse(request).unwrap(),
        offer_revision: OfferRevision::parse(offer).unwrap(),
        ..terms(stages)
    }
}

/// An event of the order of all scenarios.
pub(crate) fn event(fact: OrderFact, occurred_at: DateTime<Utc>) -> OrderEvent {
    OrderEvent {
        order_id: ORDER,
        commissioner_id: CLIENT,
        occurred_at,
        fact,
    }
}

/// What went before, one fact a minute from minute 1.
pub(crate) fn given(facts: impl IntoIterator<Item = OrderFact>) -> Given {
    let events: Vec<_> = facts
        .into_iter()
        .zip(1..)
        .map(|(fact, minutes)| event(fact, minute(minutes)))
        .collect();
    Given {
        order: fold(&events).unwrap(),
        now: minute(100),
        directory: directory(&[(ALDER, true), (BIRCH, true), (CEDAR, true)]),
        bytes: 0,
    }
}

/// An order, and the circumstances of what comes next: minute 100, and Alder, Birch and Cedar in
/// the directory.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) order: Order,
    now: DateTime<Utc>,
    directory: Directory,
    bytes: usize,
}

impl Given {
    /// Sets the clock.
    pub(crate) fn at(self, now: DateTime<Utc>) -> Self {
        Self { now, ..self }
    }

    /// Sets the directory.
    pub(crate) fn with_directory(self, directory: Directory) -> Self {
        Self { directory, ..self }
    }

    /// Sets how much room the order takes.
    pub(crate) fn of_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// Gives a command.
    pub(crate) fn when(&self, actor: Actor, command: OrderCommand) -> Then {
        let context = Context::new(actor, self.now)
            .with_directory(self.directory.clone())
            .with_stored_bytes(self.bytes);
        Then {
            before: self.order.clone(),
            told: command.name(),
            outcome: decide(&self.order, command, &context),
        }
    }
}

/// What came of a command.
pub(crate) struct Then {
    before: Order,
    told: CommandName,
    pub(crate) outcome: Result<Vec<OrderEvent>, Rejection>,
}

impl Then {
    /// Exactly these facts followed, at one instant, and the order takes them.
    #[track_caller]
    pub(crate) fn then(self, facts: impl IntoIterator<Item = OrderFact>) -> Order {
        let events = self.outcome.unwrap();
        let instants: Vec<_> = events.iter().map(|event| event.occurred_at).collect();
        assert!(instants.windows(2).all(|pair| pair[0] == pair[1]));
        let expected: Vec<_> = facts
            .into_iter()
            .zip(&instants)
            .map(|(fact, at)| event(fact, *at))
            .collect();
        assert_eq!(events, expected);
        events.iter().try_fold(self.before, evolve).unwrap()
    }

    /// The instant of the facts that followed.
    #[track_caller]
    pub(crate) fn instant(self) -> DateTime<Utc> {
        self.outcome.unwrap()[0].occurred_at
    }

    /// The command was refused so, under this code; the rejection names it and the state.
    #[track_caller]
    pub(crate) fn refused(self, code: &str, why: Refusal) {
        let rejection = self.outcome.unwrap_err();
        assert_eq!(rejection.why, why);
        assert_eq!(rejection.code().as_str(), code);
        assert_eq!(rejection.command, self.told);
        assert_eq!(rejection.state, self.before.state());
    }
}
