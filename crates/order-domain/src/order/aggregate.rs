//! The order as cqrs-es wants it, so that a stock repository folds our streams. A thin adapter:
//! the rules are in [`decide`] and [`evolve`].

use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use cqrs_es::{Aggregate, DomainEvent};
use serde::{Deserialize, Serialize};

use super::stored::SCHEMAS;
use super::{Context, Corrupt, Order, OrderCommand, OrderEvent, Rejection, decide, evolve};
use crate::stored::Encoded;

/// An order under cqrs-es, whose `apply` cannot fail: a corrupt stream is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderAggregate(Result<Order, Corrupt>);

impl OrderAggregate {
    /// The folded order.
    ///
    /// # Errors
    /// The first event that could not follow.
    pub fn into_order(self) -> Result<Order, Corrupt> {
        self.0
    }
}

impl Default for OrderAggregate {
    fn default() -> Self {
        Self(Ok(Order::default()))
    }
}

/// Why the adapter gave no events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderAggregateError {
    /// The rules refuse the command.
    #[error("the command was refused")]
    Rejected(#[source] Rejection),
    /// The stream was corrupt before.
    #[error("the order's stream is corrupt")]
    Corrupt(#[source] Corrupt),
}

impl DomainEvent for OrderEvent {
    fn event_type(&self) -> String {
        self.fact.event_type().to_owned()
    }

    fn event_version(&self) -> String {
        self.fact.event_version().to_owned()
    }
}

impl Aggregate for OrderAggregate {
    const TYPE: &'static str = "order";
    type Command = (OrderCommand, Context);
    type Event = OrderEvent;
    type Error = OrderAggregateError;
    type Services = ();

    async fn handle(
        &mut self,
        (command, context): Self::Command,
        (): &Self::Services,
        sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        let order = self
            .0
            .as_ref()
            .map_err(|e| OrderAggregateError::Corrupt(e.clone()))?;
        let events = decide(order, command, &context).map_err(OrderAggregateError::Rejected)?;
        for event in events {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Self::Event) {
        if let Ok(order) = &mut self.0 {
            self.0 = evolve(std::mem::take(order), &event);
        }
    }
}

/// Lifts stored events of an order under cqrs-es, one version a step.
#[derive(Debug, Clone, Copy, Default)]
pub struct OrderUpcaster;

impl EventUpcaster for OrderUpcaster {
    fn can_upcast(&self, event_type: &str, event_version: &str) -> bool {
        SCHEMAS.step(event_type, event_version).is_some()
    }

    /// An event that cannot be lifted, or is told as several since, which cqrs-es cannot say, stays
    /// as it is: its payload lacks what today's shape needs, and the repository cannot read it.
    fn upcast(&self, mut event: SerializedEvent) -> SerializedEvent {
        while let Some(step) = SCHEMAS.step(&event.event_type, &event.event_version) {
            let Some(lifted) = step.apply(&event.payload).ok().and_then(only) else {
                break;
            };
            event.event_type = lifted.event_type.to_owned();
            event.event_version = lifted.event_version.to_owned();
            event.payload = lifted.payload;
        }
        event
    }
}

fn only(parts: Vec<Encoded>) -> Option<Encoded> {
    <[Encoded; 1]>::try_from(parts).ok().map(|[part]| part)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context as Task, Poll, Waker};

    use cqrs_es::test::TestFramework;
    use serde_json::json;

    use super::*;
    use crate::fixtures;
    use crate::order::scenario::*;
    use crate::order::{CommandName, OrderState, Refusal};

    /// The result of a future that has nothing to wait for.
    fn ready<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => panic!("the adapter waits for something"),
        }
    }

    fn history() -> Vec<OrderEvent> {
        let facts = alder_works(&["Make"]).into_iter().zip(1..);
        facts.map(|(fact, n)| event(fact, minute(n))).collect()
    }

    #[test]
    fn a_command_is_decided_by_the_rules() {
        TestFramework::<OrderAggregate>::with(())
            .given(history())
            .when((complete(1), Context::new(by(ALDER), minute(9))))
            .then_expect_events(vec![
                event(marked(1, &["Make"]), minute(9)),
                event(finished(), minute(9)),
            ]);
    }

    #[test]
    fn an_event_has_its_stored_name_and_version_under_cqrs_es() {
        let event = event(cancelled(), minute(9));
        assert_eq!(event.event_type(), "OrderCancelled");
        assert_eq!(event.event_version(), "1.1");
    }

    #[test]
    fn a_refusal_is_the_rules_own() {
        let refused = TestFramework::<OrderAggregate>::with(())
            .given(history())
            .when((complete(1), Context::new(by(BIRCH), minute(9))))
            .inspect_result();
        assert_eq!(
            refused,
            Err(OrderAggregateError::Rejected(Rejection {
                command: CommandName::CompleteStage,
                state: Some(OrderState::InProgress),
                why: Refusal::Forbidden {
                    role: kernel::Role::Workshop,
                    by: "its confirmed workshop, or an operator in its place",
                },
            }))
        );
    }

    #[test]
    fn a_refused_command_emits_nothing_and_changes_nothing() {
        let mut aggregate = OrderAggregate::default();
        for event in history() {
            aggregate.apply(event);
        }
        let before = aggregate.clone();
        let sink = EventSink::default();
        let told = (complete(2), Context::new(by(ALDER), minute(9)));
        let answer = ready(aggregate.handle(told, &(), &sink));
        assert!(matches!(answer, Err(OrderAggregateError::Rejected(_))));
        assert_eq!(ready(sink.collect()), []);
        assert_eq!(aggregate, before);
    }

    #[test]
    fn a_corrupt_stream_stays_corrupt() {
        let mut aggregate = OrderAggregate::default();
        let mut events = history();
        let lost = events.remove(1);
        events.push(lost);
        for event in events {
            aggregate.apply(event);
        }
        let corrupt = aggregate.clone().into_order().unwrap_err();
        assert_eq!(corrupt.event, "OfferConfirmed");
        let snapshot = serde_json::to_value(&aggregate).unwrap();
        assert_eq!(
            serde_json::from_value::<OrderAggregate>(snapshot).unwrap(),
            aggregate
        );
    }

    #[test]
    fn an_order_survives_a_snapshot() {
        let mut aggregate = OrderAggregate::default();
        for event in history() {
            aggregate.apply(event);
        }
        let snapshot = serde_json::to_value(&aggregate).unwrap();
        assert_eq!(
            serde_json::from_value::<OrderAggregate>(snapshot).unwrap(),
            aggregate
        );
    }

    #[test]
    fn old_events_are_lifted_for_a_stock_repository() {
        let stored = SerializedEvent::new(
            ORDER.to_string(),
            2,
            OrderAggregate::TYPE.to_owned(),
            "OrderCancelled".to_owned(),
            "1.0".to_owned(),
            fixtures::read("order", "OrderCancelled", "1.0"),
            json!({}),
        );
        assert!(OrderUpcaster.can_upcast("OrderCancelled", "1.0"));
        let lifted = OrderUpcaster.upcast(stored);
        assert_eq!(lifted.event_version, "1.1");
        assert!(!OrderUpcaster.can_upcast("OrderCancelled", "1.1"));
        let event: OrderEvent = serde_json::from_value(lifted.payload).unwrap();
        assert_eq!(event.fact, cancelled());
    }

    #[test]
    fn an_event_that_cannot_be_lifted_stays_unreadable() {
        let mut payload = fixtures::read("order", "OrderCancelled", "1.0");
        payload["cancelledFrom"] = json!("finished");
        let stored = SerializedEvent::new(
            ORDER.to_string(),
            2,
            OrderAggregate::TYPE.to_owned(),
            "OrderCancelled".to_owned(),
            "1.0".to_owned(),
            payload,
            json!({}),
        );
        let left = OrderUpcaster.upcast(stored);
        assert_eq!(left.event_version, "1.0");
        assert!(serde_json::from_value::<OrderEvent>(left.payload).is_err());
    }
}
