//! Who may see what of an order. Whatever leaves this crate about an order passes through here.
//!
//! Commissioners see their own orders, operators and analysts all, whole. A workshop sees an order
//! that it was ever invited to as if it were the only one invited: of seats, its own; of the work,
//! everything if it is the confirmed one, nothing if not.

use kernel::{Actor, CommissionerId, Role, WorkshopId};
use order_domain::order::{OrderEvent, OrderFact};
use serde_json::{Map, Value};

use crate::orders::{OrderDetail, OrderItem, RecordedEvent, TimelineEntry, summary};

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// Sees the orders that it placed.
    Commissioner(CommissionerId),
    /// Sees the orders that it was ever invited to, its own side of them.
    Workshop(WorkshopId),
    /// An operator or an analyst: sees everything.
    Marketplace,
}

impl From<Actor> for Viewer {
    fn from(actor: Actor) -> Self {
        match actor.role {
            Role::Commissioner => Self::Commissioner(CommissionerId::from_uuid(actor.id)),
            Role::Workshop => Self::Workshop(WorkshopId::from_uuid(actor.id)),
            Role::Operator | Role::Analyst => Self::Marketplace,
        }
    }
}

/// What a viewer sees of one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Everything.
    Whole,
    /// Its own seat, and the work.
    Confirmed(WorkshopId),
    /// Its own seat.
    Invited(WorkshopId),
}

impl Viewer {
    /// What the viewer sees of an order; none if it may not know of it.
    pub(crate) fn sight(
        self,
        commissioner_id: CommissionerId,
        confirmed: Option<WorkshopId>,
        has_seat: impl FnOnce(WorkshopId) -> bool,
    ) -> Option<Sight> {
        match self {
            Self::Marketplace => Some(Sight::Whole),
            Self::Commissioner(id) => (id == commissioner_id).then_some(Sight::Whole),
            Self::Workshop(id) if confirmed == Some(id) => Some(Sight::Confirmed(id)),
            Self::Workshop(id) => has_seat(id).then_some(Sight::Invited(id)),
        }
    }
}

/// A whole order, cut to its viewer; none for who is no party to it.
#[must_use]
pub fn redact_detail(viewer: Viewer, order: OrderDetail) -> Option<OrderDetail> {
    let sight = viewer.sight(order.commissioner_id, order.workshop_id, |id| {
        order.invitations.iter().any(|seat| seat.workshop_id == id)
    })?;
    Some(cut_detail(sight, order))
}

/// A whole order, cut to what is seen of it.
pub(crate) fn cut_detail(sight: Sight, mut order: OrderDetail) -> OrderDetail {
    match sight {
        Sight::Whole => {}
        Sight::Confirmed(workshop_id) => {
            order
                .invitations
                .retain(|seat| seat.workshop_id == workshop_id);
        }
        Sight::Invited(workshop_id) => {
            order
                .invitations
                .retain(|seat| seat.workshop_id == workshop_id);
            order.workshop_id = None;
            order.terms = None;
            order.stages.clear();
            order.current_stage = None;
            order.dispute = None;
        }
    }
    order
}

/// An order of a list, cut to its viewer. A workshop's list holds only orders that it has a seat
/// at; the item itself does not tell.
pub(crate) fn redact_item(viewer: Viewer, mut order: OrderItem) -> Option<OrderItem> {
    match viewer.sight(order.commissioner_id, order.workshop_id, |_| true)? {
        Sight::Whole | Sight::Confirmed(_) => {}
        Sight::Invited(_) => {
            order.workshop_id = None;
            order.current_stage = None;
            order.dispute = None;
        }
    }
    Some(order)
}

/// A fact as a viewer is told it; none if it is not.
pub(crate) fn redact_event(sight: Sight, recorded: &RecordedEvent) -> Option<TimelineEntry> {
    let told = match sight {
        Sight::Whole => Told::Whole(recorded.event.fact.clone()),
        Sight::Confirmed(workshop_id) | Sight::Invited(workshop_id) => {
            let acted = [Some(recorded.actor), recorded.on_behalf_of];
            if acted
                .into_iter()
                .flatten()
                .any(|actor| is_rival(actor, workshop_id))
            {
                return None;
            }
            let confirmed = matches!(sight, Sight::Confirmed(_));
            tell_workshop(&recorded.event.fact, workshop_id, confirmed)?
        }
    };
    let (fact, withheld) = match told {
        Told::Whole(fact) => (fact, false),
        Told::Outcome(fact) => (fact, true),
    };
    let event = OrderEvent {
        fact,
        ..recorded.event.clone()
    };
    let (name, mut data) = public(&event);
    if withheld {
        for key in ["workshopId", "terms", "reason", "note"] {
            if let Some(value) = data.get_mut(key) {
                *value = Value::Null;
            }
        }
    }
    Some(TimelineEntry {
        version: recorded.version.get(),
        event: name.to_owned(),
        occurred_at: event.occurred_at,
        actor: recorded.actor.into(),
        on_behalf_of: recorded.on_behalf_of.map(Into::into),
        summary: summary::of(&event.fact, withheld),
        data,
    })
}

/// The name and the payload by which the public knows a fact.
fn public(event: &OrderEvent) -> (&'static str, Map<String, Value>) {
    let payload = publishing::order::publish(event);
    #[expect(
        clippy::expect_used,
        reason = "a public event is a struct of texts, numbers and lists: a JSON object"
    )]
    let data = serde_json::to_value(&payload)
        .and_then(serde_json::from_value)
        .expect("a public event is a JSON object");
    (payload.fact.name(), data)
}

fn is_rival(actor: Actor, workshop_id: WorkshopId) -> bool {
    actor.role == Role::Workshop && actor.id != workshop_id.as_uuid()
}

/// How much a workshop is told of a fact.
enum Told {
    /// All of it.
    Whole(OrderFact),
    /// That it happened, but not with whom, on which terms and why.
    Outcome(OrderFact),
}

fn tell_workshop(fact: &OrderFact, viewer: WorkshopId, confirmed: bool) -> Option<Told> {
    let only_viewer = |workshops: &[WorkshopId]| -> Vec<WorkshopId> {
        workshops
            .iter()
            .copied()
            .filter(|id| *id == viewer)
            .collect()
    };
    let outcome = |fact: OrderFact| {
        if confirmed {
            Told::Whole(fact)
        } else {
            Told::Outcome(fact)
        }
    };
    match fact {
        OrderFact::OrderPlaced { request, workshops } => {
            Some(Told::Whole(OrderFact::OrderPlaced {
                request: request.clone(),
                workshops: only_viewer(workshops),
            }))
        }
        OrderFact::RequestEdited { .. } => Some(Told::Whole(fact.clone())),
        OrderFact::WorkshopsInvited { workshops } => workshops.contains(&viewer).then(|| {
            Told::Whole(OrderFact::WorkshopsInvited {
                workshops: vec![viewer],
            })
        }),
        OrderFact::OfferSubmitted { workshop_id, .. }
        | OrderFact::OfferRevised { workshop_id, .. }
        | OrderFact::OfferWithdrawn { workshop_id, .. }
        | OrderFact::InvitationDeclined { workshop_id, .. } => {
            (*workshop_id == viewer).then(|| Told::Whole(fact.clone()))
        }
        OrderFact::AllResponsesReceived { .. } | OrderFact::AllInvitationsClosed {} => None,
        OrderFact::OfferConfirmed {
            workshop_id,
            terms,
            not_selected,
        } => Some(outcome(OrderFact::OfferConfirmed {
            workshop_id: *workshop_id,
            terms: terms.clone(),
            not_selected: only_viewer(not_selected),
        })),
        OrderFact::StageMarkedComplete { .. }
        | OrderFact::StageApproved { .. }
        | OrderFact::StageChangesRequested { .. } => confirmed.then(|| Told::Whole(fact.clone())),
        OrderFact::OrderFinished { .. }
        | OrderFact::OrderCompleted { .. }
        | OrderFact::OrderCancelled { .. }
        | OrderFact::CancellationDisputed { .. }
        | OrderFact::DisputeResolved { .. } => Some(outcome(fact.clone())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use event_store::Version;
    use order_domain::order::{Order, evolve, stored};
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

    fn recorded(version: i64, actor: Actor, name: &str, mut fields: Value) -> RecordedEvent {
        fields["event"] = json!(name);
        fields["orderId"] = json!(Uuid::from_u128(0xd0));
        fields["commissionerId"] = json!(COMMISSIONER);
        fields["occurredAt"] = json!("2027-01-01T12:00:00Z");
        let schema_version = if name == "OrderCancelled" {
            "1.1"
        } else {
            "1.0"
        };
        RecordedEvent {
            version: Version::new(version),
            actor,
            on_behalf_of: None,
            event: stored::decode(name, schema_version, &fields).unwrap(),
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
    fn life() -> Vec<RecordedEvent> {
        let commissioner = Actor::new(Role::Commissioner, COMMISSIONER);
        let request = json!({
            "title": "Oak table", "brief": "For eight people", "revision": 1,
            "budget": {"amount": "1500.00", "currency": "EUR"}, "deadline": "2027-04-01T00:00:00Z",
        });
        let mut life = vec![
            recorded(
                1,
                commissioner,
                "OrderPlaced",
                json!({"request": request, "workshops": WORKSHOPS}),
            ),
            recorded(
                2,
                workshop(CONFIRMED),
                "OfferSubmitted",
                json!({"workshopId": CONFIRMED, "offer": offer("1250.00")}),
            ),
            recorded(
                3,
                Actor::new(Role::Operator, OPERATOR),
                "OfferSubmitted",
                json!({"workshopId": NOT_SELECTED, "offer": offer("1300.00")}),
            ),
            recorded(
                4,
                workshop(DECLINED),
                "InvitationDeclined",
                json!({"workshopId": DECLINED, "reason": "Fully booked"}),
            ),
            recorded(
                5,
                workshop(DECLINED),
                "AllResponsesReceived",
                json!({"standing": [CONFIRMED, NOT_SELECTED]}),
            ),
            recorded(
                6,
                commissioner,
                "OfferConfirmed",
                json!({"workshopId": CONFIRMED, "terms": offer("1250.00"),
                       "notSelected": [NOT_SELECTED]}),
            ),
            recorded(
                7,
                workshop(CONFIRMED),
                "StageMarkedComplete",
                stage(1, "Sketch", "awaitingApproval"),
            ),
            recorded(8, commissioner, "StageApproved", stage(1, "Sketch", "")),
            recorded(
                9,
                workshop(CONFIRMED),
                "StageMarkedComplete",
                stage(2, "Table", "completed"),
            ),
            recorded(
                10,
                workshop(CONFIRMED),
                "OrderFinished",
                json!({"workshopId": CONFIRMED}),
            ),
        ];
        life[2].on_behalf_of = Some(workshop(NOT_SELECTED));
        life
    }

    /// Every way in which that order may end, and facts of orders that went otherwise.
    fn ends() -> Vec<RecordedEvent> {
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
            recorded(
                11,
                commissioner,
                "OrderCompleted",
                json!({"workshopId": CONFIRMED}),
            ),
            recorded(11, commissioner, "CancellationDisputed", disputed.clone()),
            recorded(11, workshop(CONFIRMED), "CancellationDisputed", disputed),
            recorded(
                12,
                Actor::new(Role::Operator, OPERATOR),
                "OrderCancelled",
                cancelled,
            ),
            recorded(5, workshop(DECLINED), "AllInvitationsClosed", json!({})),
        ]
    }

    /// What else may happen on the way.
    fn detours() -> Vec<RecordedEvent> {
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
            recorded(
                12,
                commissioner,
                "RequestEdited",
                json!({"request": request, "changed": ["brief"]}),
            ),
            recorded(
                13,
                commissioner,
                "WorkshopsInvited",
                json!({"workshops": [NOT_SELECTED, DECLINED]}),
            ),
            recorded(
                14,
                workshop(NOT_SELECTED),
                "OfferRevised",
                json!({"workshopId": NOT_SELECTED, "offer": offer("1350.00")}),
            ),
            recorded(
                15,
                workshop(NOT_SELECTED),
                "OfferWithdrawn",
                json!({"workshopId": NOT_SELECTED, "reason": "No oak left"}),
            ),
            recorded(16, commissioner, "StageChangesRequested", changes),
            recorded(
                17,
                Actor::new(Role::Operator, OPERATOR),
                "DisputeResolved",
                resolved,
            ),
        ]
    }

    /// All of these facts.
    fn facts() -> Vec<RecordedEvent> {
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

    fn told(sight: Sight, events: &[RecordedEvent]) -> Vec<TimelineEntry> {
        events
            .iter()
            .filter_map(|event| redact_event(sight, event))
            .collect()
    }

    fn versions(entries: &[TimelineEntry]) -> Vec<i64> {
        entries.iter().map(|entry| entry.version).collect()
    }

    fn detail() -> OrderDetail {
        let order = life()
            .iter()
            .take(9)
            .try_fold(Order::default(), |order, recorded| {
                evolve(order, &recorded.event)
            })
            .unwrap();
        let now = "2027-01-02T00:00:00Z".parse().unwrap();
        OrderDetail::from_order(&order, Version::new(9), now).unwrap()
    }

    fn item() -> OrderItem {
        let detail = detail();
        OrderItem {
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
                assert_eq!(entry.data, public(&fact.event).1);
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
        let mut finished = life().pop().unwrap();
        finished.actor = Actor::new(Role::Operator, OPERATOR);
        assert!(redact_event(sight_of(NOT_SELECTED), &finished).is_some());
        finished.on_behalf_of = Some(workshop(CONFIRMED));
        assert!(redact_event(sight_of(NOT_SELECTED), &finished).is_none());
        assert!(redact_event(sight_of(CONFIRMED), &finished).is_some());
    }

    #[test]
    fn an_order_cancelled_before_any_offer_was_taken_withholds_its_reason() {
        let cancelled = recorded(
            2,
            Actor::new(Role::Commissioner, COMMISSIONER),
            "OrderCancelled",
            json!({"workshopId": null, "reason": "Changed my mind",
                   "cancelledFrom": "negotiating", "byDispute": false}),
        );
        let sight = Sight::Invited(WorkshopId::from_uuid(NOT_SELECTED));
        let entry = redact_event(sight, &cancelled).unwrap();
        assert_eq!(entry.data["reason"], Value::Null);
        assert_eq!(entry.summary, "The commission was cancelled.");
    }
}
