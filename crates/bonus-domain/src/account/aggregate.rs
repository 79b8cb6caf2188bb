//! The account as cqrs-es wants an aggregate: an adapter over [`settle`] and [`evolve`].

use chrono::{DateTime, Utc};
use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use serde::{Deserialize, Serialize};

use super::{Account, AccountEvent, Corrupt, Head, Taken, Undecided, evolve, settle};
use crate::{Fact, Facts, KnownFacts, Policy};

impl DomainEvent for AccountEvent {
    fn event_type(&self) -> String {
        self.fact.name().to_owned()
    }

    fn event_version(&self) -> String {
        self.fact.schema_version().to_owned()
    }
}

/// An account, or why its stream is corrupt: what cqrs-es applies cannot fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountAggregate(Result<Account, Corrupt>);

impl Default for AccountAggregate {
    fn default() -> Self {
        Self(Ok(Account::default()))
    }
}

/// A fact to take in, with everything that it rests on.
#[derive(Debug, Clone)]
pub struct Award {
    /// All that the ledger holds of the beneficiary.
    pub known: Facts,
    /// The fact to take in.
    pub fact: Fact,
    /// The instant of evaluation.
    pub now: DateTime<Utc>,
}

/// Why an aggregate did not take a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The rules refuse it.
    #[error("the award was refused")]
    Undecided(#[from] Undecided),
    /// The events before it contradict one another.
    #[error("the account's stream is corrupt")]
    Corrupt(#[from] Corrupt),
}

impl Aggregate for AccountAggregate {
    const TYPE: &'static str = "account";

    type Command = Award;
    type Event = AccountEvent;
    type Error = AccountError;
    /// The active policy.
    type Services = Policy;

    async fn handle(
        &mut self,
        command: Award,
        policy: &Policy,
        sink: &EventSink<Self>,
    ) -> Result<(), AccountError> {
        let Award { known, fact, now } = command;
        // Events do not tell when VIP changes next: it is looked at each time.
        let head = Head::without_vip(self.0.clone()?, policy);
        if let Some(conflict) = head.conflict(policy) {
            return Err(Undecided::from(conflict).into());
        }
        let known = KnownFacts::all(known);
        let settled = settle(head, fact.beneficiary, &known, policy, now)?;
        match settled.award(&known, &fact, policy)? {
            Taken::Repeated | Taken::Kept => {}
            Taken::Awarded { moved, .. } => {
                for event in moved.events {
                    sink.write(event, self).await;
                }
            }
        }
        Ok(())
    }

    fn apply(&mut self, event: AccountEvent) {
        self.0 = self.0.clone().and_then(|account| evolve(account, &event));
    }
}
