//! Every fact, and every viewer that an order has.

use std::collections::BTreeSet;

use event_store::Version;
use order_domain::order::{Order, OrderEvent, OrderFact, evolve, stored};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::orders::RequestItem;

const COMMISSIONER: Uuid = Uuid::from_u128(0xc0);
const CONFIRMED: Uuid = Uuid::from_u128(0xa1);
const NOT_SELECTED: Uuid = Uuid::from_u128(0xa2);
const DECLINED: Uuid = Uuid::from_u128(0xa3);
const OPERATOR: Uuid = Uuid::from_u128(0x0e);
const WORKSHOPS: [Uuid; 3] = [CONFIRMED, NOT_SELECTED, DECLINED];

fn workshop(id: Uuid) -> Actor {
    Actor::new(Role::Workshop, id)
}

fn viewer(role: Role, id: Uuid) -> Viewer {
    Viewer::from(Actor::new(role, id))
}

/// Something that happened, as the domain says it and as the table keeps it.
#[derive(Debug, Clone)]
struct Happened {
    event: OrderEvent,
    fact: Recorded,
}

fn happened(version: i64, actor: Actor, name: &str, mut fields: Value) -> Happened {
    fields["event"] = json!(name);
    fields["orderId"] = json!(Uuid::from_u128(0xd0));
    fields["commissionerId"] = json!(COMMISSIONER);
    fields["occurredAt"] = json!("2027-01-01T12:00:00Z");
    let schema_version = if name == "OrderCancelled" {
        "1.1"
    } else {
        "1.0"
    };
    let event = stored::decode(name, schema_version, &fields.to_string())
        .unwrap()
        .remove(0);
    let public = publishing::order::publish(&event);
    let Value::Object(data) = json!(public) else {
        panic!("{name} is no object in public");
    };
    Happened {
        fact: Recorded {
            version: Version::new(version),
            event: public.fact.name().to_owned(),
            occurred_at: event.occurred_at,
            actor,
            on_behalf_of: None,
            data,
        },
        event,
    }
}

fn offer(amount: &str) -> Value {
    json!({
        "budget": {"amount": amount, "currency": "EUR"},
        "deadline": "2027-03-01T00:00:00Z",
        "description": "Solid oak",
        "stages": [
            {"name": "Sketch", "description": "On paper", "durationDays": null,
             "requiresApproval": true},
            {"name": "Table", "description": "In oak", "durationDays": 30,
             "requiresApproval": false},
        ],
        "requestRevision": 1,
        "offerRevision": 1,
    })
}

fn stage(number: i64, name: &str, status: &str) -> Value {
    json!({"workshopId": CONFIRMED, "stage": number, "name": name, "status": status})
}

/// An order that one of three workshops wins, up to the finished work.
fn life() -> Vec<Happened> {
    let commissioner = Actor::new(Role::Commissioner, COMMISSIONER);
    let request = json!({
        "title": "Oak table", "brief": "For eight people", "revision": 1,
        "budget": {"amount": "1500.00", "currency": "EUR"}, "deadline": "2027-04-01T00:00:00Z",
    });
    let mut life = vec![
        happened(
            1,
            commissioner,
            "OrderPlaced",
            json!({"request": request, "workshops": WORKSHOPS}),
        ),
        happened(
            2,
            workshop(CONFIRMED),
            "OfferSubmitted",
            json!({"workshopId": CONFIRMED, "offer": offer("1250.00")}),
        ),
        happened(
            3,
            Actor::new(Role::Operator, OPERATOR),
            "OfferSubmitted",
            json!({"workshopId": NOT_SELECTED, "offer": offer("1300.00")}),
        ),
        happened(
            4,
            workshop(DECLINED),
            "InvitationDeclined",
            json!({"workshopId": DECLINED, "reason": "Fully booked"}),
        ),
        happened(
            5,
            workshop(DECLINED),
            "AllResponsesReceived",
            json!({"standing": [CONFIRMED, NOT_SELECTED]}),
        ),
        happened(
            6,
            commissioner,
            "OfferConfirmed",
            json!({"workshopId": CONFIRMED, "terms": offer("1250.00"),
                   "notSelected": [NOT_SELECTED]}),
        ),
        happened(
            7,
            workshop(CONFIRMED),
            "StageMarkedComplete",
            stage(1, "Sketch", "awaitingApproval"),
        ),
        happened(8, commissioner, "StageApproved", stage(1, "Sketch", "")),
        happened(
            9,
            workshop(CONFIRMED),
            "StageMarkedComplete",
            stage(2, "Table", "completed"),
        ),
        happened(
            10,
            workshop(CONFIRMED),
            "OrderFinished",
            json!({"workshopId": CONFIRMED}),
        ),
    ];
    life[2].fact.on_behalf_of = Some(workshop(NOT_SELECTED));
    life
}

/// Every way in which that order may end, and facts of orders that went otherwise.
fn ends() -> Vec<Happened> {
    let commissioner = Actor::new(Role::Commissioner, COMMISSIONER);
    let disputed = json!({
        "workshopId": CONFIRMED, "reason": "Too late", "from": "finished",
        "openedBy": {"role": "workshop", "id": CONFIRMED},
    });
    let cancelled = json!({
        "workshopId": CONFIRMED, "reason": "Too late", "cancelledFrom": "finished",
        "byDispute": true,
    });
    vec![
        happened(
            11,
            commissioner,
            "OrderCompleted",
            json!({"workshopId": CONFIRMED}),
        ),
        happened(11, commissioner, "CancellationDisputed", disputed.clone()),
        happened(11, workshop(CONFIRMED), "CancellationDisputed", disputed),
        happened(
            12,
            Actor::new(Role::Operator, OPERATOR),
            "OrderCancelled",
            cancelled,
        ),
        happened(5, workshop(DECLINED), "AllInvitationsClosed", json!({})),
    ]
}

/// What else may happen on the way.
fn detours() -> Vec<Happened> {
    let commissioner = Actor::new(Role::Commissioner, COMMISSIONER);
    let request = json!({
        "title": "Oak table", "brief": "For ten people", "revision": 2,
        "budget": {"amount": "1500.00", "currency": "EUR"}, "deadline": "2027-04-01T00:00:00Z",
    });
    let mut changes = stage(1, "Sketch", "");
    changes["note"] = json!("Rounder corners");
    let resolved = json!({
        "workshopId": CONFIRMED, "resolution": "resume", "note": "Both agree",
        "state": "finished",
    });
    vec![
        happened(
            12,
            commissioner,
            "RequestEdited",
            json!({"request": request, "changed": ["brief"]}),
        ),
        happened(
            13,
            commissioner,
            "WorkshopsInvited",
            json!({"workshops": [NOT_SELECTED, DECLINED]}),
        ),
        happened(
            14,
            workshop(NOT_SELECTED),
            "OfferRevised",
            json!({"workshopId": NOT_SELECTED, "offer": offer("1350.00")}),
        ),
        happened(
            15,
            workshop(NOT_SELECTED),
            "OfferWithdrawn",
            json!({"workshopId": NOT_SELECTED, "reason": "No oak left"}),
        ),
        happened(16, commissioner, "StageChangesRequested", changes),
        happened(
            17,
            Actor::new(Role::Operator, OPERATOR),
            "DisputeResolved",
            resolved,
        ),
    ]
}

/// All of these facts.
fn facts() -> Vec<Happened> {
    life().into_iter().chain(detours()).chain(ends()).collect()
}

/// Does not compile when there is a new fact: add it above, and count it.
const fn number_of_facts(fact: &OrderFact) -> usize {
    match fact {
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
        | OrderFact::OrderCompleted { .. }
        | OrderFact::OrderCancelled { .. }
        | OrderFact::CancellationDisputed { .. }
        | OrderFact::DisputeResolved { .. } => 18,
    }
}

fn sight_of(id: Uuid) -> Sight {
    let confirmed = WorkshopId::from_uuid(CONFIRMED);
    viewer(Role::Workshop, id)
        .sight(
            CommissionerId::from_uuid(COMMISSIONER),
            Some(confirmed),
            |_| true,
        )
        .unwrap()
}

fn told(sight: Sight, events: &[Happened]) -> Vec<TimelineEntry> {
    events
        .iter()
        .filter_map(|happened| redact_event(sight, happened.fact.clone()))
        .collect()
}

fn versions(entries: &[TimelineEntry]) -> Vec<i64> {
    entries.iter().map(|entry| entry.version).collect()
}

fn detail() -> OrderDetail {
    let order = life()
        .iter()
        .take(9)
        .try_fold(Order::default(), |order, happened| {
            evolve(order, &happened.event)
        })
        .unwrap();
    let now = "2027-01-02T00:00:00Z".parse().unwrap();
    OrderDetail::from_order(&order, Version::new(9), now).unwrap()
}

fn item() -> OrderItem {
    let detail = detail();
    OrderItem {
        your_turn: false,
        order_id: detail.order_id,
        version: detail.version,
        state: detail.state,
        commissioner_id: detail.commissioner_id,
        workshop_id: detail.workshop_id,
        request: RequestItem {
            title: detail.request.title,
            budget: detail.request.budget,
            deadline: detail.request.deadline,
            revision: detail.request.revision,
        },
        current_stage: detail.current_stage,
        dispute: detail.dispute,
        created_at: detail.created_at,
        updated_at: detail.updated_at,
    }
}

#[test]
fn no_viewer_is_told_of_a_rival() {
    let facts = facts();
    let names: BTreeSet<_> = facts.iter().map(|e| e.event.fact.event_type()).collect();
    assert_eq!(
        names.len(),
        number_of_facts(&facts[0].event.fact),
        "a fact is not covered"
    );

    for me in WORKSHOPS {
        let shown = json!({
            "timeline": told(sight_of(me), &facts),
            "detail": redact_detail(viewer(Role::Workshop, me), detail()),
            "item": redact_item(viewer(Role::Workshop, me), item()),
        })
        .to_string();
        for rival in WORKSHOPS.into_iter().filter(|id| *id != me) {
            assert!(
                !shown.contains(&rival.to_string()),
                "{me} sees {rival}: {shown}"
            );
        }
        assert!(shown.contains(&me.to_string()));
    }
}

/// An event without a rule is told to no workshop: that is to be a decision.
#[test]
fn every_public_event_has_its_rule() {
    let facts = facts();
    let public: BTreeSet<_> = facts.iter().map(|e| e.fact.event.as_str()).collect();
    assert_eq!(public.len(), number_of_facts(&facts[0].event.fact));
    assert_eq!(public, RULES.iter().map(|(event, _)| *event).collect());
    assert_eq!(RULES.len(), public.len(), "an event has two rules");
}

#[test]
fn who_runs_or_owns_it_is_told_everything() {
    let facts = facts();
    let commissioner_id = CommissionerId::from_uuid(COMMISSIONER);
    for (role, id) in [
        (Role::Commissioner, COMMISSIONER),
        (Role::Operator, OPERATOR),
        (Role::Analyst, Uuid::nil()),
    ] {
        let sight = viewer(role, id)
            .sight(commissioner_id, None, |_| false)
            .unwrap();
        let entries = told(sight, &facts);
        assert_eq!(entries.len(), facts.len());
        for (entry, fact) in entries.iter().zip(&facts) {
            assert_eq!(entry.data, fact.fact.data);
        }
        assert_eq!(redact_detail(viewer(role, id), detail()), Some(detail()));
    }
}

#[test]
fn who_is_no_party_is_told_nothing() {
    let stranger = Uuid::from_u128(0xff);
    for role in [Role::Commissioner, Role::Workshop] {
        assert_eq!(redact_detail(viewer(role, stranger), detail()), None);
    }
    // The same id in another role is another principal.
    assert_eq!(
        redact_detail(viewer(Role::Workshop, COMMISSIONER), detail()),
        None
    );
    assert_eq!(
        redact_detail(viewer(Role::Commissioner, CONFIRMED), detail()),
        None
    );
}

#[test]
fn the_confirmed_workshop_is_told_its_own_side_and_the_work() {
    let entries = told(sight_of(CONFIRMED), &life());
    assert_eq!(versions(&entries), [1, 2, 6, 7, 8, 9, 10]);
    let confirmed = &entries[2];
    assert_eq!(confirmed.data["workshopId"], json!(CONFIRMED));
    assert_eq!(confirmed.data["terms"]["budget"]["amount"], "1250.00");
    assert_eq!(confirmed.data["notSelected"], json!([]));
    assert_eq!(told(sight_of(CONFIRMED), &ends()).len(), 4);

    let shown = redact_detail(viewer(Role::Workshop, CONFIRMED), detail()).unwrap();
    assert_eq!(shown.invitations.len(), 1);
    assert_eq!(
        OrderDetail {
            invitations: detail().invitations,
            ..shown
        },
        detail()
    );
}

#[test]
fn a_workshop_that_was_not_selected_is_told_that_things_happened_and_nothing_of_them() {
    let entries = told(sight_of(NOT_SELECTED), &life());
    assert_eq!(versions(&entries), [1, 3, 6]);
    assert_eq!(entries[0].data["workshops"], json!([NOT_SELECTED]));
    assert_eq!(entries[2].data["workshopId"], Value::Null);
    assert_eq!(entries[2].data["terms"], Value::Null);
    assert_eq!(entries[2].data["notSelected"], json!([NOT_SELECTED]));
    assert_eq!(entries[2].summary, "An offer was confirmed.");

    // The dispute that the winner opened itself is not told at all.
    let ends = told(sight_of(NOT_SELECTED), &ends());
    assert_eq!(versions(&ends), [11, 11, 12]);
    for entry in ends {
        assert_eq!(entry.data["workshopId"], Value::Null);
        assert_ne!(entry.data.get("reason"), Some(&json!("Too late")));
        assert!(!entry.summary.contains("Too late"), "{}", entry.summary);
    }

    let shown = redact_detail(viewer(Role::Workshop, NOT_SELECTED), detail()).unwrap();
    let seats: Vec<_> = shown
        .invitations
        .iter()
        .map(|s| s.workshop_id.as_uuid())
        .collect();
    assert_eq!(seats, [NOT_SELECTED]);
    assert!(shown.invitations[0].offer.is_some());
    let hidden = (
        shown.workshop_id,
        shown.terms,
        shown.current_stage,
        shown.dispute,
    );
    assert_eq!(hidden, (None, None, None, None));
    assert!(shown.stages.is_empty());
}

#[test]
fn the_detours_of_a_negotiation_are_told_to_whom_they_concern() {
    assert_eq!(
        versions(&told(sight_of(CONFIRMED), &detours())),
        [12, 16, 17]
    );
    let entries = told(sight_of(DECLINED), &detours());
    assert_eq!(versions(&entries), [12, 13, 17]);
    assert_eq!(entries[1].data["workshops"], json!([DECLINED]));
    assert_eq!(entries[1].summary, "One workshop was invited.");
    let entries = told(sight_of(NOT_SELECTED), &detours());
    assert_eq!(versions(&entries), [12, 13, 14, 15, 17]);

    let resolved = &entries[4];
    assert_eq!(resolved.data["resolution"], "resume");
    assert_eq!(resolved.data["state"], "finished");
    for withheld in ["workshopId", "note"] {
        assert_eq!(resolved.data.get(withheld), Some(&Value::Null));
    }
    assert_eq!(
        resolved.summary,
        "A dispute was resolved, and the commission goes on where it was."
    );
}

#[test]
fn a_workshop_that_declined_is_told_no_more() {
    assert_eq!(versions(&told(sight_of(DECLINED), &life())), [1, 4, 6]);
    let shown = redact_detail(viewer(Role::Workshop, DECLINED), detail()).unwrap();
    assert_eq!(shown.invitations.len(), 1);
    assert_eq!(shown.invitations[0].offer, None);
}

#[test]
fn an_operator_in_a_rivals_place_is_not_told_of() {
    let mut finished = life().pop().unwrap().fact;
    finished.actor = Actor::new(Role::Operator, OPERATOR);
    assert!(redact_event(sight_of(NOT_SELECTED), finished.clone()).is_some());
    finished.on_behalf_of = Some(workshop(CONFIRMED));
    assert!(redact_event(sight_of(NOT_SELECTED), finished.clone()).is_none());
    assert!(redact_event(sight_of(CONFIRMED), finished).is_some());
}

#[test]
fn an_order_cancelled_before_any_offer_was_taken_withholds_its_reason() {
    let cancelled = happened(
        2,
        Actor::new(Role::Commissioner, COMMISSIONER),
        "OrderCancelled",
        json!({"workshopId": null, "reason": "Changed my mind",
               "cancelledFrom": "negotiating", "byDispute": false}),
    );
    let sight = Sight::Invited(WorkshopId::from_uuid(NOT_SELECTED));
    let entry = redact_event(sight, cancelled.fact).unwrap();
    assert_eq!(entry.data["reason"], Value::Null);
    assert_eq!(entry.summary, "The commission was cancelled.");
}
