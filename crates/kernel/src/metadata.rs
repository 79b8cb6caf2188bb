//! What is recorded beside an event's payload: who, why, and in which trace.
//!
//! Stored as a flat map of strings, the only shape that cqrs-es's envelope reads.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use uuid::Uuid;

use crate::{Actor, Role};

/// The circumstances of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Who did it; none where a process acted by itself.
    pub actor: Option<Actor>,
    /// In whose place an operator acted.
    pub on_behalf_of: Option<Actor>,
    /// Ties together everything that follows from one request.
    pub correlation_id: Uuid,
    /// The event that this one follows from; none where a request was the cause.
    pub causation_id: Option<Uuid>,
    /// W3C trace context of the span in which the event was appended.
    pub traceparent: Option<String>,
    /// The key under which the client may repeat the command.
    pub idempotency_key: Option<String>,
}

/// A stored map that is no [`Metadata`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("metadata field {field} is missing or malformed")]
pub struct MalformedMetadata {
    /// The offending field.
    pub field: &'static str,
}

impl Metadata {
    /// The stored form.
    #[must_use]
    pub fn to_map(&self) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        let mut put = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                map.insert(key.to_owned(), value);
            }
        };
        put("actorRole", self.actor.map(|a| a.role.to_string()));
        put("actorId", self.actor.map(|a| a.id.to_string()));
        put(
            "onBehalfOfRole",
            self.on_behalf_of.map(|a| a.role.to_string()),
        );
        put("onBehalfOfId", self.on_behalf_of.map(|a| a.id.to_string()));
        put("correlationId", Some(self.correlation_id.to_string()));
        put("causationId", self.causation_id.map(|id| id.to_string()));
        put("traceparent", self.traceparent.clone());
        put("idempotencyKey", self.idempotency_key.clone());
        map
    }

    /// Reads the stored form, a JSON text.
    ///
    /// # Errors
    /// Names the first field that is missing or cannot be read.
    pub fn from_json(text: &str) -> Result<Self, MalformedMetadata> {
        let stored: Stored<'_> =
            serde_json::from_str(text).map_err(|_| MalformedMetadata { field: "(all)" })?;
        Ok(Self {
            actor: actor(
                ("actorRole", stored.actor_role),
                ("actorId", stored.actor_id),
            )?,
            on_behalf_of: actor(
                ("onBehalfOfRole", stored.on_behalf_of_role),
                ("onBehalfOfId", stored.on_behalf_of_id),
            )?,
            correlation_id: uuid("correlationId", stored.correlation_id)?.ok_or(
                MalformedMetadata {
                    field: "correlationId",
                },
            )?,
            causation_id: uuid("causationId", stored.causation_id)?,
            traceparent: stored.traceparent.map(Text::into_owned),
            idempotency_key: stored.idempotency_key.map(Text::into_owned),
        })
    }
}

/// The stored form, as it stands in the text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored<'a> {
    #[serde(borrow)]
    actor_role: Option<Text<'a>>,
    actor_id: Option<Text<'a>>,
    on_behalf_of_role: Option<Text<'a>>,
    on_behalf_of_id: Option<Text<'a>>,
    correlation_id: Option<Text<'a>>,
    causation_id: Option<Text<'a>>,
    traceparent: Option<Text<'a>>,
    idempotency_key: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Text<'_> {
    fn into_owned(self) -> String {
        self.0.into_owned()
    }
}

fn uuid(field: &'static str, text: Option<Text<'_>>) -> Result<Option<Uuid>, MalformedMetadata> {
    text.map(|text| Uuid::try_parse(&text.0).map_err(|_| MalformedMetadata { field }))
        .transpose()
}

fn actor(
    (role_field, role): (&'static str, Option<Text<'_>>),
    (id_field, id): (&'static str, Option<Text<'_>>),
) -> Result<Option<Actor>, MalformedMetadata> {
    match (role, uuid(id_field, id)?) {
        (None, None) => Ok(None),
        (Some(role), Some(id)) => role
            .0
            .parse::<Role>()
            .map(|role| Some(Actor::new(role, id)))
            .map_err(|_| MalformedMetadata { field: role_field }),
        (Some(_), None) => Err(MalformedMetadata { field: id_field }),
        (None, Some(_)) => Err(MalformedMetadata { field: role_field }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Metadata {
        Metadata {
            actor: Some(Actor::new(Role::Operator, Uuid::from_u128(1))),
            on_behalf_of: Some(Actor::new(Role::Workshop, Uuid::from_u128(2))),
            correlation_id: Uuid::from_u128(3),
            causation_id: Some(Uuid::from_u128(4)),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            idempotency_key: Some("k".to_owned()),
        }
    }

    fn read(map: &BTreeMap<String, String>) -> Result<Metadata, MalformedMetadata> {
        Metadata::from_json(&serde_json::to_string(map).unwrap())
    }

    #[test]
    fn stored_form_reads_back() {
        let metadata = Metadata {
            idempotency_key: Some("\"k\"".to_owned()),
            ..full()
        };
        assert_eq!(read(&metadata.to_map()), Ok(metadata));
    }

    #[test]
    fn what_is_no_map_of_strings_is_refused() {
        for text in ["", "[]", r#"{"correlationId": 1}"#] {
            assert_eq!(
                Metadata::from_json(text),
                Err(MalformedMetadata { field: "(all)" }),
                "{text}"
            );
        }
    }

    #[test]
    fn half_an_actor_is_refused() {
        let mut map = full().to_map();
        map.remove("actorId");
        assert_eq!(read(&map), Err(MalformedMetadata { field: "actorId" }));
    }
}
