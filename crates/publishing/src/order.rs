//! The public payload of an order's fact.

use contracts::{
    AllInvitationsClosed, AllResponsesReceived, CancellationDisputed, DisputeResolved,
    InvitationDeclined, Money, Offer, OfferConfirmed, OfferRevised, OfferSubmitted, OfferWithdrawn,
    OrderCancelled, OrderCompleted, OrderFact as Public, OrderFinished, OrderPayload, OrderPlaced,
    Request, RequestEdited, Stage, StageApproved, StageChangesRequested, StageMarkedComplete,
    WorkshopCredited, WorkshopsInvited,
};
use kernel::{Role, WorkshopId};
use order_domain::order::{
    CancelledFrom, DisputedFrom, MarkedStatus, OrderEvent, OrderFact, ResolvedState,
};
use order_domain::value;
use uuid::Uuid;

/// What the public learns of an order's fact.
#[must_use]
pub fn publish(event: &OrderEvent) -> OrderPayload {
    OrderPayload {
        order_id: event.order_id.as_uuid(),
        commissioner_id: event.commissioner_id.as_uuid(),
        occurred_at: event.occurred_at,
        fact: fact(&event.fact),
    }
}

/// The workshop that benefits beside the commissioner, and what the public learns of that: one event
/// benefits one person, so that it has a message of its own.
#[must_use]
pub fn publish_credit(event: &OrderEvent) -> Option<(Uuid, OrderPayload)> {
    let workshop = match &event.fact {
        OrderFact::OrderCompleted { workshop_id } => workshop_id.as_uuid(),
        OrderFact::OrderPlaced { .. }
        | OrderFact::RequestEdited { .. }
        | OrderFact::WorkshopsInvited { .. }
        | OrderFact::OfferSubmitted { .. }
        | OrderFact::OfferRevised { .. }
        | OrderFact::OfferWithdrawn { .. }
        | OrderFact::InvitationDeclined { .. }
        | OrderFact::AllResponsesReceived { .. }
        | OrderFact::AllInvitationsClosed {}
        | OrderFact::OfferConfirmed { .. }
        | OrderFact::StageMarkedComplete { .. }
        | OrderFact::StageApproved { .. }
        | OrderFact::StageChangesRequested { .. }
        | OrderFact::OrderFinished { .. }
        | OrderFact::OrderCancelled { .. }
        | OrderFact::CancellationDisputed { .. }
        | OrderFact::DisputeResolved { .. } => return None,
    };
    let payload = OrderPayload {
        fact: Public::WorkshopCredited(WorkshopCredited {
            workshop_id: workshop,
            beneficiary_id: workshop,
            beneficiary_role: Role::Workshop.to_string(),
        }),
        ..publish(event)
    };
    Some((workshop, payload))
}

fn fact(stored: &OrderFact) -> Public {
    match stored {
        OrderFact::OrderPlaced { request, workshops } => Public::OrderPlaced(OrderPlaced {
            request: self::request(request),
            workshops: ids(workshops),
        }),
        OrderFact::RequestEdited { request, changed } => Public::RequestEdited(RequestEdited {
            request: self::request(request),
            changed: changed.iter().map(|f| f.as_str().to_owned()).collect(),
        }),
        OrderFact::WorkshopsInvited { workshops } => Public::WorkshopsInvited(WorkshopsInvited {
            workshops: ids(workshops),
        }),
        OrderFact::OfferSubmitted { workshop_id, offer } => {
            Public::OfferSubmitted(OfferSubmitted {
                workshop_id: workshop_id.as_uuid(),
                offer: self::offer(offer),
            })
        }
        OrderFact::OfferRevised { workshop_id, offer } => Public::OfferRevised(OfferRevised {
            workshop_id: workshop_id.as_uuid(),
            offer: self::offer(offer),
        }),
        OrderFact::OfferWithdrawn {
            workshop_id,
            reason,
        } => Public::OfferWithdrawn(OfferWithdrawn {
            workshop_id: workshop_id.as_uuid(),
            reason: reason.as_ref().map(ToString::to_string),
        }),
        OrderFact::InvitationDeclined {
            workshop_id,
            reason,
        } => Public::InvitationDeclined(InvitationDeclined {
            workshop_id: workshop_id.as_uuid(),
            reason: reason.as_ref().map(ToString::to_string),
        }),
        OrderFact::AllResponsesReceived { standing } => {
            Public::AllResponsesReceived(AllResponsesReceived {
                standing: ids(standing),
            })
        }
        OrderFact::AllInvitationsClosed {} => Public::AllInvitationsClosed(AllInvitationsClosed {}),
        OrderFact::OfferConfirmed {
            workshop_id,
            terms,
            not_selected,
        } => Public::OfferConfirmed(OfferConfirmed {
            workshop_id: workshop_id.as_uuid(),
            terms: offer(terms),
            not_selected: ids(not_selected),
        }),
        OrderFact::StageMarkedComplete {
            workshop_id,
            stage,
            name,
            status,
        } => Public::StageMarkedComplete(StageMarkedComplete {
            workshop_id: workshop_id.as_uuid(),
            stage: stage.get(),
            name: name.to_string(),
            status: marked_status(*status).to_owned(),
        }),
        OrderFact::StageApproved {
            workshop_id,
            stage,
            name,
        } => Public::StageApproved(StageApproved {
            workshop_id: workshop_id.as_uuid(),
            stage: stage.get(),
            name: name.to_string(),
        }),
        OrderFact::StageChangesRequested {
            workshop_id,
            stage,
            name,
            note,
        } => Public::StageChangesRequested(StageChangesRequested {
            workshop_id: workshop_id.as_uuid(),
            stage: stage.get(),
            name: name.to_string(),
            note: note.to_string(),
        }),
        OrderFact::OrderFinished { workshop_id } => Public::OrderFinished(OrderFinished {
            workshop_id: workshop_id.as_uuid(),
        }),
        OrderFact::OrderCompleted { workshop_id } => Public::OrderCompleted(OrderCompleted {
            workshop_id: workshop_id.as_uuid(),
        }),
        OrderFact::OrderCancelled {
            workshop_id,
            reason,
            cancelled_from,
            by_dispute,
        } => Public::OrderCancelled(OrderCancelled {
            workshop_id: workshop_id.map(WorkshopId::as_uuid),
            reason: reason.to_string(),
            cancelled_from: self::cancelled_from(*cancelled_from).to_owned(),
            by_dispute: *by_dispute,
        }),
        OrderFact::CancellationDisputed {
            workshop_id,
            reason,
            from,
            // Who opened it stands in the timeline, as the actor.
            opened_by: _,
        } => Public::CancellationDisputed(CancellationDisputed {
            workshop_id: workshop_id.as_uuid(),
            reason: reason.to_string(),
            from: disputed_from(*from).to_owned(),
        }),
        OrderFact::DisputeResolved {
            workshop_id,
            resolution,
            note,
            state,
        } => Public::DisputeResolved(DisputeResolved {
            workshop_id: workshop_id.as_uuid(),
            resolution: resolution.as_str().to_owned(),
            note: note.to_string(),
            state: resolved_state(*state).to_owned(),
        }),
    }
}

fn request(stored: &value::Request) -> Request {
    Request {
        title: stored.title.to_string(),
        brief: stored.brief.to_string(),
        budget: money(stored.budget),
        deadline: stored.deadline.instant(),
        revision: stored.revision.get(),
    }
}

fn offer(stored: &value::OfferTerms) -> Offer {
    Offer {
        budget: money(stored.budget),
        deadline: stored.deadline.instant(),
        description: stored.description.to_string(),
        stages: stored.stages.as_slice().iter().map(stage).collect(),
        request_revision: stored.request_revision.get(),
        offer_revision: stored.offer_revision.get(),
    }
}

fn stage(stored: &value::StagePlan) -> Stage {
    Stage {
        name: stored.name.to_string(),
        description: stored.description.to_string(),
        duration_days: stored.duration_days.map(value::DurationDays::get),
        requires_approval: stored.requires_approval,
    }
}

fn money(stored: value::Money) -> Money {
    Money {
        amount: stored.amount().to_string(),
        currency: stored.currency().to_string(),
    }
}

fn ids(workshops: &[WorkshopId]) -> Vec<Uuid> {
    workshops.iter().map(|id| id.as_uuid()).collect()
}

const fn marked_status(status: MarkedStatus) -> &'static str {
    match status {
        MarkedStatus::Completed => "completed",
        MarkedStatus::AwaitingApproval => "awaitingApproval",
    }
}

const fn cancelled_from(from: CancelledFrom) -> &'static str {
    match from {
        CancelledFrom::Negotiating => "negotiating",
        CancelledFrom::InProgress => "inProgress",
        CancelledFrom::Finished => "finished",
    }
}

const fn disputed_from(from: DisputedFrom) -> &'static str {
    match from {
        DisputedFrom::InProgress => "inProgress",
        DisputedFrom::Finished => "finished",
    }
}

const fn resolved_state(state: ResolvedState) -> &'static str {
    match state {
        ResolvedState::InProgress => "inProgress",
        ResolvedState::Finished => "finished",
        ResolvedState::Cancelled => "cancelled",
        ResolvedState::Completed => "completed",
    }
}

#[cfg(test)]
mod tests {
    use order_domain::order::stored;
    use serde_json::{Value, json};

    use super::{publish, publish_credit};

    const ORDER: &str = "01938f6e-0000-7000-8000-000000000001";
    const COMMISSIONER: &str = "01938f6e-0000-7000-8000-000000000002";
    const WORKSHOP: &str = "01938f6e-0000-7000-8000-000000000003";
    const RIVAL: &str = "01938f6e-0000-7000-8000-000000000004";
    const AT: &str = "2026-11-25T10:00:00.000120Z";

    fn request() -> Value {
        json!({
            "title": "Oak table",
            "brief": "Seats eight.",
            "budget": {"amount": "1250.00", "currency": "EUR"},
            "deadline": "2027-03-01T00:00:00Z",
            "revision": 1,
        })
    }

    fn offer() -> Value {
        json!({
            "budget": {"amount": "1199.50", "currency": "EUR"},
            "deadline": "2027-02-01T00:00:00Z",
            "description": "Solid oak, oiled.",
            "stages": [
                {"name": "Drawing", "description": "To scale.", "durationDays": 5,
                 "requiresApproval": true},
                {"name": "Making", "description": "By hand.", "durationDays": null,
                 "requiresApproval": false},
            ],
            "requestRevision": 1,
            "offerRevision": 2,
        })
    }

    /// Every fact of today: its stored name and version, its own stored fields, and the further
    /// fields of its public payload.
    fn facts() -> Vec<(&'static str, &'static str, Value, Value)> {
        let same = |name, fields: Value| (name, "1.0", fields.clone(), fields);
        let resolved = |resolution, state| {
            let note = "Both sides were heard.";
            same(
                "DisputeResolved",
                json!({"workshopId": WORKSHOP, "resolution": resolution, "note": note,
                       "state": state}),
            )
        };
        let opened_by = json!({"role": "commissioner", "id": COMMISSIONER});
        let disputed = json!({"workshopId": WORKSHOP, "reason": "Too late.", "from": "inProgress"});
        let mut stored_disputed = disputed.clone();
        stored_disputed["openedBy"] = opened_by;
        let cancelled = json!({
            "workshopId": null, "reason": "Moved house.", "cancelledFrom": "negotiating",
            "byDispute": false,
        });
        let mut cancelled_of_old = cancelled.clone();
        cancelled_of_old
            .as_object_mut()
            .unwrap()
            .remove("byDispute");
        vec![
            same(
                "OrderPlaced",
                json!({"request": request(), "workshops": [WORKSHOP, RIVAL]}),
            ),
            same(
                "RequestEdited",
                json!({"request": request(), "changed": ["title", "brief", "budget", "deadline"]}),
            ),
            same("WorkshopsInvited", json!({"workshops": [RIVAL]})),
            same(
                "OfferSubmitted",
                json!({"workshopId": WORKSHOP, "offer": offer()}),
            ),
            same(
                "OfferRevised",
                json!({"workshopId": WORKSHOP, "offer": offer()}),
            ),
            same(
                "OfferWithdrawn",
                json!({"workshopId": RIVAL, "reason": null}),
            ),
            same(
                "OfferWithdrawn",
                json!({"workshopId": RIVAL, "reason": "No time."}),
            ),
            same(
                "InvitationDeclined",
                json!({"workshopId": RIVAL, "reason": null}),
            ),
            same(
                "InvitationDeclined",
                json!({"workshopId": RIVAL, "reason": "No oak."}),
            ),
            same("AllResponsesReceived", json!({"standing": [WORKSHOP]})),
            same("AllInvitationsClosed", json!({})),
            same(
                "OfferConfirmed",
                json!({"workshopId": WORKSHOP, "terms": offer(), "notSelected": [RIVAL]}),
            ),
            same(
                "StageMarkedComplete",
                json!({"workshopId": WORKSHOP, "stage": 1, "name": "Drawing",
                       "status": "awaitingApproval"}),
            ),
            same(
                "StageMarkedComplete",
                json!({"workshopId": WORKSHOP, "stage": 2, "name": "Making",
                       "status": "completed"}),
            ),
            same(
                "StageApproved",
                json!({"workshopId": WORKSHOP, "stage": 1, "name": "Drawing"}),
            ),
            same(
                "StageChangesRequested",
                json!({"workshopId": WORKSHOP, "stage": 1, "name": "Drawing",
                       "note": "Rounder."}),
            ),
            same("OrderFinished", json!({"workshopId": WORKSHOP})),
            same("OrderCompleted", json!({"workshopId": WORKSHOP})),
            ("OrderCancelled", "1.0", cancelled_of_old, cancelled.clone()),
            ("OrderCancelled", "1.1", cancelled.clone(), cancelled),
            ("CancellationDisputed", "1.0", stored_disputed, disputed),
            resolved("resume", "inProgress"),
            resolved("resume", "finished"),
            resolved("cancel", "cancelled"),
            resolved("complete", "completed"),
        ]
    }

    fn under_head(fields: &Value) -> Value {
        let mut payload =
            json!({"orderId": ORDER, "commissionerId": COMMISSIONER, "occurredAt": AT});
        let object = payload.as_object_mut().unwrap();
        object.extend(fields.as_object().unwrap().clone());
        payload
    }

    #[test]
    fn what_is_stored_is_published_as_it_stands() {
        let long = "Oak\u{7} table ".repeat(20);
        let stages = json!({"name": long, "description": "", "durationDays": 40_000,
                            "requiresApproval": false});
        let mut request = request();
        request["title"] = json!(long);
        request["budget"] = json!({"amount": "1234567890123456.00", "currency": "HRK"});
        let mut offer = offer();
        offer["budget"] = json!({"amount": "0.00", "currency": "ZWL"});
        offer["stages"] = json!(vec![stages; 25]);
        offer["offerRevision"] = json!(60);
        for (name, fields) in [
            (
                "OrderPlaced",
                json!({"request": request, "workshops": vec![WORKSHOP; 25]}),
            ),
            (
                "OfferSubmitted",
                json!({"workshopId": WORKSHOP, "offer": offer}),
            ),
            (
                "OfferWithdrawn",
                json!({"workshopId": WORKSHOP, "reason": long}),
            ),
        ] {
            let mut stored_payload = under_head(&fields);
            stored_payload["event"] = json!(name);
            let events = stored::decode(name, "1.0", &stored_payload.to_string()).unwrap();
            let payload = serde_json::to_value(publish(&events[0])).unwrap();
            assert_eq!(payload, under_head(&fields));
        }
    }

    #[test]
    fn a_completed_order_credits_its_workshop_and_nothing_else_credits_anybody() {
        for (name, version, fields, _) in facts() {
            let mut stored_payload = under_head(&fields);
            stored_payload["event"] = json!(name);
            let events = stored::decode(name, version, &stored_payload.to_string()).unwrap();
            let credit = publish_credit(&events[0]);
            assert_eq!(credit.is_some(), name == "OrderCompleted", "{name}");
            let Some((workshop, credit)) = credit else {
                continue;
            };
            assert_eq!(workshop.to_string(), WORKSHOP);
            assert_eq!(credit.fact.name(), "WorkshopCredited");
            assert_eq!(credit.fact.schema_version(), "1.0");
            assert_eq!(
                serde_json::to_value(&credit).unwrap(),
                under_head(&json!({
                    "workshopId": WORKSHOP,
                    "beneficiaryId": WORKSHOP,
                    "beneficiaryRole": "workshop",
                })),
            );
        }
    }

    #[test]
    fn every_fact_has_the_payload_of_the_documentation() {
        for (name, version, fields, expected) in facts() {
            let mut stored_payload = under_head(&fields);
            stored_payload["event"] = json!(name);
            let events = stored::decode(name, version, &stored_payload.to_string())
                .unwrap_or_else(|error| panic!("{name} {version}: {error:?}"));
            assert_eq!(events.len(), 1);

            let payload = publish(&events[0]);

            assert_eq!(payload.fact.name(), name);
            assert_eq!(payload.fact.schema_version(), "1.0");
            assert_eq!(
                serde_json::to_value(&payload).unwrap(),
                under_head(&expected),
                "{name} {version}"
            );
        }
    }
}
