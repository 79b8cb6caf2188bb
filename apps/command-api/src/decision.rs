//! How the rules of `order-domain` meet the executor of `event-store`: streams become an order or
//! a directory entry, a command becomes facts, facts become events to append.

use std::sync::Arc;

use event_store::acts::NewRequest;
use event_store::{
    Accepted, Decision, DecisionError, Loaded, LoadedStream, NewEvent, StoredEvent, StreamId,
    Version,
};
use http_edge::{Limited, PlacingBudget, Spent};
use kernel::{Actor, Clock, EventId, IdSource, Metadata, OrderId};
use order_domain::order::{self, Context, Order, OrderCommand, Subject, subject_of};
use order_domain::workshop::{self, Directory, PutWorkshop, Workshop};
use order_domain::{Encoded, Undecodable};
use uuid::Uuid;

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// By the rules of an order.
    Order(order::Rejection),
    /// By the rules of the directory.
    Workshop(workshop::Rejection),
    /// Another thing than when the command came has the place of what it acts on.
    SubjectChanged,
    /// The commissioner places orders too often.
    Limited(Limited),
}

type Failed = DecisionError<Refused>;

/// Who gives a command, in which trace, and where its time and ids come from.
pub(crate) struct Circumstances {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) actor: Actor,
    /// Fresh for each request: a client may send many requests in one trace.
    pub(crate) correlation_id: Uuid,
    pub(crate) traceparent: String,
    pub(crate) idempotency_key: Option<String>,
}

impl Circumstances {
    fn event(&self, encoded: Encoded, on_behalf_of: Option<Actor>) -> NewEvent {
        NewEvent {
            event_id: EventId::from_uuid(self.ids.next()),
            event_type: encoded.event_type,
            event_version: encoded.event_version,
            payload: encoded.payload,
            metadata: self.metadata(on_behalf_of),
        }
    }

    fn metadata(&self, on_behalf_of: Option<Actor>) -> Metadata {
        Metadata {
            actor: Some(self.actor),
            on_behalf_of,
            correlation_id: self.correlation_id,
            causation_id: None,
            traceparent: Some(self.traceparent.clone()),
            idempotency_key: self.idempotency_key.clone(),
        }
    }
}

/// A command on an order.
pub(crate) struct OrderDecision {
    order_id: OrderId,
    command: OrderCommand,
    circumstances: Circumstances,
    budget: Option<PlacingBudget>,
    spent: Spent,
    round: Option<Round>,
    /// What the command acted on when it came, once that is known.
    subject: Option<Subject>,
}

/// One look at the order: as it was loaded, what the command means there, and the circumstances.
struct Round {
    order: Order,
    command: OrderCommand,
    context: Context,
}

impl OrderDecision {
    pub(crate) const fn new(
        order_id: OrderId,
        command: OrderCommand,
        circumstances: Circumstances,
    ) -> Self {
        Self {
            order_id,
            command,
            circumstances,
            budget: None,
            spent: Spent::Nothing,
            round: None,
            subject: None,
        }
    }

    /// The same, which spends of this budget.
    pub(crate) fn spending(mut self, budget: PlacingBudget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// What this round decides on.
    fn look(&self, loaded: &Loaded) -> Result<Round, Failed> {
        let order = order_of(&loaded.target)?;
        let workshops = loaded.beside.iter().map(workshop_of);
        let directory = workshops.collect::<Result<Directory, Failed>>()?;
        let now = self.circumstances.clock.now();
        Ok(Round {
            command: self.command.clone().revising_what_stands(&order),
            order,
            context: Context::new(self.circumstances.actor, now)
                .with_directory(directory)
                .with_stored_bytes(loaded.target.bytes()),
        })
    }

    /// Whether the command acts on the same thing as when it came: after a wait in line, and in a
    /// later round, another may have its place.
    fn acts_on_the_same(&mut self, order: &Order) -> bool {
        let subject = subject_of(order, &self.command);
        *self.subject.get_or_insert_with(|| subject.clone()) == subject
    }
}

impl Decision for OrderDecision {
    type Rejection = Refused;

    fn target(&self) -> StreamId {
        StreamId::order(self.order_id)
    }

    fn beside(&self) -> Vec<StreamId> {
        let invited = self.command.invites().iter();
        invited.copied().map(StreamId::workshop).collect()
    }

    fn begins(&self) -> bool {
        matches!(self.command, OrderCommand::PlaceOrder(_))
    }

    fn look_ahead(&mut self, loaded: &Loaded) {
        // A stream that cannot be read is refused when its turn comes.
        if let Ok(order) = order_of(&loaded.target) {
            self.acts_on_the_same(&order);
        }
    }

    fn admit(&mut self, loaded: &Loaded) -> Result<(), Failed> {
        let round = self.round.insert(self.look(loaded)?);
        // As it was sent: a refusal must not tell a rival whether an offer stands.
        order::admit(&round.order, &self.command, &round.context).map_err(refused)
    }

    async fn charge(&mut self) -> Result<(), Failed> {
        let Some(budget) = &self.budget else {
            return Ok(());
        };
        let once = self.circumstances.idempotency_key.as_deref();
        self.spent = budget
            .spend(once)
            .await
            .map_err(|limited| DecisionError::Rejected(Refused::Limited(limited)))?;
        Ok(())
    }

    async fn give_back(&mut self) {
        if let Some(budget) = &self.budget {
            budget.give_back(self.spent).await;
        }
    }

    fn decide(&mut self, loaded: &Loaded) -> Result<Accepted, Failed> {
        let Round {
            mut order,
            command,
            context,
        } = match self.round.take() {
            Some(round) => round,
            None => self.look(loaded)?,
        };
        let same = self.acts_on_the_same(&order);
        let on_behalf_of = order::on_behalf_of(&order, &command, context.actor);
        let facts = order::decide(&order, command, &context).map_err(refused)?;
        if !same {
            return Err(DecisionError::Rejected(Refused::SubjectChanged));
        }
        let mut events = Vec::with_capacity(facts.len());
        for fact in &facts {
            order = order::evolve(order, fact).map_err(unreadable)?;
            let encoded = order::stored::encode(fact);
            events.push(self.circumstances.event(encoded, on_behalf_of));
        }
        Ok(Accepted {
            events,
            status: if self.begins() { 201 } else { 200 },
            state: order.state().map(order::OrderState::as_str),
        })
    }
}

/// A command on an entry of the workshop directory.
pub(crate) struct WorkshopDecision {
    command: PutWorkshop,
    circumstances: Circumstances,
}

impl WorkshopDecision {
    pub(crate) const fn new(command: PutWorkshop, circumstances: Circumstances) -> Self {
        Self {
            command,
            circumstances,
        }
    }
}

impl Decision for WorkshopDecision {
    type Rejection = Refused;

    fn target(&self) -> StreamId {
        StreamId::workshop(self.command.workshop_id)
    }

    fn admit(&mut self, _: &Loaded) -> Result<(), Failed> {
        workshop::admit(self.circumstances.actor)
            .map_err(|rejection| DecisionError::Rejected(Refused::Workshop(rejection)))
    }

    fn decide(&mut self, loaded: &Loaded) -> Result<Accepted, Failed> {
        let workshop = workshop_of(&loaded.target)?;
        let Circumstances { actor, clock, .. } = &self.circumstances;
        let facts = workshop::decide(&workshop, self.command.clone(), *actor, clock.now())
            .map_err(|rejection| DecisionError::Rejected(Refused::Workshop(rejection)))?;
        let is_new = loaded.target.version() == Version::NONE;
        Ok(Accepted {
            events: facts
                .iter()
                .map(|fact| {
                    self.circumstances
                        .event(workshop::stored::encode(fact), None)
                })
                .collect(),
            status: if is_new { 201 } else { 200 },
            state: None,
        })
    }
}

/// The request of an act, which nothing that was asked for before can refuse.
pub(crate) struct RequestDecision {
    request: NewRequest,
    circumstances: Circumstances,
}

impl RequestDecision {
    pub(crate) const fn new(request: NewRequest, circumstances: Circumstances) -> Self {
        Self {
            request,
            circumstances,
        }
    }
}

impl Decision for RequestDecision {
    type Rejection = Refused;

    fn target(&self) -> StreamId {
        StreamId::operator(self.request.operator)
    }

    fn admit(&mut self, _: &Loaded) -> Result<(), Failed> {
        Ok(())
    }

    fn decide(&mut self, loaded: &Loaded) -> Result<Accepted, Failed> {
        let metadata = self.circumstances.metadata(None);
        let event = self.request.event(loaded.target.version(), metadata);
        Ok(Accepted {
            events: vec![event],
            status: 201,
            state: None,
        })
    }
}

/// A stored event that this release does not know.
#[derive(Debug, thiserror::Error)]
#[error("event {event_id} of {stream} cannot be read")]
struct UnreadableEvent {
    stream: StreamId,
    event_id: EventId,
    source: Undecodable,
}

fn order_of(stream: &LoadedStream) -> Result<Order, Failed> {
    let events = decoded(stream, order::stored::decode)?;
    order::fold(&events).map_err(unreadable)
}

fn workshop_of(stream: &LoadedStream) -> Result<Workshop, Failed> {
    let events = decoded(stream, workshop::stored::decode)?;
    workshop::fold(&events).map_err(unreadable)
}

fn decoded<E>(
    stream: &LoadedStream,
    decode: fn(&str, &str, &str) -> Result<Vec<E>, Undecodable>,
) -> Result<Vec<E>, Failed> {
    let read = |event: &StoredEvent| {
        decode(&event.event_type, &event.event_version, &event.payload).map_err(|source| {
            unreadable(UnreadableEvent {
                stream: event.stream.clone(),
                event_id: event.event_id,
                source,
            })
        })
    };
    let told: Vec<Vec<E>> = stream.events.iter().map(read).collect::<Result<_, _>>()?;
    Ok(told.into_iter().flatten().collect())
}

fn refused(rejection: order::Rejection) -> Failed {
    DecisionError::Rejected(Refused::Order(rejection))
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Failed {
    DecisionError::Unreadable(Box::new(error))
}

#[cfg(test)]
mod tests {
    use event_store::{Position, StoredJson};
    use kernel::{CommissionerId, RandomIds, Role, SystemClock, WorkshopId};
    use order_domain::order::{ConfirmOffer, OrderEvent, OrderFact};
    use serde_json::{Value, json};

    use super::*;

    const ORDER: OrderId = OrderId::from_uuid(Uuid::from_u128(1));
    const COMMISSIONER: CommissionerId = CommissionerId::from_uuid(Uuid::from_u128(2));
    const WORKSHOP: WorkshopId = WorkshopId::from_uuid(Uuid::from_u128(3));

    /// The order as the store has it, when an offer at `revision` for `amount` stands.
    fn offered(revision: u32, amount: &str) -> Loaded {
        let request = json!({
            "title": "Oak table",
            "brief": "For eight.",
            "budget": {"amount": "1250.00", "currency": "EUR"},
            "deadline": "2999-05-01T12:00:00Z",
            "revision": 1,
        });
        let offer = json!({
            "budget": {"amount": amount, "currency": "EUR"},
            "deadline": "2999-04-15T12:00:00Z",
            "description": "Solid oak.",
            "stages": [{
                "name": "Building",
                "description": "The table.",
                "durationDays": null,
                "requiresApproval": false,
            }],
            "requestRevision": 1,
            "offerRevision": revision,
        });
        let facts = [
            json!({"event": "OrderPlaced", "request": request, "workshops": [WORKSHOP]}),
            json!({"event": "OfferSubmitted", "workshopId": WORKSHOP, "offer": offer}),
        ];
        let stored = (1..).zip(facts).map(|(number, fact)| stored(number, fact));
        Loaded {
            target: LoadedStream {
                id: StreamId::order(ORDER),
                events: stored.collect(),
            },
            beside: Vec::new(),
        }
    }

    fn stored(number: i64, fact: Value) -> StoredEvent {
        let fact: OrderFact = serde_json::from_value(fact).unwrap();
        let encoded = order::stored::encode(&OrderEvent {
            order_id: ORDER,
            commissioner_id: COMMISSIONER,
            occurred_at: "2026-11-25T12:00:00Z".parse().unwrap(),
            fact,
        });
        StoredEvent {
            position: Position::new(number),
            event_id: EventId::from_uuid(RandomIds.next()),
            stream: StreamId::order(ORDER),
            version: Version::new(number),
            event_type: encoded.event_type.to_owned(),
            event_version: encoded.event_version.to_owned(),
            payload: StoredJson::of(&encoded.payload),
            raw_metadata: StoredJson::default(),
            recorded_at: "2026-11-25T12:00:00Z".parse().unwrap(),
            bytes: 0,
        }
    }

    fn confirm(offer_revision: Option<i64>) -> OrderDecision {
        let command = ConfirmOffer::parse(WORKSHOP, offer_revision).unwrap();
        let circumstances = Circumstances {
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            actor: Actor::new(Role::Commissioner, COMMISSIONER.as_uuid()),
            correlation_id: RandomIds.next(),
            traceparent: String::new(),
            idempotency_key: None,
        };
        OrderDecision::new(ORDER, OrderCommand::ConfirmOffer(command), circumstances)
    }

    /// One round, as the executor runs it.
    fn round(decision: &mut OrderDecision, loaded: &Loaded) -> Result<Accepted, Refused> {
        let accepted = decision
            .admit(loaded)
            .and_then(|()| decision.decide(loaded));
        accepted.map_err(|failed| match failed {
            DecisionError::Rejected(refused) => refused,
            DecisionError::Unreadable(error) => panic!("{error}"),
        })
    }

    #[test]
    fn a_lost_race_is_decided_again_while_the_terms_are_the_same() {
        let mut decision = confirm(None);
        let first = round(&mut decision, &offered(1, "900.00")).unwrap();
        assert_eq!(first.state, Some("inProgress"));
        let again = round(&mut decision, &offered(2, "900.00")).unwrap();
        assert_eq!(again.events[0].payload["terms"]["offerRevision"], 2);
    }

    #[test]
    fn a_lost_race_is_not_decided_again_once_the_terms_changed() {
        let mut decision = confirm(None);
        round(&mut decision, &offered(1, "900.00")).unwrap();
        let again = round(&mut decision, &offered(2, "9000.00"));
        assert_eq!(again, Err(Refused::SubjectChanged));
    }

    #[test]
    fn terms_that_changed_while_it_stood_in_line_are_not_confirmed() {
        let mut decision = confirm(None);
        decision.look_ahead(&offered(1, "900.00"));
        let decided = round(&mut decision, &offered(2, "9000.00"));
        assert_eq!(decided, Err(Refused::SubjectChanged));

        let mut decision = confirm(None);
        decision.look_ahead(&offered(1, "900.00"));
        assert!(round(&mut decision, &offered(2, "900.00")).is_ok());
    }

    #[test]
    fn terms_that_did_not_stand_when_it_came_are_not_confirmed() {
        let mut decision = confirm(None);
        let mut before = offered(1, "900.00");
        before.target.events.pop();
        decision.look_ahead(&before);
        let decided = round(&mut decision, &offered(1, "900.00"));
        assert_eq!(decided, Err(Refused::SubjectChanged));
    }

    #[test]
    fn who_names_the_revision_is_told_of_another() {
        let mut decision = confirm(Some(1));
        round(&mut decision, &offered(1, "900.00")).unwrap();
        let again = round(&mut decision, &offered(2, "9000.00"));
        assert!(
            matches!(
                again,
                Err(Refused::Order(order::Rejection {
                    why: order::Refusal::OfferChanged { current, .. },
                    ..
                })) if current.get() == 2
            ),
            "{again:?}"
        );
    }

    #[test]
    fn every_round_has_the_same_correlation_and_fresh_event_ids() {
        let mut decision = confirm(None);
        let loaded = offered(1, "900.00");
        let first = round(&mut decision, &loaded).unwrap();
        let again = round(&mut decision, &loaded).unwrap();
        let (first, again) = (&first.events[0], &again.events[0]);
        assert_eq!(first.metadata, again.metadata);
        assert_ne!(first.event_id, again.event_id);
    }
}
