//! The stored form of an order's facts.

use serde_json::{Map, Value};

use super::{OrderEvent, OrderFact};
use crate::stored::{Encoded, Schema, Schemas, Undecodable, Unliftable, Upcaster};

const ORDER_PLACED: Schema = Schema::new("OrderPlaced", "1.0");
const REQUEST_EDITED: Schema = Schema::new("RequestEdited", "1.0");
const WORKSHOPS_INVITED: Schema = Schema::new("WorkshopsInvited", "1.0");
const OFFER_SUBMITTED: Schema = Schema::new("OfferSubmitted", "1.0");
const OFFER_REVISED: Schema = Schema::new("OfferRevised", "1.0");
const OFFER_WITHDRAWN: Schema = Schema::new("OfferWithdrawn", "1.0");
const INVITATION_DECLINED: Schema = Schema::new("InvitationDeclined", "1.0");
const ALL_RESPONSES_RECEIVED: Schema = Schema::new("AllResponsesReceived", "1.0");
const ALL_INVITATIONS_CLOSED: Schema = Schema::new("AllInvitationsClosed", "1.0");
const OFFER_CONFIRMED: Schema = Schema::new("OfferConfirmed", "1.0");
const STAGE_MARKED_COMPLETE: Schema = Schema::new("StageMarkedComplete", "1.0");
const STAGE_APPROVED: Schema = Schema::new("StageApproved", "1.0");
const STAGE_CHANGES_REQUESTED: Schema = Schema::new("StageChangesRequested", "1.0");
const ORDER_FINISHED: Schema = Schema::new("OrderFinished", "1.0");
const ORDER_COMPLETED: Schema = Schema::new("OrderCompleted", "1.0");
const ORDER_CANCELLED: Schema = Schema::new("OrderCancelled", "1.1");
const CANCELLATION_DISPUTED: Schema = Schema::new("CancellationDisputed", "1.0");
const DISPUTE_RESOLVED: Schema = Schema::new("DisputeResolved", "1.0");

/// Every fact at the version of today, and the steps that lead there from older ones.
pub(super) const SCHEMAS: Schemas = Schemas {
    current: &[
        ORDER_PLACED,
        REQUEST_EDITED,
        WORKSHOPS_INVITED,
        OFFER_SUBMITTED,
        OFFER_REVISED,
        OFFER_WITHDRAWN,
        INVITATION_DECLINED,
        ALL_RESPONSES_RECEIVED,
        ALL_INVITATIONS_CLOSED,
        OFFER_CONFIRMED,
        STAGE_MARKED_COMPLETE,
        STAGE_APPROVED,
        STAGE_CHANGES_REQUESTED,
        ORDER_FINISHED,
        ORDER_COMPLETED,
        ORDER_CANCELLED,
        CANCELLATION_DISPUTED,
        DISPUTE_RESOLVED,
    ],
    upcasters: &[Upcaster {
        from: Schema::new("OrderCancelled", "1.0"),
        lift: tell_by_dispute,
    }],
};

/// When orders were cancelled at 1.0, no dispute could end one: they ended in their negotiation.
fn tell_by_dispute(mut fields: Map<String, Value>) -> Result<Vec<Encoded>, Unliftable> {
    if fields.get("cancelledFrom").and_then(Value::as_str) != Some("negotiating") {
        return Err(Unliftable("it was not cancelled in its negotiation"));
    }
    fields.insert("byDispute".to_owned(), Value::Bool(false));
    Ok(vec![Schema::new("OrderCancelled", "1.1").with(fields)])
}

impl OrderFact {
    const fn schema(&self) -> Schema {
        match self {
            Self::OrderPlaced { .. } => ORDER_PLACED,
            Self::RequestEdited { .. } => REQUEST_EDITED,
            Self::WorkshopsInvited { .. } => WORKSHOPS_INVITED,
            Self::OfferSubmitted { .. } => OFFER_SUBMITTED,
            Self::OfferRevised { .. } => OFFER_REVISED,
            Self::OfferWithdrawn { .. } => OFFER_WITHDRAWN,
            Self::InvitationDeclined { .. } => INVITATION_DECLINED,
            Self::AllResponsesReceived { .. } => ALL_RESPONSES_RECEIVED,
            Self::AllInvitationsClosed { .. } => ALL_INVITATIONS_CLOSED,
            Self::OfferConfirmed { .. } => OFFER_CONFIRMED,
            Self::StageMarkedComplete { .. } => STAGE_MARKED_COMPLETE,
            Self::StageApproved { .. } => STAGE_APPROVED,
            Self::StageChangesRequested { .. } => STAGE_CHANGES_REQUESTED,
            Self::OrderFinished { .. } => ORDER_FINISHED,
            Self::OrderCompleted { .. } => ORDER_COMPLETED,
            Self::OrderCancelled { .. } => ORDER_CANCELLED,
            Self::CancellationDisputed { .. } => CANCELLATION_DISPUTED,
            Self::DisputeResolved { .. } => DISPUTE_RESOLVED,
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
pub fn encode(event: &OrderEvent) -> Encoded {
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
) -> Result<Vec<OrderEvent>, Undecodable> {
    SCHEMAS.decode(event_type, event_version, payload)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures;
    use crate::order::scenario::*;
    use crate::order::{DisputedFrom, MarkedStatus, Resolution, ResolvedState};
    use crate::value::{Request, RequestField, RequestRevision, Title};

    /// One event of each fact.
    fn samples() -> Vec<OrderEvent> {
        let stages = ["Sketch!", "Make"];
        let facts = vec![
            placed(&[ALDER, BIRCH]),
            OrderFact::RequestEdited {
                request: Request {
                    title: Title::parse("Elm table").unwrap(),
                    revision: RequestRevision::parse(2).unwrap(),
                    ..request()
                },
                changed: vec![
                    RequestField::Title,
                    RequestField::Brief,
                    RequestField::Budget,
                    RequestField::Deadline,
                ],
            },
            invited(&[CEDAR]),
            submitted(ALDER, &stages),
            revised(ALDER, &stages, 2),
            withdrawn(BIRCH),
            declined(BIRCH),
            OrderFact::AllResponsesReceived {
                standing: vec![ALDER],
            },
            OrderFact::AllInvitationsClosed {},
            OrderFact::OfferConfirmed {
                workshop_id: ALDER,
                terms: terms(&stages),
                not_selected: vec![BIRCH],
            },
            marked(1, &stages),
            approved(1, &stages),
            changes_requested(1, &stages),
            finished(),
            completed(),
            cancelled(),
            disputed(DisputedFrom::InProgress, COMMISSIONER),
            resolved(Resolution::Cancel, ResolvedState::Cancelled),
        ];
        let at = minute(7) + chrono::TimeDelta::microseconds(123_456);
        facts.into_iter().map(|fact| event(fact, at)).collect()
    }

    #[test]
    fn there_is_a_sample_of_every_fact() {
        let sampled: Vec<_> = samples().iter().map(|e| e.fact.schema()).collect();
        assert_eq!(sampled, SCHEMAS.current);
    }

    #[test]
    fn todays_shape_is_that_of_its_version() {
        for event in samples() {
            let encoded = encode(&event);
            let fixture = fixtures::read("order", encoded.event_type, encoded.event_version);
            assert_eq!(encoded.payload, fixture, "{}", encoded.event_type);
        }
    }

    #[test]
    fn every_version_ever_stored_is_read_as_todays_event() {
        let samples = samples();
        let fixtures = fixtures::all("order");
        assert!(fixtures.len() > samples.len());
        for (event_type, version, payload) in fixtures {
            let expected = samples
                .iter()
                .find(|e| e.fact.event_type() == event_type)
                .unwrap();
            let events = decode(&event_type, &version, &payload.to_string()).unwrap();
            assert_eq!(
                events,
                std::slice::from_ref(expected),
                "{event_type} {version}"
            );
        }
    }

    #[test]
    fn a_stage_that_completes_when_marked_says_so() {
        let OrderFact::StageMarkedComplete { status, .. } = marked(1, &["Make"]) else {
            unreachable!()
        };
        assert_eq!(serde_json::to_value(status).unwrap(), json!("completed"));
        assert_eq!(
            serde_json::to_value(MarkedStatus::AwaitingApproval).unwrap(),
            json!("awaitingApproval")
        );
    }

    #[test]
    fn a_fact_knows_its_stored_name_and_version() {
        for (sample, schema) in samples().iter().zip(SCHEMAS.current) {
            assert_eq!(sample.fact.event_type(), schema.event_type);
            assert_eq!(sample.fact.event_version(), schema.version);
        }
    }

    #[test]
    fn unknown_fields_are_passed_over() {
        let event = event(finished(), minute(1));
        let mut payload = encode(&event).payload;
        payload["weather"] = json!("fine");
        assert_eq!(
            decode("OrderFinished", "1.0", &payload.to_string()).unwrap(),
            [event]
        );
    }

    #[test]
    fn what_this_release_does_not_know_is_an_error() {
        let payload = encode(&event(finished(), minute(1))).payload;
        let read =
            |event_type, version| decode(event_type, version, &payload.to_string()).unwrap_err();
        assert!(matches!(
            read("OrderForgotten", "1.0"),
            Undecodable::UnknownEvent { event_type } if event_type == "OrderForgotten"
        ));
        for version in ["1.1", "2.0", "0.9", ""] {
            assert!(matches!(
                read("OrderFinished", version),
                Undecodable::UnknownVersion { event_version, .. } if event_version == version
            ));
        }
        assert!(matches!(
            read("OrderCompleted", "1.0"),
            Undecodable::Mismatch {
                event_type: "OrderCompleted"
            }
        ));
    }

    #[test]
    fn a_payload_of_another_shape_is_an_error() {
        for (pointer, broken) in [
            ("/orderId", json!("1")),
            ("/occurredAt", json!(null)),
            ("/request/title", json!(7)),
            ("/request/budget/amount", json!(1250)),
            ("/request/revision", json!("1")),
        ] {
            let mut payload = encode(&event(placed(&[ALDER]), minute(1))).payload;
            *payload.pointer_mut(pointer).unwrap() = broken;
            assert!(
                matches!(
                    decode("OrderPlaced", "1.0", &payload.to_string()),
                    Err(Undecodable::Payload { .. })
                ),
                "{pointer}"
            );
        }
        for payload in [json!(null), json!([]), json!("OrderCancelled")] {
            assert!(decode("OrderCancelled", "1.0", &payload.to_string()).is_err());
            assert!(decode("OrderCancelled", "1.1", &payload.to_string()).is_err());
        }
    }

    #[test]
    fn an_old_cancellation_that_no_rule_of_its_time_allowed_is_not_guessed_at() {
        for from in [json!("inProgress"), json!("finished"), json!(null)] {
            let mut payload = fixtures::read("order", "OrderCancelled", "1.0");
            payload["cancelledFrom"] = from;
            assert!(matches!(
                decode("OrderCancelled", "1.0", &payload.to_string()),
                Err(Undecodable::Unliftable { from: "1.0", .. })
            ));
        }
    }
}
