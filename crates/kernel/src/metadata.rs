//! What is recorded beside an event's payload: who, why, and in which trace.
//!
//! Stored as a flat map of strings, the only shape that cqrs-es's envelope reads.

use std::collections::BTreeMap;

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

    /// Reads the stored form.
    ///
    /// # Errors
    /// Names the first field that is missing or cannot be read.
    pub fn from_map(map: &BTreeMap<String, String>) -> Result<Self, MalformedMetadata> {
        Ok(Self {
            actor: actor(map, "actorRole", "actorId")?,
            on_behalf_of: actor(map, "onBehalfOfRole", "onBehalfOfId")?,
            correlation_id: uuid(map, "correlationId")?.ok_or(MalformedMetadata {
                field: "correlationId",
            })?,
            causation_id: uuid(map, "causationId")?,
            traceparent: map.get("traceparent").cloned(),
            idempotency_key: map.get("idempotencyKey").cloned(),
        })
    }
}

fn uuid(
    map: &BTreeMap<String, String>,
    field: &'static str,
) -> Result<Option<Uuid>, MalformedMetadata> {
    map.get(field)
        .map(|text| Uuid::try_parse(text).map_err(|_| MalformedMetadata { field }))
        .transpose()
}

fn actor(
    map: &BTreeMap<String, String>,
    role_field: &'static str,
    id_field: &'static str,
) -> Result<Option<Actor>, MalformedMetadata> {
    match (map.get(role_field), uuid(map, id_field)?) {
        (None, None) => Ok(None),
        (Some(role), Some(id)) => role
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

    #[test]
    fn stored_form_reads_back() {
        let metadata = full();
        assert_eq!(Metadata::from_map(&metadata.to_map()), Ok(metadata));
    }

    #[test]
    fn half_an_actor_is_refused() {
        let mut map = full().to_map();
        map.remove("actorId");
        assert_eq!(
            Metadata::from_map(&map),
            Err(MalformedMetadata { field: "actorId" })
        );
    }
}
