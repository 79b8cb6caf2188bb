//! One commission from the request to the accepted work.

use kernel::{Actor, Role};
use serde_json::{Value, json};

use crate::api::{Api, Reply};
use crate::people::{COMMISSIONER, ELM, OAK, OPERATOR};
use crate::scene::{Scene, offer, request};

fn answered(reply: &Reply, status: u16, version: i64, state: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.accepted(), (version, state.to_owned()));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(
        reply.header("cache-control"),
        Some("private, no-cache, no-transform")
    );
    assert_eq!(reply.header("idempotency-replayed"), None);
    let names: Vec<_> = reply.body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["orderId", "position", "state", "version"]);
}

#[tokio::test]
async fn a_commission_goes_from_request_to_accepted_work() {
    let scene = Scene::set().await;
    let place = scene.api.post("/v1/orders").by(COMMISSIONER);
    let reply = place.json(&request(&[OAK, ELM])).send().await;
    answered(&reply, 201, 1, "negotiating");
    let id = reply.body["orderId"].as_str().unwrap().to_owned();
    let location = format!("/v1/orders/{id}");
    assert_eq!(reply.header("location"), Some(location.as_str()));

    let order = crate::scene::PlacedOrder { scene: &scene, id };
    let reply = order.put("offers", OAK).json(&offer()).send().await;
    answered(&reply, 200, 2, "negotiating");
    assert_eq!(reply.header("location"), None);
    let reply = order
        .decline(ELM)
        .json(&json!({"reason": "Booked."}))
        .send()
        .await;
    answered(&reply, 200, 4, "negotiating");
    let confirm = order.confirm(OAK).json(&json!({"offerRevision": 1}));
    answered(&confirm.send().await, 200, 5, "inProgress");
    let reply = order.post("stages/1/complete").by(OAK).send().await;
    answered(&reply, 200, 6, "inProgress");
    let reply = order.post("stages/1/approve").by(COMMISSIONER).send().await;
    answered(&reply, 200, 7, "inProgress");
    let reply = order.post("stages/2/complete").by(OAK).send().await;
    answered(&reply, 200, 9, "finished");
    let reply = order.post("accept").by(COMMISSIONER).send().await;
    answered(&reply, 200, 10, "completed");
    assert_eq!(reply.body["orderId"], order.id.as_str());

    assert_eq!(
        order.event_names().await,
        [
            "OrderPlaced",
            "OfferSubmitted",
            "InvitationDeclined",
            "AllResponsesReceived",
            "OfferConfirmed",
            "StageMarkedComplete",
            "StageApproved",
            "StageMarkedComplete",
            "OrderFinished",
            "OrderCompleted",
        ]
    );
}

#[tokio::test]
async fn positions_ascend_and_name_the_last_event_of_the_command() {
    let scene = Scene::set().await;
    let order = scene.placed_for(&[OAK]).await;
    let reply = order.put("offers", OAK).json(&offer()).expect_done().await;
    let stream = order.stream().await;
    let token = event_store::PositionToken::decode(reply.body["position"].as_str().unwrap());
    let last = stream.events.last().unwrap();
    assert_eq!(last.event_type, "AllResponsesReceived");
    assert_eq!(token.unwrap().position, last.position);
}

#[tokio::test]
async fn events_say_who_acted_and_why() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let submit = order.put("offers", OAK).key("offer-1").json(&offer());
    submit.expect_done().await;
    let rest = format!("invitations/{}/decline", ELM.id);
    order.post(&rest).by(OPERATOR).expect_done().await;

    let stream = order.stream().await;
    let metadata: Vec<_> = stream
        .events
        .iter()
        .map(|e| e.metadata().unwrap())
        .collect();
    let [placed, submitted, declined, closed] = metadata.as_slice() else {
        panic!("four events, not {}", metadata.len());
    };
    assert_eq!(placed.actor, Some(COMMISSIONER));
    assert_eq!(placed.idempotency_key, None);
    assert_eq!(submitted.actor, Some(OAK));
    assert_eq!(submitted.on_behalf_of, None);
    assert_eq!(submitted.idempotency_key.as_deref(), Some("offer-1"));
    assert_eq!(declined.actor, Some(OPERATOR));
    assert_eq!(declined.on_behalf_of, Some(ELM));
    // What one command did belongs together, and apart from what others did.
    assert_eq!(closed, declined);
    assert_ne!(submitted.correlation_id, placed.correlation_id);
    for metadata in &metadata {
        assert_eq!(metadata.causation_id, None);
        let traceparent = metadata.traceparent.as_deref().unwrap();
        assert_eq!(traceparent.len(), 55, "{traceparent}");
    }
}

#[tokio::test]
async fn an_operator_acts_in_the_place_of_each_party() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let offers = format!("/v1/orders/{}/offers/{}", order.id, OAK.id);
    for call in [
        scene.api.put(offers).json(&offer()),
        order.post(&format!("offers/{}/confirm", OAK.id)),
        order.post("stages/1/complete"),
        order.post("stages/1/approve"),
        order.post("stages/2/complete"),
        order.cancel(),
    ] {
        call.by(OPERATOR).expect_done().await;
    }
    let stream = order.stream().await;
    let in_whose_place: Vec<(String, Option<Actor>)> = stream
        .events
        .iter()
        .skip(1)
        .map(|event| {
            let metadata = event.metadata().unwrap();
            assert_eq!(metadata.actor, Some(OPERATOR));
            (event.event_type.clone(), metadata.on_behalf_of)
        })
        .collect();
    let expected = [
        ("OfferSubmitted", OAK),
        ("OfferConfirmed", COMMISSIONER),
        ("StageMarkedComplete", OAK),
        ("StageApproved", COMMISSIONER),
        ("StageMarkedComplete", OAK),
        ("OrderFinished", OAK),
        ("CancellationDisputed", COMMISSIONER),
    ];
    let expected = expected.map(|(name, party)| (name.to_owned(), Some(party)));
    assert_eq!(in_whose_place, expected);
    let dispute = stream.events.last().unwrap().payload.value().unwrap();
    assert_eq!(dispute["openedBy"]["role"], Role::Operator.as_str());
}

#[tokio::test]
async fn cancelling_agreed_work_opens_a_dispute() {
    let scene = Scene::set().await;
    for by in [COMMISSIONER, OAK] {
        let order = scene.in_progress().await;
        let reply = order.cancel().by(by).send().await;
        answered(&reply, 200, 4, "disputed");
        let reply = order.post("stages/1/complete").by(OAK).send().await;
        assert_eq!(reply.problem()["state"], "disputed");
    }
}

#[tokio::test]
async fn values_are_stored_normalised() {
    let scene = Scene::set().await;
    let mut body = request(&[OAK]);
    body["request"]["title"] = "  Oak table \n".into();
    body["request"]["deadline"] = "2027-05-01T14:00:00.1234569+02:00".into();
    body["request"]["colour"] = "unknown fields are passed over".into();
    let stored = placed(&scene.api, &scene, &body).await;
    assert_eq!(stored["request"]["title"], "Oak table");
    assert_eq!(stored["request"]["deadline"], "2027-05-01T12:00:00.123456Z");
    assert_eq!(stored["request"]["budget"]["amount"], "1250.00");
}

async fn placed(api: &Api, scene: &Scene, body: &Value) -> Value {
    let reply = api.post("/v1/orders").by(COMMISSIONER).json(body);
    let reply = reply.expect_done().await;
    let id = reply.body["orderId"].as_str().unwrap().to_owned();
    let order = crate::scene::PlacedOrder { scene, id };
    order
        .stream()
        .await
        .events
        .remove(0)
        .payload
        .value()
        .unwrap()
}
