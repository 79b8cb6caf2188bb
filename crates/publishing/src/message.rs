//! The whole message that a stored event becomes: topic, key, envelope and payload.

use bonus_domain::stored as account_stored;
use chrono::{DateTime, Utc};
use contracts::{CloudEvent, Domain, OrderPayload, Outbound, Traceparent, topics};
use kernel::{EventId, MalformedMetadata, Metadata};
use order_domain::order::stored as order_stored;
use serde::Serialize;
use uuid::Uuid;

use crate::{account, order};

/// The parts of a stored event that a message is made of.
#[derive(Debug, Clone, Copy)]
pub struct StoredFact<'a> {
    /// Its place in the global log.
    pub position: i64,
    /// Its global id.
    pub event_id: EventId,
    /// The type of its stream: `order`, `workshop`, `account` or `operator`.
    pub stream_kind: &'a str,
    /// Its number in its stream, from 1.
    pub version: i64,
    /// Its stored name.
    pub event_type: &'a str,
    /// The version in which it is stored.
    pub event_version: &'a str,
    /// Its stored data: a JSON text.
    pub payload: &'a str,
    /// Its circumstances, as stored: a JSON text.
    pub metadata: &'a str,
}

/// Why a stored event cannot be published: this release is older than the one that wrote it, or
/// the store is damaged.
#[derive(Debug, thiserror::Error)]
pub enum Unpublishable {
    /// Nothing is known of such streams, not even whether they are public.
    #[error("streams of type {kind:?} are not known to this release")]
    UnknownStream {
        /// The type.
        kind: String,
    },
    /// The fact of an order cannot be read.
    #[error("the order event cannot be read")]
    Order(#[from] order_domain::Undecodable),
    /// The fact of an account cannot be read.
    #[error("the account event cannot be read")]
    Account(#[from] account_stored::Undecodable),
    /// Its circumstances cannot be read.
    #[error("the event's metadata cannot be read")]
    Metadata(#[from] MalformedMetadata),
}

/// The messages that tell a stored event: one, or those of the several facts as which it is told
/// since, in their order, each followed by who else benefits; none where it is not for the public.
///
/// The same event always gives the same messages.
///
/// # Errors
/// See [`Unpublishable`]. Nothing later of its stream may be sent before it.
pub fn messages(stored: &StoredFact<'_>) -> Result<Vec<Outbound>, Unpublishable> {
    match stored.stream_kind {
        "order" => order_messages(stored),
        "account" => account_message(stored).map(|message| vec![message]),
        "workshop" | "operator" => Ok(Vec::new()),
        other => Err(Unpublishable::UnknownStream {
            kind: other.to_owned(),
        }),
    }
}

fn order_messages(stored: &StoredFact<'_>) -> Result<Vec<Outbound>, Unpublishable> {
    let facts = order_stored::decode(stored.event_type, stored.event_version, stored.payload)?;
    let mut messages = Vec::with_capacity(facts.len());
    for (part, fact) in (0..).zip(&facts) {
        let id = part_id(stored.event_id, part);
        messages.push(order_message(stored, id, None, &order::publish(fact))?);
        if let Some((workshop, credit)) = order::publish_credit(fact) {
            let derived = credit_id(id, workshop);
            messages.push(order_message(stored, derived, Some(id), &credit)?);
        }
    }
    Ok(messages)
}

fn order_message(
    stored: &StoredFact<'_>,
    id: Uuid,
    follows_from: Option<Uuid>,
    payload: &OrderPayload,
) -> Result<Outbound, Unpublishable> {
    let envelope = Envelope {
        id,
        follows_from,
        domain: Domain::Order,
        event: payload.fact.name(),
        schema_version: payload.fact.schema_version(),
        subject: payload.order_id,
        time: payload.occurred_at,
    };
    envelope.around(payload, topics::ORDER_EVENTS, stored)
}

fn account_message(stored: &StoredFact<'_>) -> Result<Outbound, Unpublishable> {
    let event = account_stored::decode(stored.event_type, stored.event_version, stored.payload)?;
    let payload = account::publish(&event);
    let envelope = Envelope {
        id: stored.event_id.as_uuid(),
        follows_from: None,
        domain: Domain::Bonus,
        event: payload.fact.name(),
        schema_version: payload.fact.schema_version(),
        subject: payload.beneficiary_id,
        time: payload.occurred_at,
    };
    envelope.around(&payload, topics::BONUS_EVENTS, stored)
}

/// What the envelope takes from the public payload.
struct Envelope {
    id: Uuid,
    /// The message that it follows from, where it is not what the stored event follows from.
    follows_from: Option<Uuid>,
    domain: Domain,
    event: &'static str,
    schema_version: &'static str,
    subject: Uuid,
    time: DateTime<Utc>,
}

impl Envelope {
    fn around(
        self,
        payload: &impl Serialize,
        topic: &'static str,
        stored: &StoredFact<'_>,
    ) -> Result<Outbound, Unpublishable> {
        let metadata = Metadata::from_json(stored.metadata)?;
        let envelope = CloudEvent {
            id: self.id,
            domain: self.domain,
            event: self.event,
            schema_version: self.schema_version,
            subject: self.subject,
            time: self.time,
            aggregate_version: stored.version,
            position: stored.position,
            correlation_id: metadata.correlation_id,
            causation_id: self.follows_from.or(metadata.causation_id),
            traceparent: trace(stored.event_id, &metadata),
        };
        #[expect(
            clippy::expect_used,
            reason = "payloads hold texts, numbers and lists alone, which always have a JSON form"
        )]
        let payload = serde_json::to_vec(payload).expect("a payload has a JSON form");
        Ok(Outbound {
            topic,
            key: envelope.key(),
            headers: envelope.headers(),
            payload,
        })
    }
}

/// The id of the fact that an event tells as its first, second…: consumers know a repeat by it. The
/// first is the event's own.
fn part_id(event_id: EventId, part: u32) -> Uuid {
    match part {
        0 => event_id.as_uuid(),
        later => Uuid::new_v5(&event_id.as_uuid(), &later.to_be_bytes()),
    }
}

/// The id of the message that credits a workshop, derived from that of the order's completion.
fn credit_id(completed: Uuid, workshop: Uuid) -> Uuid {
    let name = format!("WorkshopCredited:{}", workshop.as_hyphenated());
    Uuid::new_v5(&completed, name.as_bytes())
}

/// The trace in which the event was appended; where there was none, the event starts one.
fn trace(event_id: EventId, metadata: &Metadata) -> Traceparent {
    metadata
        .traceparent
        .as_deref()
        .and_then(Traceparent::parse)
        .unwrap_or_else(|| Traceparent::started_by(event_id.as_uuid()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ORDER: &str = "01938f6e-0000-7000-8000-000000000001";
    const COMMISSIONER: &str = "01938f6e-0000-7000-8000-000000000002";
    const EVENT: &str = "01938f6e-0000-7000-8000-000000000005";
    const CORRELATION: &str = "01938f6e-0000-7000-8000-000000000006";
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn metadata(traceparent: Option<&str>) -> String {
        let mut map = json!({"correlationId": CORRELATION});
        if let Some(traceparent) = traceparent {
            map["traceparent"] = json!(traceparent);
        }
        map.to_string()
    }

    fn closed() -> String {
        json!({
            "event": "AllInvitationsClosed",
            "orderId": ORDER,
            "commissionerId": COMMISSIONER,
            "occurredAt": "2026-11-25T10:00:00.5Z",
        })
        .to_string()
    }

    fn stored<'a>(payload: &'a str, metadata: &'a str) -> StoredFact<'a> {
        StoredFact {
            position: 41,
            event_id: EVENT.parse().unwrap(),
            stream_kind: "order",
            version: 3,
            event_type: "AllInvitationsClosed",
            event_version: "1.0",
            payload,
            metadata,
        }
    }

    fn only(stored: &StoredFact<'_>) -> Outbound {
        let messages = messages(stored).unwrap();
        <[Outbound; 1]>::try_from(messages)
            .unwrap()
            .into_iter()
            .next()
            .unwrap()
    }

    #[test]
    fn the_parts_of_an_event_are_told_apart_and_the_first_is_the_event() {
        let event: EventId = EVENT.parse().unwrap();
        let other: EventId = ORDER.parse().unwrap();
        assert_eq!(part_id(event, 0), event.as_uuid());
        assert_eq!(part_id(event, 1), part_id(event, 1));
        let ids = [(event, 0), (event, 1), (event, 2), (other, 1)].map(|(id, n)| part_id(id, n));
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
    }

    #[test]
    fn an_order_event_is_told_under_the_order_id() {
        let (payload, metadata) = (closed(), metadata(Some(TRACE)));
        let message = only(&stored(&payload, &metadata));

        assert_eq!(message.topic, "atlas.order-events.v1");
        assert_eq!(message.key, ORDER);
        assert_eq!(
            String::from_utf8(message.payload).unwrap(),
            format!(r#"{{"orderId":"{ORDER}","commissionerId":"{COMMISSIONER}","#)
                + r#""occurredAt":"2026-11-25T10:00:00.500Z"}"#
        );
        let expected = [
            ("ce_specversion", "1.0"),
            ("ce_id", EVENT),
            ("ce_type", "atlas.order.AllInvitationsClosed"),
            ("ce_source", "/atlas/command-api"),
            ("ce_subject", ORDER),
            ("ce_time", "2026-11-25T10:00:00.500Z"),
            ("ce_dataschema", "urn:atlas:order:AllInvitationsClosed:1.0"),
            ("ce_aggregateversion", "3"),
            ("ce_position", "41"),
            ("ce_correlationid", CORRELATION),
            ("traceparent", TRACE),
            ("content-type", "application/json"),
        ];
        let headers: Vec<_> = message
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(headers, expected);
    }

    #[test]
    fn the_workshop_of_a_completed_order_is_credited_directly_after_it() {
        let workshop = "01938f6e-0000-7000-8000-000000000003";
        let payload = json!({
            "event": "OrderCompleted",
            "orderId": ORDER,
            "commissionerId": COMMISSIONER,
            "occurredAt": "2026-11-25T10:00:00.5Z",
            "workshopId": workshop,
        })
        .to_string();
        let metadata = metadata(Some(TRACE));
        let stored = StoredFact {
            event_type: "OrderCompleted",
            ..stored(&payload, &metadata)
        };
        let told = messages(&stored).unwrap();
        assert_eq!(told, messages(&stored).unwrap());
        let [completed, credited] = <[Outbound; 2]>::try_from(told).unwrap();
        assert_eq!(
            (credited.topic, &credited.key),
            (completed.topic, &completed.key)
        );
        let header = |message: &Outbound, name: &str| {
            let found = message.headers.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone())
        };
        let event: EventId = EVENT.parse().unwrap();
        let name = format!("WorkshopCredited:{workshop}");
        let id = Uuid::new_v5(&event.as_uuid(), name.as_bytes());
        assert_eq!(header(&credited, "ce_id"), Some(id.to_string()));
        assert_eq!(header(&credited, "ce_causationid").as_deref(), Some(EVENT));
        assert_eq!(
            header(&credited, "ce_type").as_deref(),
            Some("atlas.order.WorkshopCredited")
        );
        for same in [
            "ce_aggregateversion",
            "ce_position",
            "ce_time",
            "traceparent",
        ] {
            assert_eq!(header(&credited, same), header(&completed, same), "{same}");
        }
        assert_eq!(header(&completed, "ce_causationid"), None);
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&credited.payload).unwrap(),
            json!({
                "orderId": ORDER,
                "commissionerId": COMMISSIONER,
                "occurredAt": "2026-11-25T10:00:00.500Z",
                "workshopId": workshop,
                "beneficiaryId": workshop,
                "beneficiaryRole": "workshop",
            })
        );
    }

    #[test]
    fn an_account_event_is_told_under_the_beneficiary_alone() {
        let payload = json!({
            "event": "GradeChanged",
            "beneficiaryId": COMMISSIONER,
            "beneficiaryRole": "commissioner",
            "policyVersion": 1,
            "occurredAt": "2026-11-25T10:00:00Z",
            "from": "Bronze",
            "to": "Silver",
        })
        .to_string();
        let metadata = json!({"correlationId": CORRELATION, "causationId": ORDER}).to_string();
        let stored = StoredFact {
            stream_kind: "account",
            event_type: "GradeChanged",
            ..stored(&payload, &metadata)
        };
        let message = only(&stored);
        assert_eq!(message.topic, "atlas.bonus-events.v1");
        assert_eq!(message.key, COMMISSIONER);
        for (name, value) in [
            ("ce_source", "/atlas/projector"),
            ("ce_type", "atlas.bonus.GradeChanged"),
            ("ce_causationid", ORDER),
        ] {
            assert!(
                message.headers.contains(&(name, value.to_owned())),
                "{name}: {:?}",
                message.headers
            );
        }
    }

    #[test]
    fn a_trace_is_started_where_none_came_and_the_same_at_every_repeat() {
        let payload = closed();
        for odd in [None, Some("00-nonsense")] {
            let metadata = metadata(odd);
            let first = only(&stored(&payload, &metadata));
            let again = only(&stored(&payload, &metadata));
            assert_eq!(first, again);
            let (_, trace) = first
                .headers
                .iter()
                .find(|(name, _)| *name == "traceparent")
                .unwrap();
            assert!(Traceparent::parse(trace).is_some(), "{trace}");
        }
    }

    #[test]
    fn the_directory_and_operators_acts_stay_in_the_store() {
        let (payload, metadata) = ("{}".to_owned(), "{}".to_owned());
        for stream_kind in ["workshop", "operator"] {
            let stored = StoredFact {
                stream_kind,
                ..stored(&payload, &metadata)
            };
            assert_eq!(messages(&stored).unwrap(), []);
        }
    }

    #[test]
    fn what_a_later_release_wrote_is_never_passed_over() {
        let (payload, whole) = (closed(), metadata(None));
        let known = stored(&payload, &whole);
        let unknown_event = StoredFact {
            event_type: "OrderTeleported",
            ..known
        };
        assert!(matches!(
            messages(&unknown_event),
            Err(Unpublishable::Order(_))
        ));
        let unknown_stream = StoredFact {
            stream_kind: "review",
            ..known
        };
        assert!(matches!(
            messages(&unknown_stream),
            Err(Unpublishable::UnknownStream { kind }) if kind == "review"
        ));
        let without_metadata = StoredFact {
            metadata: "{}",
            ..known
        };
        assert!(matches!(
            messages(&without_metadata),
            Err(Unpublishable::Metadata(_))
        ));
    }
}
