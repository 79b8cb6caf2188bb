//! Stored events of any age, read as events of today.
//!
//! Each kind of stream has its [`Schemas`]: a payload is lifted version by version until it has the
//! shape of today. A step that cannot tell what an old event meant fails, and what this release
//! does not know is an error: nothing is guessed or passed over.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;
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
    #[error("the payload of {event_type} cannot be lifted from version {from} to {to}")]
    Unliftable {
        /// The stored name.
        event_type: &'static str,
        /// The version that it has.
        from: &'static str,
        /// The version that it should have.
        to: &'static str,
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

/// An event's stored name, and the version that it is stored at today.
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
}

/// Why a payload cannot be lifted to the next version, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unliftable(pub(crate) &'static str);

/// One step from a version to the next.
pub(crate) struct Upcaster {
    pub(crate) event_type: &'static str,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) lift: fn(&mut Map<String, Value>) -> Result<(), Unliftable>,
}

impl Upcaster {
    /// Lifts a payload.
    pub(crate) fn apply(&self, payload: &mut Value) -> Result<(), Undecodable> {
        payload
            .as_object_mut()
            .ok_or(Unliftable("it is no object"))
            .and_then(self.lift)
            .map_err(|source| Undecodable::Unliftable {
                event_type: self.event_type,
                from: self.from,
                to: self.to,
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

    /// Reads a stored event of any version ever stored.
    pub(crate) fn decode<E: DeserializeOwned>(
        &self,
        event_type: &str,
        event_version: &str,
        payload: &Value,
    ) -> Result<E, Undecodable> {
        let schema = self.schema(event_type)?;
        let payload = self.lift(schema, event_version, payload)?;
        if payload.get("event").and_then(Value::as_str) != Some(event_type) {
            return Err(Undecodable::Mismatch {
                event_type: schema.event_type,
            });
        }
        E::deserialize(&*payload).map_err(|source| Undecodable::Payload {
            event_type: schema.event_type,
            event_version: event_version.to_owned(),
            source,
        })
    }

    /// The step that leads on from a version, if it is an old one.
    pub(crate) fn step(&self, event_type: &str, event_version: &str) -> Option<&Upcaster> {
        self.upcasters
            .iter()
            .find(|step| step.event_type == event_type && step.from == event_version)
    }

    fn schema(&self, event_type: &str) -> Result<Schema, Undecodable> {
        self.current
            .iter()
            .copied()
            .find(|schema| schema.event_type == event_type)
            .ok_or_else(|| Undecodable::UnknownEvent {
                event_type: event_type.to_owned(),
            })
    }

    fn lift<'a>(
        &self,
        schema: Schema,
        event_version: &str,
        payload: &'a Value,
    ) -> Result<Cow<'a, Value>, Undecodable> {
        let mut payload = Cow::Borrowed(payload);
        let mut version = event_version;
        while version != schema.version {
            let unknown = || Undecodable::UnknownVersion {
                event_type: schema.event_type,
                event_version: event_version.to_owned(),
            };
            let step = self.step(schema.event_type, version).ok_or_else(unknown)?;
            step.apply(payload.to_mut())?;
            version = step.to;
        }
        Ok(payload)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    /// An event that has had four shapes: `days` came at 1.1, `hours` took its place at 2.0, and a
    /// `unit` joined it at 2.1.
    const SCHEMAS: Schemas = Schemas {
        current: &[Schema::new("Waited", "2.1"), Schema::new("Rested", "1.0")],
        upcasters: &[
            Upcaster {
                event_type: "Waited",
                from: "2.0",
                to: "2.1",
                lift: |fields| {
                    fields.insert("unit".to_owned(), json!("hour"));
                    Ok(())
                },
            },
            Upcaster {
                event_type: "Waited",
                from: "1.1",
                to: "2.0",
                lift: |fields| {
                    let days = fields.remove("days").and_then(|days| days.as_i64());
                    let days = days.ok_or(Unliftable("nobody knows how long"))?;
                    fields.insert("hours".to_owned(), json!(days * 24));
                    Ok(())
                },
            },
            Upcaster {
                event_type: "Waited",
                from: "1.0",
                to: "1.1",
                lift: |fields| {
                    fields.insert("days".to_owned(), json!(1));
                    Ok(())
                },
            },
        ],
    };

    #[derive(Debug, PartialEq, Deserialize)]
    struct Waited {
        hours: i64,
        unit: String,
    }

    fn read(version: &str, mut payload: Value) -> Result<Waited, Undecodable> {
        payload["event"] = json!("Waited");
        SCHEMAS.decode("Waited", version, &payload)
    }

    #[test]
    fn a_payload_is_lifted_over_every_version_between_its_own_and_todays() {
        for (version, payload, hours) in [
            ("1.0", json!({}), 24),
            ("1.1", json!({"days": 3}), 72),
            ("2.0", json!({"hours": 5}), 5),
            ("2.1", json!({"hours": 7, "unit": "hour"}), 7),
        ] {
            let unit = "hour".to_owned();
            assert_eq!(read(version, payload).unwrap(), Waited { hours, unit });
        }
    }

    #[test]
    fn a_step_that_cannot_tell_what_was_meant_names_itself_and_why() {
        for payload in [json!({}), json!({"days": "some"})] {
            let error = read("1.1", payload).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the payload of Waited cannot be lifted from version 1.1 to 2.0"
            );
            let source = std::error::Error::source(&error).unwrap();
            assert_eq!(source.to_string(), "nobody knows how long");
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
