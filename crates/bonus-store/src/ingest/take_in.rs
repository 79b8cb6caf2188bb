//! The part of taking facts in that needs no database: one fact after another, each on what the
//! ones before it have made of its account.

use std::collections::{BTreeMap, BTreeSet};

use bonus_domain::{
    Account, AccountEvent, Beneficiary, Fact, Facts, Policy, Standing, award, evolve, stored,
};
use chrono::{DateTime, Utc};
use event_store::{NewEvent, StreamAppend, StreamId, Version};
use kernel::{EventId, IdSource, Metadata};

use super::{Delivery, IngestError, Ingested};
use crate::accounts::Head;

/// A batch on its way in.
pub(super) struct Intake<'a> {
    policy: &'a Policy,
    now: DateTime<Utc>,
    accounts: BTreeMap<Beneficiary, Open>,
    /// Every source event that the ledger is known to hold, whosever it is.
    told: BTreeSet<EventId>,
    /// Rows for the ledger, each with the version of the account that counts it first.
    pub(super) rows: Vec<(&'a Fact, Version)>,
    pub(super) ingested: Ingested,
}

/// An account that facts are being taken into.
#[derive(Default)]
struct Open {
    from: Version,
    account: Account,
    facts: Facts,
    events: Vec<NewEvent>,
}

impl<'a> Intake<'a> {
    /// Begins with locked heads and what the ledger is known to hold.
    pub(super) fn new(
        policy: &'a Policy,
        now: DateTime<Utc>,
        heads: BTreeMap<Beneficiary, Head>,
        known: Vec<Fact>,
    ) -> Self {
        let mut accounts: BTreeMap<Beneficiary, Open> = heads
            .into_iter()
            .map(|(beneficiary, head)| {
                let open = Open {
                    from: head.version,
                    account: head.account,
                    ..Open::default()
                };
                (beneficiary, open)
            })
            .collect();
        let told = known.iter().map(|fact| fact.source_event_id).collect();
        for fact in known {
            if let Some(open) = accounts.get_mut(&fact.beneficiary) {
                open.facts.insert(fact);
            }
        }
        Self {
            policy,
            now,
            accounts,
            told,
            rows: Vec::new(),
            ingested: Ingested::default(),
        }
    }

    /// Takes one fact in.
    pub(super) fn take_in(
        &mut self,
        delivery: &'a Delivery,
        ids: &dyn IdSource,
    ) -> Result<(), IngestError> {
        let fact = &delivery.fact;
        if !self.told.insert(fact.source_event_id) {
            self.ingested.repeated += 1;
            return Ok(());
        }
        let beneficiary = fact.beneficiary;
        let open = self.accounts.entry(beneficiary).or_default();
        let events =
            award(&open.account, &open.facts, fact, self.policy, self.now).map_err(|source| {
                IngestError::Rejected {
                    source_event_id: fact.source_event_id,
                    beneficiary,
                    source,
                }
            })?;
        if events.is_empty() {
            self.ingested.kept += 1;
            self.rows.push((fact, open.version(0)));
        } else {
            self.ingested.awarded += 1;
            // The award is the first event; a new grade counts no row.
            self.rows.push((fact, open.version(1)));
        }
        for event in events {
            open.account = evolve(open.account, &event).map_err(|source| IngestError::Corrupt {
                beneficiary,
                source,
            })?;
            open.events.push(new_event(&event, delivery, ids));
        }
        open.facts.insert(*fact);
        Ok(())
    }

    /// The heads that have moved, and the events that moved them.
    pub(super) fn into_moved(self) -> (Vec<(Beneficiary, Version, Standing)>, Vec<StreamAppend>) {
        self.accounts
            .into_iter()
            .filter(|(_, open)| !open.events.is_empty())
            .filter_map(|(beneficiary, open)| {
                let version = open.version(0);
                let Account::Open(standing) = open.account else {
                    return None;
                };
                let stream = StreamAppend {
                    stream: StreamId::account(beneficiary.role, beneficiary.id),
                    expected: open.from,
                    events: open.events,
                };
                Some(((beneficiary, version, standing), stream))
            })
            .unzip()
    }
}

impl Open {
    /// The version with the events that are on their way, and `more` of them.
    fn version(&self, more: usize) -> Version {
        let events = i64::try_from(self.events.len() + more).unwrap_or(i64::MAX);
        Version::new(self.from.get().saturating_add(events))
    }
}

fn new_event(event: &AccountEvent, cause: &Delivery, ids: &dyn IdSource) -> NewEvent {
    let (event_type, event_version, payload) = stored::encode(event);
    NewEvent {
        event_id: EventId::from_uuid(ids.next()),
        event_type,
        event_version,
        payload,
        metadata: Metadata {
            actor: None,
            on_behalf_of: None,
            correlation_id: cause.correlation_id,
            causation_id: Some(cause.fact.source_event_id.as_uuid()),
            traceparent: cause.traceparent.clone(),
            idempotency_key: None,
        },
    }
}
