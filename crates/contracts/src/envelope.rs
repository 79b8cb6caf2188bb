//! CloudEvents 1.0 in binary mode: the headers that every message of ours carries, and the
//! message as a whole.

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use crate::Traceparent;

/// Names of headers.
pub mod header {
    /// Version of CloudEvents: `1.0`.
    pub const SPECVERSION: &str = "ce_specversion";
    /// The event's global id, the key of deduplication.
    pub const ID: &str = "ce_id";
    /// The event's type, such as `atlas.order.OrderPlaced`.
    pub const TYPE: &str = "ce_type";
    /// Who produced it.
    pub const SOURCE: &str = "ce_source";
    /// The id of the order or beneficiary, the same as the message's key.
    pub const SUBJECT: &str = "ce_subject";
    /// When it happened.
    pub const TIME: &str = "ce_time";
    /// The payload's schema, such as `urn:atlas:order:OrderPlaced:1.0`.
    pub const DATASCHEMA: &str = "ce_dataschema";
    /// The event's number in its stream, from 1.
    pub const AGGREGATE_VERSION: &str = "ce_aggregateversion";
    /// The event's place in its store, a decimal number.
    pub const POSITION: &str = "ce_position";
    /// Ties together everything that follows from one request.
    pub const CORRELATION_ID: &str = "ce_correlationid";
    /// The event that this one follows from; left out where a request was the cause.
    pub const CAUSATION_ID: &str = "ce_causationid";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";
    /// Media type of the value: `application/json`.
    pub const CONTENT_TYPE: &str = "content-type";
}

/// Whose facts a message tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    /// Facts of orders.
    Order,
    /// Facts of bonus accounts.
    Bonus,
}

impl Domain {
    /// The word in types and schemas.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Bonus => "bonus",
        }
    }

    /// The producer's name.
    #[must_use]
    pub const fn source(self) -> &'static str {
        match self {
            Self::Order => "/atlas/command-api",
            Self::Bonus => "/atlas/projector",
        }
    }
}

/// The envelope of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct CloudEvent {
    /// The event's global id.
    pub id: Uuid,
    /// Whose facts it tells.
    pub domain: Domain,
    /// The event's public name.
    pub event: &'static str,
    /// The version of the payload's schema, such as `1.0`.
    pub schema_version: &'static str,
    /// The id of the order or beneficiary.
    pub subject: Uuid,
    /// When it happened.
    pub time: DateTime<Utc>,
    /// The event's number in its stream, from 1.
    pub aggregate_version: i64,
    /// The event's place in its store.
    pub position: i64,
    /// Ties together everything that follows from one request.
    pub correlation_id: Uuid,
    /// The event that this one follows from, if one does.
    pub causation_id: Option<Uuid>,
    /// The trace that it belongs to.
    pub traceparent: Traceparent,
}

impl CloudEvent {
    /// The message's headers, in the order of the documentation.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let domain = self.domain.as_str();
        let mut headers = vec![
            (header::SPECVERSION, "1.0".to_owned()),
            (header::ID, self.id.to_string()),
            (header::TYPE, format!("atlas.{domain}.{}", self.event)),
            (header::SOURCE, self.domain.source().to_owned()),
            (header::SUBJECT, self.key()),
            (
                header::TIME,
                self.time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            ),
            (
                header::DATASCHEMA,
                format!("urn:atlas:{domain}:{}:{}", self.event, self.schema_version),
            ),
            (
                header::AGGREGATE_VERSION,
                self.aggregate_version.to_string(),
            ),
            (header::POSITION, self.position.to_string()),
            (header::CORRELATION_ID, self.correlation_id.to_string()),
        ];
        if let Some(causation_id) = self.causation_id {
            headers.push((header::CAUSATION_ID, causation_id.to_string()));
        }
        headers.push((header::TRACEPARENT, self.traceparent.to_string()));
        headers.push((header::CONTENT_TYPE, "application/json".to_owned()));
        headers
    }

    /// The message's key: whatever has the same stays in order.
    #[must_use]
    pub fn key(&self) -> String {
        self.subject.to_string()
    }
}

/// A message, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    /// Where to.
    pub topic: &'static str,
    /// What keeps it in order.
    pub key: String,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its value, a JSON object.
    pub payload: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_those_of_the_documentation() {
        let event = CloudEvent {
            id: Uuid::from_u128(1),
            domain: Domain::Bonus,
            event: "GradeChanged",
            schema_version: "1.0",
            subject: Uuid::from_u128(2),
            time: DateTime::from_timestamp_micros(1_795_600_000_000_120).unwrap(),
            aggregate_version: 3,
            position: 4,
            correlation_id: Uuid::from_u128(5),
            causation_id: Some(Uuid::from_u128(6)),
            traceparent: Traceparent::parse(
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            )
            .unwrap(),
        };
        let headers = event.headers();
        let headers: Vec<_> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        assert_eq!(
            headers,
            [
                ("ce_specversion", "1.0"),
                ("ce_id", "00000000-0000-0000-0000-000000000001"),
                ("ce_type", "atlas.bonus.GradeChanged"),
                ("ce_source", "/atlas/projector"),
                ("ce_subject", "00000000-0000-0000-0000-000000000002"),
                ("ce_time", "2026-11-25T09:46:40.000120Z"),
                ("ce_dataschema", "urn:atlas:bonus:GradeChanged:1.0"),
                ("ce_aggregateversion", "3"),
                ("ce_position", "4"),
                ("ce_correlationid", "00000000-0000-0000-0000-000000000005"),
                ("ce_causationid", "00000000-0000-0000-0000-000000000006"),
                (
                    "traceparent",
                    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
                ),
                ("content-type", "application/json"),
            ]
        );
        assert_eq!(event.key(), "00000000-0000-0000-0000-000000000002");
    }

    #[test]
    fn a_request_as_the_cause_leaves_no_causation_header() {
        let event = CloudEvent {
            id: Uuid::from_u128(1),
            domain: Domain::Order,
            event: "OrderPlaced",
            schema_version: "1.0",
            subject: Uuid::from_u128(2),
            time: DateTime::UNIX_EPOCH,
            aggregate_version: 1,
            position: 1,
            correlation_id: Uuid::from_u128(5),
            causation_id: None,
            traceparent: Traceparent::started_by(Uuid::from_u128(1)),
        };
        let names: Vec<_> = event.headers().into_iter().map(|(name, _)| name).collect();
        assert!(!names.contains(&header::CAUSATION_ID));
        assert!(names.contains(&header::TRACEPARENT));
    }
}
