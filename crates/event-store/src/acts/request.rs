//! What operators ask for from a distance: the request of an act, as an event on their stream.

use chrono::{DateTime, Utc};
use kernel::{Actor, EventId, Metadata, OrderId, Role};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::ActId;
use crate::{NewEvent, StreamId, Version};

/// The stored name of the event.
pub(super) const EVENT: &str = "OperatorActRequested";
const VERSION: &str = "1.0";
/// Under which the ids of requests are made of their places.
const NAMES: Uuid = Uuid::from_u128(0x6f1d_3a52_0b7e_4c41_9a2e_5d1c_77e0_84b3);

/// What is asked for, and with what: its JSON is `{"act", "arguments"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", content = "arguments", rename_all = "camelCase")]
pub enum Requested {
    /// Dead letters are to be sent again.
    Redrive(Letters),
    /// What sending dead letters again would change is to be shown.
    RedrivePreview(Letters),
    /// Dead letters are to be given up.
    Discard(Letters),
    /// Stored events are to be sent again.
    Replay(Resending),
    /// The next version of a read model is to be built and served.
    Rebuild(Rebuilding),
    /// The version before of a read model is to be served again.
    RebuildBack(OfModel),
    /// A policy is to come into force.
    Activate(OfPolicy),
    /// Accounts are to be computed anew.
    Recompute(Account),
    /// Facts that a policy rewards and that were not kept are to be read from the events.
    Backfill(OfPolicy),
}

impl Requested {
    /// The words for what can be asked for.
    pub const ACTS: [&'static str; 9] = [
        "redrive",
        "redrivePreview",
        "discard",
        "replay",
        "rebuild",
        "rebuildBack",
        "activate",
        "recompute",
        "backfill",
    ];

    /// Its word.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Redrive(_) => "redrive",
            Self::RedrivePreview(_) => "redrivePreview",
            Self::Discard(_) => "discard",
            Self::Replay(_) => "replay",
            Self::Rebuild(_) => "rebuild",
            Self::RebuildBack(_) => "rebuildBack",
            Self::Activate(_) => "activate",
            Self::Recompute(_) => "recompute",
            Self::Backfill(_) => "backfill",
        }
    }
}

/// Which of the open dead letters: those that everything given agrees to; all, if nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Letters {
    /// Of this code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// From this topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Of this event type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ce_type: Option<String>,
    /// Of this group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// That failed first before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_before: Option<DateTime<Utc>>,
    /// That failed first after this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_after: Option<DateTime<Utc>>,
    /// One of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<Uuid>>,
}

/// Which stored events are sent again, and how fast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resending {
    /// The first position.
    pub from: i64,
    /// The last position; as far as the relay has come if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
    /// Only the events of this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// Events a second at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rate: Option<u32>,
}

/// A read model, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReadModel {
    /// Orders: detail, lists, timeline.
    Orders,
    /// The directory of workshops.
    Workshops,
    /// Accounts of points and grades.
    Bonus,
}

/// Which read model is rebuilt, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rebuilding {
    /// Which.
    pub model: ReadModel,
    /// Whether the version before is kept, to go back to.
    #[serde(default)]
    pub keep: bool,
    /// Exactly so many rows may differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept_differences: Option<i64>,
    /// Events a second at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rate: Option<u32>,
}

/// A read model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfModel {
    /// Which.
    pub model: ReadModel,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfPolicy {
    /// Its version.
    pub version: u16,
}

/// The role in which somebody has an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccountRole {
    /// As a commissioner.
    #[default]
    Commissioner,
    /// As a workshop.
    Workshop,
}

/// Which accounts are computed anew, and how fast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Account {
    /// This one alone; those that are not of the policy in force if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Uuid>,
    /// The role in which it is one.
    #[serde(default)]
    pub role: AccountRole,
    /// Events a second at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rate: Option<u32>,
}

/// A request on its way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRequest {
    /// What is asked for.
    pub requested: Requested,
    /// Who asks.
    pub operator: Uuid,
    /// Why.
    pub reason: String,
    /// The key under which it may be repeated.
    pub key: String,
}

impl NewRequest {
    /// The id of the request that was stored under a key, at this version of an operator's stream. It
    /// is made of these, so that a stored answer, which holds no more, names the act again. (Of the
    /// place alone, two who race for it would be taken for one.)
    #[must_use]
    pub fn id_at(operator: Uuid, version: Version, key: &str) -> ActId {
        let place = format!("{}/{version}/{key}", StreamId::operator(operator));
        ActId(Uuid::new_v5(&NAMES, place.as_bytes()))
    }

    /// The event of it, as the one that follows version `after` of its operator's stream.
    /// `metadata` is that of a command.
    #[must_use]
    pub fn event(&self, after: Version, metadata: Metadata) -> NewEvent {
        let at = Version::new(after.get() + 1);
        let id = Self::id_at(self.operator, at, &self.key);
        let mut payload = json!({ "actId": id.to_string(), "reason": self.reason });
        if let (Ok(Value::Object(requested)), Some(members)) = (
            serde_json::to_value(&self.requested),
            payload.as_object_mut(),
        ) {
            members.extend(requested);
        }
        NewEvent {
            event_id: EventId::from_uuid(id.0),
            event_type: EVENT,
            event_version: VERSION,
            payload,
            metadata: Metadata {
                actor: Some(Actor::new(Role::Operator, self.operator)),
                ..metadata
            },
        }
    }
}

/// A request of the store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Request {
    /// What is asked for.
    #[serde(flatten)]
    pub requested: Requested,
    /// Why.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: Uuid = Uuid::from_u128(1);

    fn stored(requested: Requested) -> Value {
        let request = NewRequest {
            requested,
            operator: ANNA,
            reason: "because".to_owned(),
            key: "key".to_owned(),
        };
        let metadata = Metadata {
            actor: None,
            on_behalf_of: None,
            correlation_id: Uuid::nil(),
            causation_id: None,
            traceparent: None,
            idempotency_key: None,
        };
        request.event(Version::new(6), metadata).payload
    }

    fn every() -> [(Requested, Value); 9] {
        let letters = Letters {
            code: Some("ACCOUNT_REJECTED".to_owned()),
            ..Letters::default()
        };
        let model = ReadModel::Workshops;
        [
            (
                Requested::Redrive(letters.clone()),
                json!({ "code": "ACCOUNT_REJECTED" }),
            ),
            (
                Requested::RedrivePreview(Letters {
                    ids: Some(vec![ANNA]),
                    ..Letters::default()
                }),
                json!({ "ids": [ANNA] }),
            ),
            (Requested::Discard(Letters::default()), json!({})),
            (
                Requested::Replay(Resending {
                    from: 1,
                    to: Some(9),
                    order: None,
                    max_rate: Some(10),
                }),
                json!({ "from": 1, "to": 9, "maxRate": 10 }),
            ),
            (
                Requested::Rebuild(Rebuilding {
                    model,
                    keep: true,
                    accept_differences: Some(3),
                    max_rate: None,
                }),
                json!({ "model": "workshops", "keep": true, "acceptDifferences": 3 }),
            ),
            (
                Requested::RebuildBack(OfModel { model }),
                json!({ "model": "workshops" }),
            ),
            (
                Requested::Activate(OfPolicy { version: 2 }),
                json!({ "version": 2 }),
            ),
            (
                Requested::Recompute(Account {
                    account: Some(ANNA),
                    role: AccountRole::Workshop,
                    max_rate: None,
                }),
                json!({ "account": ANNA, "role": "workshop" }),
            ),
            (
                Requested::Backfill(OfPolicy { version: 3 }),
                json!({ "version": 3 }),
            ),
        ]
    }

    #[test]
    fn every_request_is_stored_as_it_always_was_and_read_back() {
        for ((requested, arguments), act) in every().into_iter().zip(Requested::ACTS) {
            assert_eq!(requested.as_str(), act);
            let payload = stored(requested.clone());
            let expected = json!({
                "actId": NewRequest::id_at(ANNA, Version::new(7), "key").to_string(),
                "act": act,
                "arguments": arguments,
                "reason": "because",
            });
            assert_eq!(payload, expected);
            let read: Request = serde_json::from_value(payload).unwrap();
            assert_eq!(read.requested, requested);
            assert_eq!(read.reason, "because");
        }
    }

    #[test]
    fn an_id_is_that_of_its_place_and_of_no_other() {
        let id = |operator, version, key| {
            NewRequest::id_at(Uuid::from_u128(operator), Version::new(version), key)
        };
        // Stored answers name acts by it.
        assert_eq!(
            id(1, 7, "key").to_string(),
            "554cf315-b0b7-5ec2-8fa5-5b045146a57d"
        );
        for other in [id(2, 7, "key"), id(1, 8, "key"), id(1, 7, "kez")] {
            assert_ne!(other, id(1, 7, "key"));
        }
    }
}
