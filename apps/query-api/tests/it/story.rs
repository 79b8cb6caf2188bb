//! Events as the command API would have stored them, told by hand.

use event_store::{Append, NewEvent, StreamId, Version, append};
use kernel::{Actor, EventId, Metadata, OrderId, Role, WorkshopId};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::people::{COMMISSIONER, ELM, OAK};

/// An order whose events are told one by one, an hour after another from the new year of 2027.
pub(crate) struct Story {
    pub(crate) order_id: OrderId,
    version: i64,
    day: u32,
}

impl Story {
    /// Nothing yet; it begins on a day of January.
    pub(crate) const fn untold(day: u32) -> Self {
        Self {
            order_id: OrderId::from_uuid(Uuid::from_u128(0xd0 + day as u128)),
            version: 0,
            day,
        }
    }

    /// An order of the commissioner, on a day of January, with two workshops invited.
    pub(crate) async fn placed(pool: &PgPool, day: u32) -> Self {
        let mut story = Self::untold(day);
        let request = json!({
            "title": format!("Oak table {day}"), "brief": "For eight people",
            "budget": {"amount": "1500.00", "currency": "EUR"},
            "deadline": "2027-06-01T00:00:00Z", "revision": 1,
        });
        let fields = json!({"request": request, "workshops": [OAK.id, ELM.id]});
        story.tell(pool, COMMISSIONER, "OrderPlaced", fields).await;
        story
    }

    /// Both workshops answer with offers, which are good until March.
    pub(crate) async fn offered(&mut self, pool: &PgPool) {
        for workshop in [OAK, ELM] {
            let fields = json!({"workshopId": workshop.id, "offer": offer()});
            self.tell(pool, workshop, "OfferSubmitted", fields).await;
        }
        let standing = json!({"standing": [OAK.id, ELM.id]});
        self.tell(pool, ELM, "AllResponsesReceived", standing).await;
    }

    /// The first of them is confirmed.
    pub(crate) async fn confirmed(&mut self, pool: &PgPool) {
        let fields = json!({"workshopId": OAK.id, "terms": offer(), "notSelected": [ELM.id]});
        self.tell(pool, COMMISSIONER, "OfferConfirmed", fields)
            .await;
    }

    /// Its first stage waits for approval.
    pub(crate) async fn marked(&mut self, pool: &PgPool) {
        let fields = json!({"workshopId": OAK.id, "stage": 1, "name": "Sketch",
                            "status": "awaitingApproval"});
        self.tell(pool, OAK, "StageMarkedComplete", fields).await;
    }

    /// The commissioner gives up, as it was told when the fact was new.
    pub(crate) async fn cancelled_long_ago(&mut self, pool: &PgPool) {
        let fields = json!({"workshopId": null, "reason": "Enough",
                            "cancelledFrom": "negotiating"});
        self.tell(pool, COMMISSIONER, "OrderCancelled", fields)
            .await;
    }

    /// A workshop says no.
    pub(crate) async fn declined_by(&mut self, pool: &PgPool, workshop: Actor) {
        let fields = json!({"workshopId": workshop.id, "reason": null});
        self.tell(pool, workshop, "InvitationDeclined", fields)
            .await;
    }

    /// The commissioner changes the title, within the hour of the event before.
    pub(crate) async fn retitled(&mut self, pool: &PgPool, round: i64) {
        let request = json!({
            "title": format!("Oak table {round}"), "brief": "For eight people",
            "budget": {"amount": "1500.00", "currency": "EUR"},
            "deadline": "2027-06-01T00:00:00Z", "revision": self.version + 1,
        });
        let fields = json!({"request": request, "changed": ["title"]});
        self.tell(pool, COMMISSIONER, "RequestEdited", fields).await;
    }

    /// Something of another release.
    pub(crate) async fn gilded(&mut self, pool: &PgPool) {
        self.tell(pool, COMMISSIONER, "OrderGilded", json!({}))
            .await;
    }

    /// The second workshop takes its offer back, and is invited again.
    pub(crate) async fn invited_again(&mut self, pool: &PgPool) {
        let fields = json!({"workshopId": ELM.id, "reason": null});
        self.tell(pool, ELM, "OfferWithdrawn", fields).await;
        let fields = json!({"workshops": [ELM.id]});
        self.tell(pool, COMMISSIONER, "WorkshopsInvited", fields)
            .await;
    }

    /// One more event.
    pub(crate) async fn tell(
        &mut self,
        pool: &PgPool,
        actor: Actor,
        name: &'static str,
        fields: Value,
    ) {
        let mut payload = fields;
        payload["event"] = json!(name);
        payload["orderId"] = json!(self.order_id);
        payload["commissionerId"] = json!(COMMISSIONER.id);
        payload["occurredAt"] = json!(format!(
            "2027-01-{:02}T{:02}:00:00Z",
            i64::from(self.day) + self.version / 24,
            self.version % 24
        ));
        store(
            pool,
            StreamId::order(self.order_id),
            self.version,
            actor,
            name,
            payload,
        )
        .await;
        self.version += 1;
    }
}

fn offer() -> Value {
    json!({
        "budget": {"amount": "1250.00", "currency": "EUR"}, "deadline": "2027-03-01T00:00:00Z",
        "description": "Solid oak", "requestRevision": 1, "offerRevision": 1,
        "stages": [
            {"name": "Sketch", "description": "On paper", "durationDays": null,
             "requiresApproval": true},
            {"name": "Table", "description": "In oak", "durationDays": 30,
             "requiresApproval": false},
        ],
    })
}

/// Enters a workshop into the directory.
pub(crate) async fn registered(pool: &PgPool, workshop: Actor, name: &str, accepts: bool) {
    let workshop_id = WorkshopId::from_uuid(workshop.id);
    let payload = json!({
        "event": "WorkshopRegistered", "workshopId": workshop_id, "name": name,
        "acceptsCommissions": accepts, "occurredAt": "2027-01-01T00:00:00Z",
    });
    let operator = Actor::new(Role::Operator, Uuid::from_u128(0xe1));
    let stream = StreamId::workshop(workshop_id);
    store(pool, stream, 0, operator, "WorkshopRegistered", payload).await;
}

async fn store(
    pool: &PgPool,
    stream: StreamId,
    expected: i64,
    actor: Actor,
    name: &'static str,
    payload: Value,
) {
    let event_id = Uuid::new_v5(
        &Uuid::NAMESPACE_URL,
        format!("{stream}/{expected}").as_bytes(),
    );
    let event = NewEvent {
        event_id: EventId::from_uuid(event_id),
        event_type: name,
        event_version: "1.0",
        payload,
        metadata: Metadata {
            actor: Some(actor),
            on_behalf_of: None,
            correlation_id: event_id,
            causation_id: None,
            traceparent: None,
            idempotency_key: None,
        },
    };
    let mut connection = pool.acquire().await.unwrap();
    let request = Append::to(stream, Version::new(expected), vec![event]);
    append(&mut connection, &request).await.unwrap();
}
