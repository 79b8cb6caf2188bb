//! Accounts on their way from one version to a later one: the head as it becomes, and the events
//! that tell it.

use bonus_domain::{
    AccountEvent, Beneficiary, Head, Moved, Policies, Policy, PolicyVersion, stored,
};
use event_store::{NewEvent, StreamAppend, StreamId, Version};
use kernel::{EventId, IdSource, Metadata};
use uuid::Uuid;

use crate::Delivery;
use crate::accounts::AtVersion;

/// An account that decisions are made on, one after another.
#[derive(Debug)]
pub(crate) struct Moving {
    from: AtVersion,
    head: Head,
    events: Vec<NewEvent>,
}

impl Moving {
    /// As it is stored.
    pub(crate) const fn new(from: AtVersion) -> Self {
        Self {
            from,
            head: from.head,
            events: Vec::new(),
        }
    }

    /// As it stands.
    pub(crate) const fn head(&self) -> &Head {
        &self.head
    }

    /// The version with the events that are on their way.
    pub(crate) fn version(&self) -> Version {
        self.version_after(0)
    }

    /// The version with the events that are on their way, and so many more.
    pub(crate) fn version_after(&self, more: usize) -> Version {
        let events = i64::try_from(self.events.len() + more).unwrap_or(i64::MAX);
        Version::new(self.from.version.get().saturating_add(events))
    }

    /// Takes a decision over. The first `flips` of its events came with time; the others follow
    /// from `cause`, where there is one.
    pub(crate) fn take(
        &mut self,
        moved: Moved,
        flips: usize,
        cause: Option<&Delivery>,
        ids: &dyn IdSource,
    ) {
        self.head = moved.head;
        for (number, event) in moved.events.iter().enumerate() {
            let cause = cause.filter(|_| number >= flips);
            self.events.push(new_event(event, cause, ids));
        }
    }
}

/// The heads that have moved, and the events that moved them, in the order of the accounts.
pub(crate) fn into_moved(
    accounts: impl Iterator<Item = (Beneficiary, Moving)>,
) -> (Vec<(Beneficiary, AtVersion)>, Vec<StreamAppend>) {
    let (mut heads, mut streams) = (Vec::new(), Vec::new());
    for (beneficiary, moving) in accounts {
        let version = moving.version();
        if version == moving.from.version && moving.head == moving.from.head {
            continue;
        }
        let head = moving.head;
        heads.push((beneficiary, AtVersion { version, head }));
        if !moving.events.is_empty() {
            streams.push(StreamAppend {
                stream: StreamId::account(beneficiary.role, beneficiary.id),
                expected: moving.from.version,
                events: moving.events,
            });
        }
    }
    (heads, streams)
}

/// The policy that an account was computed with.
///
/// # Errors
/// Its version, which this release does not know.
pub(crate) fn own_policy(head: &Head) -> Result<&'static Policy, PolicyVersion> {
    let version = head.policy_version();
    Policies::compiled().get(version).ok_or(version)
}

fn new_event(event: &AccountEvent, cause: Option<&Delivery>, ids: &dyn IdSource) -> NewEvent {
    let (event_type, event_version, payload) = stored::encode(event);
    let id: Uuid = ids.next();
    NewEvent {
        event_id: EventId::from_uuid(id),
        event_type,
        event_version,
        payload,
        metadata: Metadata {
            actor: None,
            on_behalf_of: None,
            correlation_id: cause.map_or(id, |cause| cause.correlation_id),
            causation_id: cause.map(|cause| cause.fact.source_event_id.as_uuid()),
            traceparent: cause.and_then(|cause| cause.traceparent.clone()),
            idempotency_key: None,
        },
    }
}
