//! Whether a topic holds exactly the events of the store, in order per key, as CloudEvents.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::demo::events::Event;
use crate::demo::message::Message;

/// Something in which topic and store differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Difference {
    /// The topic lacks an event.
    Missing(Event),
    /// The store has no such event.
    Unknown { key: String, id: String },
    /// The messages of a key are not in the order of the store.
    Order { key: String, versions: Vec<String> },
    /// The messages of a key lie in several partitions, where they have no order.
    Scattered { key: String },
    /// A header is not what the event demands.
    Header {
        event: Event,
        header: &'static str,
        found: String,
    },
}

impl Difference {
    /// Whether time may mend it: the event may still be on its way.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Missing(_))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(event) => write!(f, "{event} is missing"),
            Self::Unknown { key, id } => {
                write!(
                    f,
                    "a message of {key} with ce_id {id} is no event of the store"
                )
            }
            Self::Order { key, versions } => write!(
                f,
                "the messages of {key} are out of order, by version: {}",
                versions.join(" ")
            ),
            Self::Scattered { key } => {
                write!(f, "the messages of {key} lie in several partitions")
            }
            Self::Header {
                event,
                header,
                found,
            } => write!(f, "{event} has the header {header}: {found:?}"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name, version, key, ..
        } = self;
        write!(f, "{name} (version {version} of {key})")
    }
}

/// Compares the events of one domain, in the order of the store, with the messages of its topic.
/// Delivery is at least once: of messages with one id, the first counts.
pub(crate) fn compare(events: &[Event], messages: &[Message]) -> Vec<Difference> {
    let messages = firsts(messages);
    let events = &with_credits(events, &messages);
    let mut by_key: BTreeMap<&str, (Vec<&Event>, Vec<&Message>)> = BTreeMap::new();
    for event in events {
        by_key.entry(&event.key).or_default().0.push(event);
    }
    for message in messages {
        by_key.entry(message.key()).or_default().1.push(message);
    }
    by_key
        .into_iter()
        .flat_map(|(key, (events, messages))| compare_key(key, &events, &messages))
        .collect()
}

/// The messages without repeats under the same key.
pub(crate) fn firsts(messages: &[Message]) -> Vec<&Message> {
    let mut seen = BTreeSet::new();
    let mut messages: Vec<&Message> = messages.iter().collect();
    messages.retain(|message| seen.insert((message.key(), message.header("ce_id"))));
    messages
}

/// The events, and after each completed order that its workshop was credited: a message of its own,
/// which is no event of the store and tells which one it follows from.
fn with_credits(events: &[Event], messages: &[&Message]) -> Vec<Event> {
    let mut expected = Vec::with_capacity(events.len());
    for event in events {
        expected.push(event.clone());
        if event.name == "OrderCompleted" {
            let credit = messages.iter().find(|message| {
                message.header("ce_type") == "atlas.order.WorkshopCredited"
                    && message.header("ce_causationid") == event.id
            });
            expected.push(Event {
                name: "WorkshopCredited".to_owned(),
                id: credit.map_or("", |it| it.header("ce_id")).to_owned(),
                ..event.clone()
            });
        }
    }
    expected
}

fn compare_key(key: &str, events: &[&Event], messages: &[&Message]) -> Vec<Difference> {
    let find_message = |event: &Event| messages.iter().find(|m| m.header("ce_id") == event.id);
    let mut differences = Vec::new();
    for event in events {
        match find_message(event) {
            None => differences.push(Difference::Missing((*event).clone())),
            Some(message) => differences.extend(compare_envelope(event, message)),
        }
    }
    for message in messages {
        let id = message.header("ce_id");
        if !events.iter().any(|event| event.id == id) {
            let (key, id) = (key.to_owned(), id.to_owned());
            differences.push(Difference::Unknown { key, id });
        }
    }
    let place = |message: &&&Message| events.iter().position(|e| e.id == message.header("ce_id"));
    if !messages
        .iter()
        .filter_map(|message| place(&message))
        .is_sorted()
    {
        let versions = messages.iter().map(|m| m.header("ce_aggregateversion"));
        differences.push(Difference::Order {
            key: key.to_owned(),
            versions: versions.map(str::to_owned).collect(),
        });
    }
    let partitions: BTreeSet<_> = messages.iter().map(|m| m.partition()).collect();
    if partitions.len() > 1 {
        let key = key.to_owned();
        differences.push(Difference::Scattered { key });
    }
    differences
}

/// CloudEvents 1.0 in binary mode, with our extensions.
fn compare_envelope(event: &Event, message: &Message) -> Vec<Difference> {
    let (domain, name) = (event.domain.word(), &event.name);
    let demanded = [
        ("ce_specversion", "1.0".to_owned()),
        ("ce_type", format!("atlas.{domain}.{name}")),
        ("ce_source", event.domain.source().to_owned()),
        ("ce_subject", event.key.clone()),
        ("ce_time", message.value("occurredAt").to_owned()),
        ("ce_aggregateversion", event.version.to_string()),
        ("ce_position", event.position.to_string()),
        ("content-type", "application/json".to_owned()),
    ];
    let mut wrong: Vec<&str> = demanded
        .iter()
        .filter(|(name, value)| message.header(name) != value)
        .map(|(name, _)| *name)
        .collect();
    let schema = format!("urn:atlas:{domain}:{name}:");
    if !message.header("ce_dataschema").starts_with(&schema) {
        wrong.push("ce_dataschema");
    }
    let always_there = ["ce_time", "ce_correlationid", "traceparent"];
    wrong.extend(
        always_there
            .iter()
            .filter(|name| message.header(name).is_empty()),
    );
    let difference = |header: &'static str| Difference::Header {
        event: event.clone(),
        header,
        found: message.header(header).to_owned(),
    };
    wrong.into_iter().map(difference).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::demo::events::Domain;

    fn event(key: &str, version: i64) -> Event {
        Event {
            domain: Domain::Order,
            key: key.to_owned(),
            id: format!("{key}-{version}"),
            name: "StageApproved".to_owned(),
            version,
            position: 10 + version,
        }
    }

    /// The message of an event, on partition 0, with a change.
    fn changed(event: &Event, pointer: &str, value: serde_json::Value) -> Message {
        let mut line = json!({
            "partition": 0, "offset": event.position, "key": event.key,
            "headers": {
                "ce_specversion": "1.0", "ce_id": event.id,
                "ce_type": format!("atlas.order.{}", event.name), "ce_source": "/atlas/command-api",
                "ce_subject": event.key, "ce_time": "2026-11-25T09:46:40Z",
                "ce_dataschema": format!("urn:atlas:order:{}:1.0", event.name),
                "ce_causationid": "",
                "ce_aggregateversion": event.version.to_string(),
                "ce_position": event.position.to_string(), "ce_correlationid": "0195",
                "traceparent": "00-0af7-b7ad-01", "content-type": "application/json",
            },
            "value": {"orderId": event.key, "occurredAt": "2026-11-25T09:46:40Z"},
        });
        *line.pointer_mut(pointer).unwrap() = value;
        Message::parse(&line.to_string()).unwrap()
    }

    fn message(event: &Event) -> Message {
        changed(event, "/partition", json!(0))
    }

    fn messages(events: &[Event], places: &[usize]) -> Vec<Message> {
        places
            .iter()
            .map(|place| message(&events[*place]))
            .collect()
    }

    fn words(events: &[Event], messages: &[Message]) -> Vec<String> {
        compare(events, messages)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn keys_may_be_mixed_and_messages_repeated() {
        let events = [event("a", 1), event("b", 1), event("a", 2), event("b", 2)];
        assert_eq!(compare(&events, &messages(&events, &[0, 2, 1, 3])), []);
        assert_eq!(
            compare(&events, &messages(&events, &[1, 3, 0, 0, 2, 0, 2])),
            []
        );
        assert_eq!(compare(&[], &[]), []);
    }

    #[test]
    fn a_missing_event_is_named_and_may_still_come() {
        let events = [event("a", 1), event("a", 2)];
        let differences = compare(&events, &messages(&events, &[0]));
        assert_eq!(differences, [Difference::Missing(events[1].clone())]);
        assert!(differences.iter().all(Difference::may_pass));
        assert_eq!(
            words(&events, &messages(&events, &[0])),
            ["StageApproved (version 2 of a) is missing"]
        );
    }

    #[test]
    fn a_message_that_the_store_does_not_know_is_named() {
        let events = [event("a", 1), event("a", 2)];
        let found = words(&events[..1], &messages(&events, &[0, 1]));
        assert_eq!(
            found,
            ["a message of a with ce_id a-2 is no event of the store"]
        );
    }

    #[test]
    fn another_order_is_shown_by_version() {
        let events = [event("a", 1), event("a", 2), event("a", 3)];
        let found = words(&events, &messages(&events, &[1, 0, 1, 2]));
        assert_eq!(
            found,
            ["the messages of a are out of order, by version: 2 1 3"]
        );
    }

    #[test]
    fn a_message_under_another_key_is_missing_there_and_unknown_here() {
        let events = [event("a", 1)];
        let strayed = changed(&events[0], "/key", json!("b"));
        let id = "a-1".to_owned();
        let unknown = Difference::Unknown {
            key: "b".to_owned(),
            id,
        };
        assert_eq!(
            compare(&events, &[strayed]),
            [Difference::Missing(events[0].clone()), unknown]
        );
    }

    #[test]
    fn a_repeat_under_another_key_is_unknown_there() {
        let events = [event("a", 1)];
        let strayed = changed(&events[0], "/key", json!("b"));
        let found = words(&events, &[message(&events[0]), strayed]);
        assert_eq!(
            found,
            ["a message of b with ce_id a-1 is no event of the store"]
        );
    }

    #[test]
    fn a_completed_order_credits_its_workshop_directly_after() {
        let named = |id: &str, name: &str| Event {
            id: id.to_owned(),
            name: name.to_owned(),
            ..event("a", 1)
        };
        let events = [named("a-1", "OrderCompleted")];
        let completed = message(&events[0]);
        assert_eq!(
            words(&events, std::slice::from_ref(&completed)),
            ["WorkshopCredited (version 1 of a) is missing"]
        );
        let credit = named("derived", "WorkshopCredited");
        let credit = changed(&credit, "/headers/ce_causationid", json!("a-1"));
        let told = [completed.clone(), credit.clone()];
        assert_eq!(compare(&events, &told), []);
        let found = words(&events, &[credit, completed]);
        assert_eq!(
            found,
            ["the messages of a are out of order, by version: 1 1"]
        );
    }

    #[test]
    fn one_key_in_two_partitions_has_no_order() {
        let events = [event("a", 1), event("a", 2)];
        let second = changed(&events[1], "/partition", json!(1));
        let found = words(&events, &[message(&events[0]), second]);
        assert_eq!(found, ["the messages of a lie in several partitions"]);
    }

    #[test]
    fn every_header_counts() {
        let event = event("a", 1);
        for header in [
            "ce_specversion",
            "ce_type",
            "ce_source",
            "ce_subject",
            "ce_time",
            "ce_dataschema",
            "ce_aggregateversion",
            "ce_position",
            "ce_correlationid",
            "traceparent",
            "content-type",
        ] {
            let found = changed(&event, &format!("/headers/{header}"), json!(null));
            let differences = compare(std::slice::from_ref(&event), &[found]);
            let Some(Difference::Header { header: named, .. }) = differences.first() else {
                panic!("{header}: {differences:?}");
            };
            assert_eq!(*named, header);
        }
    }
}
