//! The stored form of a directory entry's facts.

use super::{WorkshopEvent, WorkshopFact};
use crate::stored::{Encoded, Schema, Schemas, Undecodable};

const WORKSHOP_REGISTERED: Schema = Schema::new("WorkshopRegistered", "1.0");
const WORKSHOP_CHANGED: Schema = Schema::new("WorkshopChanged", "1.0");

const SCHEMAS: Schemas = Schemas {
    current: &[WORKSHOP_REGISTERED, WORKSHOP_CHANGED],
    upcasters: &[],
};

impl WorkshopFact {
    const fn schema(&self) -> Schema {
        match self {
            Self::WorkshopRegistered { .. } => WORKSHOP_REGISTERED,
            Self::WorkshopChanged { .. } => WORKSHOP_CHANGED,
        }
    }

    /// The stored name.
    #[must_use]
    pub const fn event_type(&self) -> &'static str {
        self.schema().event_type
    }

    /// The version of the shape in which it is stored today.
    #[must_use]
    pub const fn event_version(&self) -> &'static str {
        self.schema().version
    }
}

/// The stored form of an event.
#[must_use]
pub fn encode(event: &WorkshopEvent) -> Encoded {
    Schemas::encode(event.fact.schema(), event)
}

/// Reads a stored event of any version ever stored: one event, or the several that have taken its
/// place since, which all have its version in the stream.
///
/// # Errors
/// This release does not know the event or its version, or the payload has another shape.
pub fn decode(
    event_type: &str,
    event_version: &str,
    payload: &str,
) -> Result<Vec<WorkshopEvent>, Undecodable> {
    SCHEMAS.decode(event_type, event_version, payload)
}

#[cfg(test)]
mod tests {
    use kernel::{WorkshopId, instant_from_micros};
    use uuid::Uuid;

    use super::*;
    use crate::fixtures;
    use crate::value::WorkshopName;

    fn samples() -> Vec<WorkshopEvent> {
        let name = WorkshopName::parse("Alder & Sons").unwrap();
        let facts = [
            WorkshopFact::WorkshopRegistered {
                name: name.clone(),
                accepts_commissions: true,
            },
            WorkshopFact::WorkshopChanged {
                name,
                accepts_commissions: false,
            },
        ];
        let event = |fact| WorkshopEvent {
            workshop_id: WorkshopId::from_uuid(Uuid::from_u128(0xa1)),
            occurred_at: instant_from_micros(1_800_000_000_123_456).unwrap(),
            fact,
        };
        facts.map(event).to_vec()
    }

    #[test]
    fn todays_shape_is_that_of_its_version() {
        for event in samples() {
            let encoded = encode(&event);
            let fixture = fixtures::read("workshop", encoded.event_type, encoded.event_version);
            assert_eq!(encoded.payload, fixture, "{}", encoded.event_type);
        }
    }

    #[test]
    fn every_version_ever_stored_is_read_as_todays_event() {
        let samples = samples();
        let fixtures = fixtures::all("workshop");
        assert_eq!(fixtures.len(), SCHEMAS.current.len());
        for (event_type, version, payload) in fixtures {
            let events = decode(&event_type, &version, &payload.to_string()).unwrap();
            assert_eq!(events.len(), 1);
            assert!(samples.contains(&events[0]), "{event_type} {version}");
        }
    }

    #[test]
    fn what_this_release_does_not_know_is_an_error() {
        let payload = encode(&samples()[0]).payload;
        assert!(decode("WorkshopClosed", "1.0", &payload.to_string()).is_err());
        assert!(decode("WorkshopRegistered", "1.1", &payload.to_string()).is_err());
        assert!(decode("WorkshopChanged", "1.0", &payload.to_string()).is_err());
    }
}
