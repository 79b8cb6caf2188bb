//! Stored events of any age, read as events of today.
//!
//! A payload is lifted version by version until it has the shape of today; what this release does
//! not know is an error, never passed over.

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

/// One step from a version to the next.
pub(crate) struct Upcaster {
    pub(crate) event_type: &'static str,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) lift: fn(&mut Map<String, Value>),
}

impl Upcaster {
    /// Lifts a payload; one that is no object is left for the decoder to refuse.
    pub(crate) fn apply(&self, payload: &mut Value) {
        if let Some(fields) = payload.as_object_mut() {
            (self.lift)(fields);
        }
    }
}

/// All that is known of the events of one kind of stream.
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
            step.apply(payload.to_mut());
            version = step.to;
        }
        Ok(payload)
    }
}
