//! One order, as the documents show it: in detail, as of a moment, in a list; and one dead letter.

use serde_json::{Value, json};

const ORDER: &str = "01938f5e-7c00-7000-8000-000000000001";
const COMMISSIONER: &str = "01938f5e-7c00-7000-8000-00000000000c";
const WORKSHOP: &str = "01938f5e-7c00-7000-8000-00000000000a";
const UPDATED_AT: &str = "2026-11-26T09:30:00Z";

fn stage() -> Value {
    json!({
        "name": "Drawing",
        "description": "A drawing to scale.",
        "durationDays": 7,
        "requiresApproval": true,
    })
}

fn offer() -> Value {
    json!({
        "workshopId": WORKSHOP,
        "budget": {"amount": "1180.00", "currency": "EUR"},
        "deadline": "2027-04-15T12:00:00Z",
        "description": "Solid oak from the region, hand-planed and oiled twice.",
        "stages": [stage()],
        "requestRevision": 1,
        "offerRevision": 1,
        "outdated": false,
    })
}

/// The request as it was placed.
pub(super) fn request() -> Value {
    json!({
        "title": "Oak dining table",
        "brief": "For eight people, oiled, with rounded corners.",
        "budget": {"amount": "1250.00", "currency": "EUR"},
        "deadline": "2027-05-01T12:00:00Z",
        "revision": 1,
    })
}

/// An item of the list.
pub(super) fn item() -> Value {
    with(summary(), json!({"yourTurn": false}))
}

/// What the list and the detail have in common.
fn summary() -> Value {
    let mut request = request();
    if let Some(request) = request.as_object_mut() {
        request.remove("brief");
    }
    json!({
        "orderId": ORDER,
        "version": 4,
        "state": "inProgress",
        "commissionerId": COMMISSIONER,
        "workshopId": WORKSHOP,
        "request": request,
        "currentStage": 1,
        "dispute": null,
        "createdAt": "2026-11-25T12:00:00Z",
        "updatedAt": UPDATED_AT,
    })
}

/// The order in detail.
pub(super) fn order() -> Value {
    let stage = with(
        stage(),
        json!({"number": 1, "status": "pending", "completedAt": null}),
    );
    let invitation = json!({
        "workshopId": WORKSHOP,
        "status": "confirmed",
        "invitedAt": "2026-11-25T12:00:00Z",
        "offer": offer(),
    });
    with(
        summary(),
        json!({
            "request": request(),
            "invitations": [invitation],
            "terms": offer(),
            "stages": [stage],
        }),
    )
}

/// The order as it was.
pub(super) fn order_as_of() -> Value {
    let as_of = json!({"version": 4, "at": UPDATED_AT});
    with(order(), json!({ "asOf": as_of }))
}

/// An object with the fields of another beside its own, or in their place.
fn with(mut object: Value, more: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (object.as_object_mut(), more) {
        fields.extend(more);
    }
    object
}

/// What its commissioner could do while one offer stands.
pub(super) fn situation() -> Value {
    json!({
        "orderId": ORDER,
        "version": 3,
        "state": "negotiating",
        "since": "2026-11-25T12:00:00Z",
        "turn": "yours",
        "waitsFor": [{
            "role": "commissioner",
            "id": COMMISSIONER,
            "what": "chooseOffer",
            "since": UPDATED_AT,
        }],
        "sentence": "The order waits for you to choose an offer.",
        "byTime": [{"what": "offerOutdated", "at": "2027-04-15T12:00:00Z"}],
        "commands": [
            {
                "command": "ConfirmOffer",
                "method": "POST",
                "path": format!("/v1/orders/{ORDER}/offers/{WORKSHOP}/confirm"),
                "allowed": true,
                "code": null,
                "detail": null,
            },
            {
                "command": "AcceptWork",
                "method": "POST",
                "path": format!("/v1/orders/{ORDER}/accept"),
                "allowed": false,
                "code": "ILLEGAL_TRANSITION",
                "detail": "AcceptWork is not allowed while the order is negotiating, only while \
                           it is finished",
            },
        ],
        "house": {"parked": false, "lagSeconds": 0.0},
    })
}

/// The first fact of its timeline.
pub(super) fn placed() -> Value {
    json!({
        "version": 1,
        "event": "OrderPlaced",
        "occurredAt": "2026-11-25T12:00:00Z",
        "actor": {"role": "commissioner", "id": COMMISSIONER},
        "onBehalfOf": null,
        "summary": "The commissioner placed the order and invited 1 workshop.",
        "data": {
            "orderId": ORDER,
            "commissionerId": COMMISSIONER,
            "occurredAt": "2026-11-25T12:00:00Z",
            "request": request(),
            "workshops": [WORKSHOP],
        },
    })
}

/// A dead letter in a list.
pub(super) fn dead_letter() -> Value {
    json!({
        "id": "01938f5e-7c00-7000-8000-0000000000d1",
        "topic": "atlas.order-events.v1",
        "partition": 3,
        "offset": 1042,
        "key": {"encoding": "utf8", "content": ORDER, "length": 36, "cut": false},
        "ceId": "01938f5e-7c00-7000-8000-0000000000ee",
        "ceType": "atlas.order.OrderCompleted",
        "code": "INVALID_JSON",
        "kind": "malformed",
        "detail": "the value is no JSON object: EOF while parsing at line 1 column 17",
        "group": "5f1c0b6a7d2e",
        "attempts": 1,
        "firstFailedAt": UPDATED_AT,
        "lastFailedAt": UPDATED_AT,
        "state": "open",
        "closedAt": null,
        "closedHow": null,
    })
}

/// The same with its bytes.
pub(super) fn whole_dead_letter() -> Value {
    let mut whole = dead_letter();
    if let Value::Object(members) = &mut whole {
        members.insert("hasBytes".to_owned(), json!(true));
        members.insert(
            "headers".to_owned(),
            json!([{
                "name": "ce_specversion",
                "value": {"encoding": "utf8", "content": "1.0", "length": 3, "cut": false},
            }]),
        );
        members.insert("headerCount".to_owned(), json!(1));
        members.insert(
            "value".to_owned(),
            json!({"encoding": "base64", "content": "eyJvcmRlcklk/w==", "length": 10, "cut": false}),
        );
    }
    whole
}

/// A policy.
pub(super) fn policy() -> Value {
    json!({
        "version": 1,
        "state": "active",
        "hash": "669aac5e47cc8b4a9dfa1a76cacfa08fcd49e3749d843494d67e472debbf3bdc",
        "awards": [{"event": "OrderPlaced", "role": "commissioner", "points": 40}],
        "reversals": [],
        "grades": [{"name": "Bronze", "points": 0}, {"name": "Silver", "points": 100}],
        "vip": {"windowDays": 30, "threshold": 200},
    })
}

/// What becomes of everybody.
pub(super) fn policy_diff() -> Value {
    let (before, after) = (
        json!({"lifetimePoints": 40, "grade": "Bronze", "vip": false}),
        json!({"lifetimePoints": 120, "grade": "Silver", "vip": false}),
    );
    json!({
        "from": 1,
        "to": 2,
        "ledger": {
            "asOf": UPDATED_AT,
            "facts": 1,
            "deferredFacts": 0,
            "beneficiaries": 1,
            "ofOtherPolicies": 0,
            "digest": "000000000000feed",
        },
        "report": {
            "seen": 1,
            "changed": 1,
            "gainers": 1,
            "losers": 0,
            "opened": 0,
            "pointsBefore": 40,
            "pointsAfter": 120,
            "gained": 80,
            "lost": 0,
            "grades": [{"from": "Bronze", "to": "Silver", "accounts": 1}],
            "vip": {"kept": 0, "gained": 0, "lost": 0, "without": 1},
            "histogram": [{"from": 30, "to": 99, "accounts": 1}],
            "largestGains": [{
                "role": "commissioner",
                "id": COMMISSIONER,
                "points": 80,
                "before": before,
                "after": after,
                "sentence": "The commissioner 01938f5e-7c00-7000-8000-00000000000c gains 80 points, \
                             from 40 to 120, rises from Bronze to Silver.",
            }],
            "largestLosses": [],
        },
        "movements": [{
            "role": "commissioner",
            "id": COMMISSIONER,
            "before": before,
            "after": after,
        }],
        "movementsLeftOut": 0,
    })
}

/// A fact that an account counts.
fn part() -> Value {
    json!({
        "eventId": "01938f5e-7c00-7000-8000-0000000000e1",
        "event": "OrderPlaced",
        "orderId": ORDER,
        "link": "/v1/orders/01938f5e-7c00-7000-8000-000000000001/timeline",
        "occurredAt": "2026-11-25T12:00:00Z",
        "place": "inWindow",
        "points": 40,
        "windowPoints": 40,
        "reversedBy": null,
        "sentence": "OrderPlaced gives 40 points under policy 1; it counts for VIP until \
                     2026-12-25T12:00:00Z.",
    })
}

/// What one fact did to the account of [`explanation`].
pub(super) fn explained_fact() -> Value {
    let part = part();
    let member = |name: &str| part.get(name);
    json!({
        "id": COMMISSIONER,
        "role": "commissioner",
        "eventId": member("eventId"),
        "policyVersion": 1,
        "asOf": UPDATED_AT,
        "place": member("place"),
        "points": member("points"),
        "sentence": member("sentence"),
        "part": part,
    })
}

/// Why an account is what it is.
pub(super) fn explanation() -> Value {
    json!({
        "id": COMMISSIONER,
        "role": "commissioner",
        "policyVersion": 1,
        "asOf": UPDATED_AT,
        "lifetimePoints": 40,
        "grade": "Bronze",
        "nextGrade": {"name": "Silver", "pointsToGo": 60},
        "vip": {
            "active": false,
            "windowPoints": 40,
            "threshold": 200,
            "pointsToGo": 160,
            "nextChange": null,
        },
        "sentences": [
            "40 points make Bronze; 60 more make Silver.",
            "40 points in the window; VIP takes 160 more.",
        ],
        "parts": [part()],
        "older": null,
    })
}
