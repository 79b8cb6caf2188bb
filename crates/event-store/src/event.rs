//! Events as they are stored: where they lie, what they carry, and what an append brings.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use chrono::{DateTime, Utc};
use kernel::{EventId, MalformedMetadata, Metadata, OrderId, Role, WorkshopId};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

/// A place in the global log. Positions ascend in every stream and have holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(i64);

impl Position {
    /// Before the first event.
    pub const START: Self = Self(0);

    /// The place `value` events or holes after the start.
    #[must_use]
    pub const fn new(value: i64) -> Self {
        Self(value)
    }

    /// The bare number, as the column holds it.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of events in a stream; an event's version is its number in it, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(i64);

impl Version {
    /// Of a stream without events.
    pub const NONE: Self = Self(0);

    /// The version after one more event.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// A stream of `value` events.
    #[must_use]
    pub const fn new(value: i64) -> Self {
        Self(value)
    }

    /// The bare number, as the column holds it.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names a stream: the type of its aggregate, and the aggregate's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    kind: Cow<'static, str>,
    key: Cow<'static, str>,
}

impl StreamId {
    /// Aggregate type of orders.
    pub const ORDER: &'static str = "order";
    /// Aggregate type of directory entries.
    pub const WORKSHOP: &'static str = "workshop";
    /// Aggregate type of bonus accounts.
    pub const ACCOUNT: &'static str = "account";
    /// Aggregate type of what operators did.
    pub const OPERATOR: &'static str = "operator";

    /// The stream of one order.
    #[must_use]
    pub fn order(id: OrderId) -> Self {
        Self::from_parts(Self::ORDER, id.to_string())
    }

    /// The stream of one entry of the workshop directory.
    #[must_use]
    pub fn workshop(id: WorkshopId) -> Self {
        Self::from_parts(Self::WORKSHOP, id.to_string())
    }

    /// The stream of one beneficiary's account.
    #[must_use]
    pub fn account(role: Role, id: Uuid) -> Self {
        Self::from_parts(Self::ACCOUNT, format!("{role}:{}", id.as_hyphenated()))
    }

    /// The stream of one operator's acts.
    #[must_use]
    pub fn operator(id: Uuid) -> Self {
        Self::from_parts(Self::OPERATOR, id.as_hyphenated().to_string())
    }

    /// A stream as its columns name it.
    #[must_use]
    pub fn from_parts(
        kind: impl Into<Cow<'static, str>>,
        key: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            kind: kind.into(),
            key: key.into(),
        }
    }

    /// Aggregate type.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Aggregate id.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.key)
    }
}

/// An event on its way into the store.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Its global id.
    pub event_id: EventId,
    /// Its stored name.
    pub event_type: &'static str,
    /// The version of its schema, such as `1.0`.
    pub event_version: &'static str,
    /// Its data.
    pub payload: Value,
    /// Its circumstances.
    pub metadata: Metadata,
}

impl NewEvent {
    /// What its data measure as text, about: escapes are not counted.
    pub(crate) fn bytes(&self) -> usize {
        measured(&self.payload)
    }
}

fn measured(value: &Value) -> usize {
    const LONGEST_WORD: usize = 20;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => LONGEST_WORD,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| measured(item) + 2).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| name.len() + 6 + measured(value))
            .sum(),
    }
}

/// A value as it is stored, a JSON text: whoever needs what it says reads it once, into a type of
/// its own.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct StoredJson(Box<RawValue>);

impl StoredJson {
    /// The text of a value.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        // Every value has a text.
        Self(RawValue::from_string(value.to_string()).unwrap_or_default())
    }

    /// The value, for whoever looks for a part of it.
    ///
    /// # Errors
    /// It has a number that no number here can hold.
    pub fn value(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_str(self)
    }
}

impl Deref for StoredJson {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.get()
    }
}

impl fmt::Debug for StoredJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl PartialEq for StoredJson {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

/// An event of the store.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Its place in the global log.
    pub position: Position,
    /// Its global id.
    pub event_id: EventId,
    /// The stream that it belongs to.
    pub stream: StreamId,
    /// Its number in that stream, from 1.
    pub version: Version,
    /// Its stored name.
    pub event_type: String,
    /// The version of its schema, such as `1.0`.
    pub event_version: String,
    /// Its data.
    pub payload: StoredJson,
    /// Its circumstances, as stored; [`StoredEvent::metadata`] reads them.
    pub raw_metadata: StoredJson,
    /// When it was stored, by the server's clock.
    pub recorded_at: DateTime<Utc>,
    /// What its data and circumstances measure as text, in bytes.
    pub bytes: usize,
}

impl StoredEvent {
    /// Its stored name and version, as people are told.
    #[must_use]
    pub fn name_and_version(&self) -> String {
        format!("{} {}", self.event_type, self.event_version)
    }

    /// The event's circumstances.
    ///
    /// # Errors
    /// Names the field that cannot be read.
    pub fn metadata(&self) -> Result<Metadata, MalformedMetadata> {
        Metadata::from_json(&self.raw_metadata)
    }
}
