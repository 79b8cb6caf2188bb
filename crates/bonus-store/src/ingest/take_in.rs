//! The part of taking facts in that needs no database: one fact after another, each on what the
//! ones before it have made of its account.

use std::collections::{BTreeMap, BTreeSet};

use bonus_domain::{
    Beneficiary, Conflict, Fact, Head, KnownFacts, MoreFacts, Policy, Taken, Undecided, settle,
    unsettled,
};
use chrono::{DateTime, Utc};
use event_store::{StreamAppend, Version};
use kernel::{EventId, IdSource};

use super::{ConflictMode, Delivery, IngestError, Ingested, Rejection};
use crate::accounts::AtVersion;
use crate::known_facts::Known;
use crate::moving::{Moving, own_policy};

/// A batch on its way in.
pub(super) struct Intake<'a> {
    active: &'static Policy,
    mode: ConflictMode,
    now: DateTime<Utc>,
    accounts: BTreeMap<Beneficiary, Open>,
    /// Every source event that the ledger is known to hold, whosever it is.
    told: BTreeSet<EventId>,
    /// Rows for the ledger, each with the version of the account that counts it first; none where
    /// it is deferred.
    pub(super) rows: Vec<(&'a Fact, Option<Version>)>,
    pub(super) ingested: Ingested,
}

/// An account that facts are being taken into.
struct Open {
    moving: Moving,
    known: KnownFacts,
}

/// Why a fact was not taken in. Nothing was changed.
pub(super) enum NotTaken {
    /// Older facts of its account have to be read first.
    More {
        policy: &'static Policy,
        more: MoreFacts,
    },
    /// It cannot be.
    Refused(IngestError),
}

impl<'a> Intake<'a> {
    /// Begins with locked heads and what the ledger is known to hold.
    pub(super) fn new(
        active: &'static Policy,
        mode: ConflictMode,
        now: DateTime<Utc>,
        heads: BTreeMap<Beneficiary, AtVersion>,
        mut known: Known,
        told: BTreeSet<EventId>,
    ) -> Self {
        let accounts = heads
            .into_iter()
            .map(|(beneficiary, head)| {
                let open = Open {
                    moving: Moving::new(head),
                    known: known.remove(&beneficiary).unwrap_or_default(),
                };
                (beneficiary, open)
            })
            .collect();
        Self {
            active,
            mode,
            now,
            accounts,
            told,
            rows: Vec::new(),
            ingested: Ingested::default(),
        }
    }

    /// What is known of a beneficiary, to read on.
    pub(super) fn known(&mut self, beneficiary: Beneficiary) -> Option<&mut KnownFacts> {
        self.accounts
            .get_mut(&beneficiary)
            .map(|open| &mut open.known)
    }

    /// Takes one fact in.
    pub(super) fn take_in(
        &mut self,
        delivery: &'a Delivery,
        ids: &dyn IdSource,
    ) -> Result<(), NotTaken> {
        let fact = &delivery.fact;
        if self.told.contains(&fact.source_event_id) {
            self.ingested.repeated += 1;
            return Ok(());
        }
        let Some(open) = self.accounts.get_mut(&fact.beneficiary) else {
            let beneficiary = fact.beneficiary;
            return Err(NotTaken::Refused(IngestError::NotLocked { beneficiary }));
        };
        let head = *open.moving.head();
        let (version, count) = match head.conflict(self.active) {
            // A beneficiary without an account refuses nothing: its facts wait for the recompute.
            Some(conflict @ Conflict::Account { .. }) if self.mode == ConflictMode::Refuse => {
                return Err(refused(fact, Rejection::Conflict(conflict)));
            }
            Some(_) => {
                open.defer(delivery, head, self.active, self.now, ids)?;
                (None, &mut self.ingested.deferred)
            }
            None => match open.award(delivery, head, self.active, self.now, ids)? {
                Some(version) => (Some(version), &mut self.ingested.awarded),
                None => (Some(open.moving.version()), &mut self.ingested.kept),
            },
        };
        *count += 1;
        self.told.insert(fact.source_event_id);
        self.rows.push((fact, version));
        Ok(())
    }

    /// The heads that have moved, and the events that moved them.
    pub(super) fn into_moved(self) -> (Vec<(Beneficiary, AtVersion)>, Vec<StreamAppend>) {
        let accounts = self.accounts.into_iter();
        crate::moving::into_moved(accounts.map(|(beneficiary, open)| (beneficiary, open.moving)))
    }
}

impl Open {
    /// Keeps the fact for the next recompute.
    fn defer(
        &mut self,
        delivery: &Delivery,
        head: Head,
        active: &'static Policy,
        now: DateTime<Utc>,
        ids: &dyn IdSource,
    ) -> Result<(), NotTaken> {
        let fact = &delivery.fact;
        let own = own_policy(&head);
        let undecided = |why| undecided(fact, own.unwrap_or(active), why);
        let settled = match own {
            Ok(own) => settle(head, fact.beneficiary, &self.known, own, now).map_err(undecided)?,
            Err(_) => unsettled(head, fact.beneficiary, now),
        };
        let moved = settled.defer(fact).map_err(undecided)?;
        let flips = moved.events.len().saturating_sub(1);
        self.moving.take(moved, flips, Some(delivery), ids);
        Ok(())
    }

    /// Takes the fact in; the version that counts it, none where it moves nothing.
    fn award(
        &mut self,
        delivery: &Delivery,
        head: Head,
        active: &'static Policy,
        now: DateTime<Utc>,
        ids: &dyn IdSource,
    ) -> Result<Option<Version>, NotTaken> {
        let fact = &delivery.fact;
        let undecided = |why| undecided(fact, active, why);
        let settled =
            settle(head, fact.beneficiary, &self.known, active, now).map_err(undecided)?;
        let version = match settled
            .award(&self.known, fact, active)
            .map_err(undecided)?
        {
            Taken::Repeated | Taken::Kept => None,
            Taken::Awarded { moved, counted_by } => {
                let version = self.moving.version_after(counted_by);
                let flips = counted_by.saturating_sub(1);
                self.moving.take(moved, flips, Some(delivery), ids);
                Some(version)
            }
        };
        self.known.insert(*fact);
        Ok(version)
    }
}

fn refused(fact: &Fact, source: Rejection) -> NotTaken {
    NotTaken::Refused(IngestError::Rejected {
        source_event_id: fact.source_event_id,
        beneficiary: fact.beneficiary,
        source,
    })
}

fn undecided(fact: &Fact, policy: &'static Policy, why: Undecided) -> NotTaken {
    let beneficiary = fact.beneficiary;
    match why {
        Undecided::More(more) => NotTaken::More { policy, more },
        Undecided::Conflict(conflict) => refused(fact, Rejection::Conflict(conflict)),
        Undecided::Overflow(overflow) => refused(fact, Rejection::Overflow(overflow)),
        // Settled under its own policy, it is never this; one more look would find the same.
        Undecided::OtherPolicy { account, policy } => refused(
            fact,
            Rejection::Conflict(Conflict::Account {
                account,
                active: policy,
            }),
        ),
        Undecided::Corrupt(source) => NotTaken::Refused(IngestError::Corrupt {
            beneficiary,
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use bonus_domain::{Policies, PolicyVersion, SourceType};
    use kernel::{OrderId, RandomIds, Role};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_fact_whose_head_was_not_locked_is_not_passed_over_in_silence() {
        let active = Policies::compiled().get(PolicyVersion::FIRST).unwrap();
        let beneficiary = Beneficiary::new(Role::Commissioner, Uuid::from_u128(1));
        let delivery = Delivery {
            fact: Fact {
                source_event_id: EventId::from_uuid(Uuid::from_u128(2)),
                source_type: SourceType::known("OrderPlaced").unwrap(),
                beneficiary,
                order_id: Some(OrderId::from_uuid(Uuid::from_u128(3))),
                by_dispute: false,
                occurred_at: DateTime::UNIX_EPOCH,
            },
            correlation_id: Uuid::from_u128(4),
            traceparent: None,
        };
        let mut intake = Intake::new(
            active,
            ConflictMode::Ingest,
            DateTime::UNIX_EPOCH,
            BTreeMap::new(),
            Known::new(),
            BTreeSet::new(),
        );
        let taken = intake.take_in(&delivery, &RandomIds);
        assert!(matches!(
            taken,
            Err(NotTaken::Refused(IngestError::NotLocked { beneficiary: of })) if of == beneficiary
        ));
    }
}
