//! Stored events of any age, read as events of today.
//!
//! Each kind of stream has its [`Schemas`]: a payload is lifted version by version until it has the
//! shape of today. What was once stored as one event may be told as several since. A step that
//! cannot tell what an old event meant fails, and what this release does not know is an error:
//! nothing is guessed or passed over.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An event as the store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// Its stored name.
    pub event_type: &'static str,
    /// The version of its schema.
    pub event_version: &'static str,
    /// Its data, the name included.
    pub payload: Value,
}

/// Why a stored event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    /// This release knows no event of the name.
    #[error("no event is called {event_type:?}")]
    UnknownEvent {
        /// The stored name.
        event_type: String,
    },
    /// This release knows the event, but not in this version.
    #[error("{event_type} has no version {event_version:?} here")]
    UnknownVersion {
        /// The stored name.
        event_type: &'static str,
        /// The stored version.
        event_version: String,
    },
    /// What the event meant in its version cannot be said in the next one.
    #[error("the payload of {event_type} cannot be lifted from version {from}")]
    Unliftable {
        /// The stored name.
        event_type: &'static str,
        /// The version that it has.
        from: &'static str,
        /// Why not.
        source: Unliftable,
    },
    /// The payload speaks of another event than the columns beside it.
    #[error("the payload of {event_type} is that of another event")]
    Mismatch {
        /// The stored name.
        event_type: &'static str,
    },
    /// The payload does not have the shape of its version.
    #[error("the payload of {event_type} {event_version} has another shape")]
    Payload {
        /// The stored name.
        event_type: &'static str,
        /// The stored version.
        event_version: String,
        /// What is missing or malformed.
        source: serde_json::Error,
    },
}

/// An event's stored name, and a version of its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schema {
    pub(crate) event_type: &'static str,
    pub(crate) version: &'static str,
}

impl Schema {
    pub(crate) const fn new(event_type: &'static str, version: &'static str) -> Self {
        Self {
            event_type,
            version,
        }
    }

    /// An event of this shape.
    pub(crate) fn with(self, mut fields: Map<String, Value>) -> Encoded {
        fields.insert("event".to_owned(), self.event_type.into());
        Encoded {
            event_type: self.event_type,
            event_version: self.version,
            payload: Value::Object(fields),
        }
    }

    fn is(self, event_type: &str, event_version: &str) -> bool {
        self.event_type == event_type && self.version == event_version
    }
}

/// The name that a payload bears.
#[derive(Deserialize)]
struct Label<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
}

/// Why a payload cannot be lifted to the next version, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unliftable(pub(crate) &'static str);

/// One step from a version towards today.
pub(crate) struct Upcaster {
    pub(crate) from: Schema,
    /// Tells the event in the next version, or as the events, one at least, that have taken its
    /// place: in the order in which they happened, with the instant of the old one.
    pub(crate) lift: fn(Map<String, Value>) -> Result<Vec<Encoded>, Unliftable>,
}

impl Upcaster {
    /// Lifts a payload.
    pub(crate) fn apply(&self, payload: &Value) -> Result<Vec<Encoded>, Undecodable> {
        let fields = payload.as_object().ok_or(Unliftable("it is no object"));
        fields
            .and_then(|fields| (self.lift)(fields.clone()))
            .and_then(|parts| match parts.is_empty() {
                true => Err(Unliftable("nothing is left of it")),
                false => Ok(parts),
            })
            .map_err(|source| Undecodable::Unliftable {
                event_type: self.from.event_type,
                from: self.from.version,
                source,
            })
    }
}

/// All that is known of the events of one kind of stream: each at its version of today, and the
/// steps that lead there from every version ever stored.
pub(crate) struct Schemas {
    pub(crate) current: &'static [Schema],
    pub(crate) upcasters: &'static [Upcaster],
}

impl Schemas {
    /// The stored form of an event.
    pub(crate) fn encode<E: Serialize>(schema: Schema, event: &E) -> Encoded {
        #[expect(
            clippy::expect_used,
            reason = "events are structs of texts, numbers and lists, which always have a JSON form"
        )]
        let payload = serde_json::to_value(event).expect("an event has a JSON form");
        Encoded {
            event_type: schema.event_type,
            event_version: schema.version,
            payload,
        }
    }

    /// Reads a stored event of any version ever stored: one event of today, or the several that
    /// have taken its place.
    pub(crate) fn decode<E: DeserializeOwned>(
        &self,
        event_type: &str,
        event_version: &str,
        payload: &str,
    ) -> Result<Vec<E>, Undecodable> {
        let event_type = self.name(event_type)?;
        let Label { event } =
            serde_json::from_str(payload).map_err(|_| Undecodable::Mismatch { event_type })?;
        if event != event_type {
            return Err(Undecodable::Mismatch { event_type });
        }
        let of_another_shape = |source| Undecodable::Payload {
            event_type,
            event_version: event_version.to_owned(),
            source,
        };
        if self.is_current(event_type, event_version) {
            let event = serde_json::from_str(payload).map_err(of_another_shape)?;
            return Ok(vec![event]);
        }
        let payload = serde_json::from_str(payload).map_err(of_another_shape)?;
        let mut events = Vec::with_capacity(1);
        self.read(event_type, event_version, &payload, &mut events)?;
        Ok(events)
    }

    fn is_current(&self, event_type: &str, event_version: &str) -> bool {
        self.current.iter().any(|s| s.is(event_type, event_version))
    }

    /// The step that leads on from a version, if it is an old one.
    pub(crate) fn step(&self, event_type: &str, event_version: &str) -> Option<&Upcaster> {
        self.upcasters
            .iter()
            .find(|step| step.from.is(event_type, event_version))
    }

    fn read<E: DeserializeOwned>(
        &self,
        event_type: &'static str,
        event_version: &str,
        payload: &Value,
        events: &mut Vec<E>,
    ) -> Result<(), Undecodable> {
        if let Some(step) = self.step(event_type, event_version) {
            return step.apply(payload)?.iter().try_for_each(|part| {
                self.read(part.event_type, part.event_version, &part.payload, events)
            });
        }
        if !self.is_current(event_type, event_version) {
            return Err(Undecodable::UnknownVersion {
                event_type,
                event_version: event_version.to_owned(),
            });
        }
        events.push(
            E::deserialize(payload).map_err(|source| Undecodable::Payload {
                event_type,
                event_version: event_version.to_owned(),
                source,
            })?,
        );
        Ok(())
    }

    /// The stored name, if there ever was such an event.
    fn name(&self, event_type: &str) -> Result<&'static str, Undecodable> {
        let old = self.upcasters.iter().map(|step| step.from);
        self.current
            .iter()
            .copied()
            .chain(old)
            .map(|schema| schema.event_type)
            .find(|name| *name == event_type)
            .ok_or_else(|| Undecodable::UnknownEvent {
                event_type: event_type.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `Waited` has had four shapes: `days` came at 1.1, `hours` took its place at 2.0, and a
    /// `unit` joined it at 2.1. `Paused` was two things at once, and is told as both since.
    const SCHEMAS: Schemas = Schemas {
        current: &[Schema::new("Waited", "2.1"), Schema::new("Rested", "1.0")],
        upcasters: &[
            Upcaster {
                from: Schema::new("Waited", "2.0"),
                lift: |mut fields| {
                    fields.insert("unit".to_owned(), json!("hour"));
                    Ok(vec![Schema::new("Waited", "2.1").with(fields)])
                },
            },
            Upcaster {
                from: Schema::new("Waited", "1.1"),
                lift: |mut fields| {
                    let days = fields.remove("days").and_then(|days| days.as_i64());
                    let days = days.ok_or(Unliftable("nobody knows how long"))?;
                    fields.insert("hours".to_owned(), json!(days * 24));
                    Ok(vec![Schema::new("Waited", "2.0").with(fields)])
                },
            },
            Upcaster {
                from: Schema::new("Waited", "1.0"),
                lift: |mut fields| {
                    fields.insert("days".to_owned(), json!(1));
                    Ok(vec![Schema::new("Waited", "1.1").with(fields)])
                },
            },
            Upcaster {
                from: Schema::new("Paused", "1.0"),
                lift: |fields| {
                    let rested = match fields.get("asleep") {
                        Some(Value::Bool(true)) => Some(Schema::new("Rested", "1.0")),
                        _ => None,
                    };
                    let waited = fields.get("days").map(|_| Schema::new("Waited", "1.1"));
                    let parts = [rested, waited].into_iter().flatten();
                    Ok(parts.map(|part| part.with(fields.clone())).collect())
                },
            },
        ],
    };

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "event")]
    enum Event {
        Waited { hours: i64, unit: String },
        Rested {},
    }

    fn waited(hours: i64) -> Event {
        let unit = "hour".to_owned();
        Event::Waited { hours, unit }
    }

    fn read(
        event_type: &str,
        version: &str,
        mut payload: Value,
    ) -> Result<Vec<Event>, Undecodable> {
        payload["event"] = json!(event_type);
        SCHEMAS.decode(event_type, version, &payload.to_string())
    }

    #[test]
    fn a_payload_is_lifted_over_every_version_between_its_own_and_todays() {
        for (version, payload, hours) in [
            ("1.0", json!({}), 24),
            ("1.1", json!({"days": 3}), 72),
            ("2.0", json!({"hours": 5}), 5),
            ("2.1", json!({"hours": 7, "unit": "hour"}), 7),
        ] {
            let events = read("Waited", version, payload).unwrap();
            assert_eq!(events, [waited(hours)]);
        }
    }

    #[test]
    fn an_event_is_told_as_those_that_have_taken_its_place_each_lifted_to_today() {
        let both = read("Paused", "1.0", json!({"asleep": true, "days": 2})).unwrap();
        assert_eq!(both, [Event::Rested {}, waited(48)]);
        let one = read("Paused", "1.0", json!({"days": 2})).unwrap();
        assert_eq!(one, [waited(48)]);
    }

    #[test]
    fn an_event_of_which_nothing_would_be_left_is_not_passed_over() {
        let error = read("Paused", "1.0", json!({})).unwrap_err();
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), "nothing is left of it");
    }

    #[test]
    fn one_part_that_cannot_be_told_spoils_the_whole() {
        let error = read("Paused", "1.0", json!({"asleep": true, "days": "some"})).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the payload of Waited cannot be lifted from version 1.1"
        );
    }

    #[test]
    fn a_step_that_cannot_tell_what_was_meant_names_itself_and_why() {
        for payload in [json!({}), json!({"days": "some"})] {
            let error = read("Waited", "1.1", payload).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the payload of Waited cannot be lifted from version 1.1"
            );
            let source = std::error::Error::source(&error).unwrap();
            assert_eq!(source.to_string(), "nobody knows how long");
        }
    }

    #[test]
    fn an_event_has_the_versions_of_its_own_name_only() {
        for (event_type, version) in [("Waited", "3.0"), ("Rested", "1.1"), ("Paused", "2.1")] {
            assert!(matches!(
                read(event_type, version, json!({"hours": 1, "unit": "hour"})),
                Err(Undecodable::UnknownVersion { event_version, .. }) if event_version == version
            ));
        }
    }

    #[test]
    fn steps_belong_to_one_event() {
        assert!(SCHEMAS.step("Waited", "1.0").is_some());
        assert!(SCHEMAS.step("Waited", "2.1").is_none());
        assert!(SCHEMAS.step("Rested", "1.0").is_none());
        assert!(SCHEMAS.step("Rested", "1.1").is_none());
    }
}
