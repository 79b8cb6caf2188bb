//! A marketplace with a directory and one order, brought to the state that a test begins in.

use std::sync::Arc;
use std::time::Duration;

use event_store::{LoadedStream, StreamId};
use http_edge::Limits;
use kernel::{Actor, IdSource as _, OrderId, RandomIds};
use serde_json::{Value, json};
use test_support::TestDatabase;

use crate::api::{Api, Call, HandClock, Reply};
use crate::people::{ASH, COMMISSIONER, ELM, OAK, OPERATOR};

/// A database, a clock, and an instance of the application.
pub(crate) struct Scene {
    pub(crate) api: Api,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) database: TestDatabase,
}

/// An order, and who asks things of it.
pub(crate) struct PlacedOrder<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) id: String,
}

/// The body that places an order.
pub(crate) fn request(workshops: &[Actor]) -> Value {
    let ids: Vec<_> = workshops.iter().map(|workshop| workshop.id).collect();
    json!({
        "request": {
            "title": "Oak dining table",
            "brief": "For eight people, oiled.",
            "budget": {"amount": "1250", "currency": "EUR"},
            "deadline": "2027-05-01T12:00:00Z",
        },
        "workshops": ids,
    })
}

/// The body of an offer with a blocking stage and another.
pub(crate) fn offer() -> Value {
    json!({
        "budget": {"amount": "1180.00", "currency": "EUR"},
        "deadline": "2027-04-15T12:00:00Z",
        "description": "Solid oak.",
        "stages": [
            {"name": "Drawing", "description": "To scale.", "requiresApproval": true},
            {"name": "Building", "description": "The table.", "durationDays": 60},
        ],
    })
}

/// A key that nobody has used.
pub(crate) fn fresh_key() -> String {
    RandomIds.next().to_string()
}

impl Scene {
    /// A marketplace with the named workshops in its directory.
    pub(crate) async fn set() -> Self {
        Self::with_timeout(Duration::from_secs(10)).await
    }

    /// The same, whose requests may take so long.
    pub(crate) async fn with_timeout(timeout: Duration) -> Self {
        let database = TestDatabase::create().await;
        let clock = HandClock::at_noon();
        // The directory is set up with all the time that it takes.
        let patient = Duration::from_secs(60);
        let scene = Self {
            api: Api::start(&database.url_app(), clock.clone(), patient),
            clock,
            database,
        };
        for workshop in [OAK, ELM, ASH] {
            scene.register(workshop).await;
        }
        let api = scene.instance(timeout);
        Self { api, ..scene }
    }

    /// One more instance of the application, with a pool and queues of its own.
    pub(crate) fn instance(&self, timeout: Duration) -> Api {
        Api::start(&self.database.url_app(), self.clock.clone(), timeout)
    }

    /// The same, where principals may not ask as often as they like.
    pub(crate) fn limited(&self, limits: Limits) -> Api {
        let timeout = Duration::from_secs(10);
        Api::limited(
            &self.database.url_app(),
            self.clock.clone(),
            timeout,
            limits,
        )
    }

    /// Enters a workshop into the directory.
    pub(crate) async fn register(&self, workshop: Actor) {
        let entry = json!({"name": "A workshop", "acceptsCommissions": true});
        let call = self.api.put(format!("/v1/workshops/{}", workshop.id));
        let reply = call.by(OPERATOR).json(&entry).send().await;
        assert_eq!(reply.status, 201, "{reply:?}");
    }

    /// An order for which [`OAK`] and [`ELM`] are invited.
    pub(crate) async fn placed(&self) -> PlacedOrder<'_> {
        self.placed_for(&[OAK, ELM]).await
    }

    /// An order for which `workshops` are invited.
    pub(crate) async fn placed_for(&self, workshops: &[Actor]) -> PlacedOrder<'_> {
        let call = self.api.post("/v1/orders").by(COMMISSIONER);
        let reply = call.json(&request(workshops)).send().await;
        assert_eq!(reply.accepted(), (1, "negotiating".to_owned()));
        let id = reply.body["orderId"].as_str().expect("an id").to_owned();
        PlacedOrder { scene: self, id }
    }

    /// An order whose offer by [`OAK`] stands.
    pub(crate) async fn offered(&self) -> PlacedOrder<'_> {
        let order = self.placed().await;
        order.put("offers", OAK).json(&offer()).expect_done().await;
        order
    }

    /// An order that [`OAK`] works on.
    pub(crate) async fn in_progress(&self) -> PlacedOrder<'_> {
        let order = self.offered().await;
        order.confirm(OAK).expect_done().await;
        order
    }

    /// An order whose work is finished.
    pub(crate) async fn finished(&self) -> PlacedOrder<'_> {
        let order = self.in_progress().await;
        for call in [
            order.post("stages/1/complete").by(OAK),
            order.post("stages/1/approve").by(COMMISSIONER),
            order.post("stages/2/complete").by(OAK),
        ] {
            call.expect_done().await;
        }
        order
    }

    /// An order that [`OAK`] works on and its commissioner wants to cancel.
    pub(crate) async fn disputed(&self) -> PlacedOrder<'_> {
        let order = self.in_progress().await;
        order.cancel().by(COMMISSIONER).expect_done().await;
        order
    }

    /// An order that was cancelled while it was negotiated.
    pub(crate) async fn cancelled(&self) -> PlacedOrder<'_> {
        let order = self.placed().await;
        order.cancel().by(COMMISSIONER).expect_done().await;
        order
    }
}

impl PlacedOrder<'_> {
    /// `POST /v1/orders/{id}/…`.
    pub(crate) fn post(&self, rest: &str) -> Call {
        self.scene
            .api
            .post(format!("/v1/orders/{}/{rest}", self.id))
    }

    /// `PUT /v1/orders/{id}/{collection}/{W}` by that workshop.
    pub(crate) fn put(&self, collection: &str, workshop: Actor) -> Call {
        let path = format!("/v1/orders/{}/{collection}/{}", self.id, workshop.id);
        self.scene.api.put(path).by(workshop)
    }

    /// The commissioner confirms a workshop's offer.
    pub(crate) fn confirm(&self, workshop: Actor) -> Call {
        let rest = format!("offers/{}/confirm", workshop.id);
        self.post(&rest).by(COMMISSIONER)
    }

    /// The commissioner changes what is asked for.
    pub(crate) fn edit(&self, body: &Value) -> Call {
        let path = format!("/v1/orders/{}/request", self.id);
        self.scene.api.patch(path).by(COMMISSIONER).json(body)
    }

    /// The commissioner invites workshops.
    pub(crate) fn invite(&self, workshops: &[Actor]) -> Call {
        let ids: Vec<_> = workshops.iter().map(|workshop| workshop.id).collect();
        let call = self.post("invitations").by(COMMISSIONER);
        call.json(&json!({ "workshops": ids }))
    }

    /// A workshop takes its offer back.
    pub(crate) fn withdraw(&self, workshop: Actor) -> Call {
        let rest = format!("offers/{}/withdraw", workshop.id);
        self.post(&rest).by(workshop)
    }

    /// The commissioner sends a stage back.
    pub(crate) fn request_changes(&self, stage: u32) -> Call {
        let call = self.post(&format!("stages/{stage}/request-changes"));
        call.by(COMMISSIONER).json(&json!({"note": "Rounder."}))
    }

    /// An operator resolves a dispute.
    pub(crate) fn resolve(&self, resolution: &str) -> Call {
        let call = self.post("dispute/resolve").by(OPERATOR);
        call.json(&json!({"resolution": resolution, "note": "As agreed."}))
    }

    /// A workshop declines.
    pub(crate) fn decline(&self, workshop: Actor) -> Call {
        let rest = format!("invitations/{}/decline", workshop.id);
        self.post(&rest).by(workshop)
    }

    /// Somebody cancels, with a reason.
    pub(crate) fn cancel(&self) -> Call {
        self.post("cancel")
            .json(&json!({"reason": "We move abroad."}))
    }

    /// The order's stream, as it is stored.
    pub(crate) async fn stream(&self) -> LoadedStream {
        let id: OrderId = self.id.parse().expect("an order's id");
        let pool = self.scene.database.pool_app().await;
        let mut connection = pool.acquire().await.expect("a connection");
        event_store::load(&mut connection, &[StreamId::order(id)])
            .await
            .expect("a stream")
            .remove(0)
    }

    /// The names of the order's events.
    pub(crate) async fn event_names(&self) -> Vec<String> {
        let stream = self.stream().await;
        stream
            .events
            .into_iter()
            .map(|event| event.event_type)
            .collect()
    }
}

impl Call {
    /// Sends, and insists on success.
    pub(crate) async fn expect_done(self) -> Reply {
        let reply = self.send().await;
        assert!(reply.status.is_success(), "{reply:?}");
        reply
    }
}
