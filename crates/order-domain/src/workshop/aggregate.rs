//! The directory entry as cqrs-es wants it; see [`crate::order::OrderAggregate`].

use chrono::{DateTime, Utc};
use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use kernel::Actor;
use serde::{Deserialize, Serialize};

use super::{Corrupt, PutWorkshop, Rejection, Workshop, WorkshopEvent, decide, evolve};

/// A workshop under cqrs-es, whose `apply` cannot fail: a corrupt stream is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkshopAggregate(Result<Workshop, Corrupt>);

impl WorkshopAggregate {
    /// The folded workshop.
    ///
    /// # Errors
    /// The first event that could not follow.
    pub fn into_workshop(self) -> Result<Workshop, Corrupt> {
        self.0
    }
}

impl Default for WorkshopAggregate {
    fn default() -> Self {
        Self(Ok(Workshop::default()))
    }
}

/// Why the adapter gave no events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkshopAggregateError {
    /// The rules refuse the command.
    #[error("the command was refused")]
    Rejected(#[source] Rejection),
    /// The stream was corrupt before.
    #[error("the workshop's stream is corrupt")]
    Corrupt(#[source] Corrupt),
}

impl DomainEvent for WorkshopEvent {
    fn event_type(&self) -> String {
        self.fact.event_type().to_owned()
    }

    fn event_version(&self) -> String {
        self.fact.event_version().to_owned()
    }
}

impl Aggregate for WorkshopAggregate {
    const TYPE: &'static str = "workshop";
    type Command = (PutWorkshop, Actor, DateTime<Utc>);
    type Event = WorkshopEvent;
    type Error = WorkshopAggregateError;
    type Services = ();

    async fn handle(
        &mut self,
        (command, actor, now): Self::Command,
        (): &Self::Services,
        sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        let workshop = self
            .0
            .as_ref()
            .map_err(|corrupt| WorkshopAggregateError::Corrupt(corrupt.clone()))?;
        let events =
            decide(workshop, command, actor, now).map_err(WorkshopAggregateError::Rejected)?;
        for event in events {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Self::Event) {
        if let Ok(workshop) = &mut self.0 {
            self.0 = evolve(std::mem::take(workshop), &event);
        }
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use kernel::{Role, WorkshopId};
    use uuid::Uuid;

    use super::*;
    use crate::value::WorkshopName;
    use crate::workshop::WorkshopFact;

    #[test]
    fn a_command_is_decided_by_the_rules() {
        let operator = Actor::new(Role::Operator, Uuid::from_u128(0x0e));
        let workshop_id = WorkshopId::from_uuid(Uuid::from_u128(0xa1));
        let name = WorkshopName::parse("Alder").unwrap();
        let put = |accepts_commissions| PutWorkshop {
            workshop_id,
            name: name.clone(),
            accepts_commissions,
        };
        let event = |fact| WorkshopEvent {
            workshop_id,
            occurred_at: DateTime::UNIX_EPOCH,
            fact,
        };
        let registered = event(WorkshopFact::WorkshopRegistered {
            name: name.clone(),
            accepts_commissions: true,
        });
        assert_eq!(registered.event_type(), "WorkshopRegistered");
        assert_eq!(registered.event_version(), "1.0");
        let framework = TestFramework::<WorkshopAggregate>::with(());
        framework
            .given(vec![registered.clone()])
            .when((put(false), operator, DateTime::UNIX_EPOCH))
            .then_expect_events(vec![event(WorkshopFact::WorkshopChanged {
                name: name.clone(),
                accepts_commissions: false,
            })]);

        let mut aggregate = WorkshopAggregate::default();
        aggregate.apply(registered.clone());
        assert!(aggregate.clone().into_workshop().unwrap().entry().is_some());
        aggregate.apply(registered);
        assert!(aggregate.into_workshop().is_err());
    }
}
