//! A message of anybody's, read as little as possible: what the bonus consumer needs, and nothing
//! else is asked of a producer.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use kernel::{Actor, EventId, Role, truncate_to_micros};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::topics::MAX_EVENT_BYTES;
use crate::{DeadLetterCode, Traceparent, dead_letter_header, header};

/// A message as it came.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// Its headers, of which a value may be missing; of several with one name the last counts.
    pub headers: &'a [(String, Option<Vec<u8>>)],
    /// Its value, if it has one.
    pub value: Option<&'a [u8]>,
}

/// What a policy may reward.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// The event's global id.
    pub event_id: EventId,
    /// Who benefits: a commissioner or a workshop.
    pub beneficiary: Actor,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The order that it belongs to, if it says so.
    pub order_id: Option<Uuid>,
    /// Whether a dispute brought it about, if it says so.
    pub by_dispute: Option<bool>,
    /// Ties it to the request that it follows from, if it says so.
    pub correlation_id: Option<Uuid>,
    /// The trace that it belongs to; a malformed one is none.
    pub traceparent: Option<Traceparent>,
}

/// Why a message cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Fault {
    /// The fault in a word that stays the same.
    pub code: DeadLetterCode,
    /// The fault in a sentence.
    pub detail: String,
}

impl Fault {
    fn new(code: DeadLetterCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}

impl<'a> Incoming<'a> {
    /// The event's type in full, such as `atlas.order.OrderPlaced`. Read it first: a type that no
    /// policy rewards is passed over unread.
    ///
    /// # Errors
    /// `CE_TYPE_MISSING`.
    pub fn event_type(&self) -> Result<&'a str, Fault> {
        self.header(header::TYPE).ok_or_else(|| {
            Fault::new(
                DeadLetterCode::CeTypeMissing,
                "the header ce_type is missing, empty or no text",
            )
        })
    }

    /// Reads what a policy needs, at the instant `now`.
    ///
    /// # Errors
    /// The first fault found.
    pub fn read(&self, now: DateTime<Utc>) -> Result<Fact, Fault> {
        let event_id = self.event_id()?;
        self.check_major_version()?;
        let value = self.object()?;
        Ok(Fact {
            event_id,
            beneficiary: beneficiary(&value)?,
            occurred_at: self.occurred_at(&value, now)?,
            order_id: uuid(value.get("orderId")),
            by_dispute: value.get("byDispute").and_then(Value::as_bool),
            correlation_id: self
                .header(header::CORRELATION_ID)
                .and_then(|text| Uuid::try_parse(text).ok()),
            traceparent: self
                .header(header::TRACEPARENT)
                .and_then(Traceparent::parse),
        })
    }

    /// The text of a header; one that is empty or no text is as good as none.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers
            .iter()
            .rfind(|(candidate, _)| candidate == name)
            .and_then(|(_, value)| std::str::from_utf8(value.as_deref()?).ok())
            .filter(|text| !text.is_empty())
    }

    /// The event's global id.
    ///
    /// # Errors
    /// `CE_ID_MISSING`.
    pub fn event_id(&self) -> Result<EventId, Fault> {
        self.header(header::ID)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| {
                Fault::new(
                    DeadLetterCode::CeIdMissing,
                    "the header ce_id is missing or no UUID",
                )
            })
    }

    /// The dead letter that it was sent again for, if it says so.
    #[must_use]
    pub fn redrive_of(&self) -> Option<Uuid> {
        let text = self.header(dead_letter_header::REDRIVE_OF)?;
        Uuid::try_parse(text).ok()
    }

    /// A schema that is not of ours, or none at all, says nothing about a version.
    fn check_major_version(&self) -> Result<(), Fault> {
        let major = self
            .header(header::DATASCHEMA)
            .and_then(|schema| schema.strip_prefix("urn:atlas:"))
            .and_then(|schema| schema.rsplit(':').next())
            .and_then(|version| version.split('.').next())
            .and_then(|major| major.parse::<u32>().ok());
        match major {
            None | Some(1) => Ok(()),
            Some(other) => Err(Fault::new(
                DeadLetterCode::UnsupportedMajorVersion,
                format!("the payload follows major version {other}, and only 1 can be read"),
            )),
        }
    }

    fn object(&self) -> Result<Map<String, Value>, Fault> {
        let value = self
            .value
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Fault::new(DeadLetterCode::ValueMissing, "the message has no value"))?;
        if value.len() > MAX_EVENT_BYTES {
            return Err(Fault::new(
                DeadLetterCode::ValueTooLarge,
                format!(
                    "the value has {} bytes, more than {MAX_EVENT_BYTES}",
                    value.len()
                ),
            ));
        }
        serde_json::from_slice(value).map_err(|error| {
            Fault::new(
                DeadLetterCode::InvalidJson,
                format!("the value is no JSON object: {error}"),
            )
        })
    }

    fn occurred_at(
        &self,
        value: &Map<String, Value>,
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, Fault> {
        let invalid = |detail: String| Fault::new(DeadLetterCode::TimeInvalid, detail);
        let (place, text) = match value.get("occurredAt") {
            Some(Value::String(text)) => ("occurredAt", text.as_str()),
            None | Some(Value::Null) => self
                .header(header::TIME)
                .map(|text| ("ce_time", text))
                .ok_or_else(|| {
                    invalid("neither occurredAt nor the header ce_time is there".to_owned())
                })?,
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                return Err(invalid("occurredAt is no text".to_owned()));
            }
        };
        let instant =
            instant(text).ok_or_else(|| invalid(format!("{place} is no instant in RFC 3339")))?;
        if instant - now > TimeDelta::hours(24) {
            return Err(invalid(format!("{place} lies more than a day ahead")));
        }
        Ok(instant)
    }
}

/// Whoever is named as beneficiary; else the commissioner.
fn beneficiary(value: &Map<String, Value>) -> Result<Actor, Fault> {
    let invalid = |detail: &str| Fault::new(DeadLetterCode::BeneficiaryInvalid, detail);
    let present = |field: &str| value.get(field).filter(|value| !value.is_null());

    if let Some(id) = present("beneficiaryId") {
        let id = uuid(Some(id)).ok_or_else(|| invalid("beneficiaryId is no UUID"))?;
        let role = present("beneficiaryRole")
            .and_then(Value::as_str)
            .and_then(|text| text.parse().ok())
            .filter(|role| matches!(role, Role::Commissioner | Role::Workshop))
            .ok_or_else(|| invalid("beneficiaryRole is neither commissioner nor workshop"))?;
        return Ok(Actor::new(role, id));
    }
    let id = present("commissionerId").ok_or_else(|| {
        Fault::new(
            DeadLetterCode::BeneficiaryMissing,
            "the value has neither commissionerId nor beneficiaryId",
        )
    })?;
    uuid(Some(id))
        .map(|id| Actor::new(Role::Commissioner, id))
        .ok_or_else(|| invalid("commissionerId is no UUID"))
}

fn uuid(value: Option<&Value>) -> Option<Uuid> {
    let text = value?.as_str()?;
    Uuid::try_parse(text).ok()
}

/// An instant of RFC 3339 in the years 1 to 9999, cut to microseconds. A leap second is none.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    const NANOS_OF_A_SECOND: u32 = 1_000_000_000;
    let instant = DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc);
    let in_range = (1..=9999).contains(&instant.year()) && instant.nanosecond() < NANOS_OF_A_SECOND;
    in_range.then(|| truncate_to_micros(instant))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EVENT: &str = "01938f6e-0000-7000-8000-000000000001";
    const SOMEBODY: &str = "01938f6e-0000-7000-8000-000000000002";

    fn now() -> DateTime<Utc> {
        "2026-11-25T12:00:00Z".parse().unwrap()
    }

    fn headers(extra: &[(&str, &str)]) -> Vec<(String, Option<Vec<u8>>)> {
        [("ce_id", EVENT), ("ce_type", "atlas.order.OrderPlaced")]
            .iter()
            .chain(extra)
            .map(|(name, value)| ((*name).to_owned(), Some(value.as_bytes().to_vec())))
            .collect()
    }

    fn read(extra: &[(&str, &str)], value: &Value) -> Result<Fact, DeadLetterCode> {
        read_bytes(extra, Some(value.to_string().as_bytes()))
    }

    fn read_bytes(extra: &[(&str, &str)], value: Option<&[u8]>) -> Result<Fact, DeadLetterCode> {
        let headers = headers(extra);
        Incoming {
            headers: &headers,
            value,
        }
        .read(now())
        .map_err(|fault| fault.code)
    }

    #[test]
    fn a_bare_message_of_a_stranger_is_enough() {
        let fact = read(
            &[],
            &json!({"commissionerId": SOMEBODY, "occurredAt": "2026-11-25T13:00:00.1234567+02:00"}),
        );
        assert_eq!(
            fact,
            Ok(Fact {
                event_id: EVENT.parse().unwrap(),
                beneficiary: Actor::new(Role::Commissioner, SOMEBODY.parse().unwrap()),
                occurred_at: "2026-11-25T11:00:00.123456Z".parse().unwrap(),
                order_id: None,
                by_dispute: None,
                correlation_id: None,
                traceparent: None,
            })
        );
    }

    #[test]
    fn whoever_is_named_as_beneficiary_goes_before_the_commissioner() {
        let fact = read(
            &[("ce_time", "2026-11-25T11:00:00Z")],
            &json!({
                "commissionerId": EVENT,
                "beneficiaryId": SOMEBODY,
                "beneficiaryRole": "workshop",
                "orderId": EVENT,
                "byDispute": true,
                "unknown": [1, 2],
            }),
        )
        .unwrap();
        assert_eq!(
            fact.beneficiary,
            Actor::new(Role::Workshop, SOMEBODY.parse().unwrap())
        );
        assert_eq!(fact.order_id, Some(EVENT.parse().unwrap()));
        assert_eq!(fact.by_dispute, Some(true));
        assert_eq!(
            fact.occurred_at,
            "2026-11-25T11:00:00Z".parse::<DateTime<Utc>>().unwrap()
        );
    }

    #[test]
    fn the_type_is_read_before_anything_else() {
        let with = headers(&[]);
        let incoming = Incoming {
            headers: &with,
            value: None,
        };
        assert_eq!(incoming.event_type(), Ok("atlas.order.OrderPlaced"));

        for without in [None, Some(Vec::new()), Some(vec![0xff])] {
            let incoming = Incoming {
                headers: &[("ce_type".to_owned(), without)],
                value: None,
            };
            assert_eq!(
                incoming.event_type().map_err(|fault| fault.code),
                Err(DeadLetterCode::CeTypeMissing)
            );
        }
    }

    #[test]
    fn faults_of_the_value_have_their_codes() {
        use DeadLetterCode as Code;
        let at = "2026-11-25T11:00:00Z";
        let cases: [(Value, Code); 10] = [
            (json!([]), Code::InvalidJson),
            (json!({"occurredAt": at}), Code::BeneficiaryMissing),
            (
                json!({"commissionerId": null, "occurredAt": at}),
                Code::BeneficiaryMissing,
            ),
            (
                json!({"commissionerId": 7, "occurredAt": at}),
                Code::BeneficiaryInvalid,
            ),
            (
                json!({"beneficiaryId": SOMEBODY, "occurredAt": at}),
                Code::BeneficiaryInvalid,
            ),
            (
                json!({"beneficiaryId": SOMEBODY, "beneficiaryRole": "analyst", "occurredAt": at}),
                Code::BeneficiaryInvalid,
            ),
            (json!({"commissionerId": SOMEBODY}), Code::TimeInvalid),
            (
                json!({"commissionerId": SOMEBODY, "occurredAt": "soon"}),
                Code::TimeInvalid,
            ),
            (
                json!({"commissionerId": SOMEBODY, "occurredAt": "2026-11-26T12:00:00.000001Z"}),
                Code::TimeInvalid,
            ),
            (
                json!({"commissionerId": SOMEBODY, "occurredAt": "2016-12-31T23:59:60Z"}),
                Code::TimeInvalid,
            ),
        ];
        for (value, code) in cases {
            assert_eq!(read(&[], &value), Err(code), "{value}");
        }
        assert_eq!(read_bytes(&[], None), Err(Code::ValueMissing));
        assert_eq!(read_bytes(&[], Some(b"")), Err(Code::ValueMissing));
        assert_eq!(read_bytes(&[], Some(b"{")), Err(Code::InvalidJson));
        let large = vec![b' '; MAX_EVENT_BYTES + 1];
        assert_eq!(read_bytes(&[], Some(&large)), Err(Code::ValueTooLarge));
    }

    #[test]
    fn a_bad_time_in_the_value_is_not_healed_by_a_good_header() {
        let value = json!({"commissionerId": SOMEBODY, "occurredAt": 5});
        assert_eq!(
            read(&[("ce_time", "2026-11-25T11:00:00Z")], &value),
            Err(DeadLetterCode::TimeInvalid)
        );
    }

    #[test]
    fn only_another_major_version_of_our_schemas_is_refused() {
        let value = json!({"commissionerId": SOMEBODY, "occurredAt": "2026-11-25T11:00:00Z"});
        let with = |schema| read(&[("ce_dataschema", schema)], &value).map(|_| ());
        assert_eq!(with("urn:atlas:order:OrderPlaced:1.7"), Ok(()));
        assert_eq!(with("https://example.org/schemas/2.0"), Ok(()));
        assert_eq!(with("urn:atlas:order:OrderPlaced:draft"), Ok(()));
        assert_eq!(
            with("urn:atlas:order:OrderPlaced:2.0"),
            Err(DeadLetterCode::UnsupportedMajorVersion)
        );
    }

    #[test]
    fn an_id_that_is_no_uuid_is_as_good_as_none() {
        let value = json!({"commissionerId": SOMEBODY, "occurredAt": "2026-11-25T11:00:00Z"});
        assert_eq!(
            read(&[("ce_id", "17")], &value),
            Err(DeadLetterCode::CeIdMissing)
        );
    }
}
