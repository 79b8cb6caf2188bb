//! A negotiation with second thoughts: edits, further invitations, revised and withdrawn offers.

use kernel::Actor;
use serde_json::{Value, json};

use crate::people::{ASH, COMMISSIONER, ELM, OAK, OPERATOR, workshop};
use crate::scene::{PlacedOrder, Scene, offer};

async fn last_payload(order: &PlacedOrder<'_>) -> Value {
    order
        .stream()
        .await
        .events
        .pop()
        .unwrap()
        .payload
        .value()
        .unwrap()
}

#[tokio::test]
async fn an_edit_changes_what_it_names_and_nothing_else() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let edits = [
        (json!({"title": "  Elm table "}), json!(["title"])),
        (json!({"brief": "For ten."}), json!(["brief"])),
        (
            json!({"budget": {"amount": "1400", "currency": "EUR"}}),
            json!(["budget"]),
        ),
        (
            json!({"title": "Elm table", "brief": "For two.", "deadline": "2027-06-01T12:00:00Z"}),
            json!(["brief", "deadline"]),
        ),
    ];
    for (version, (body, changed)) in (2..).zip(&edits) {
        let reply = order.edit(body).expect_done().await;
        assert_eq!(reply.accepted(), (version, "negotiating".to_owned()));
        let payload = last_payload(&order).await;
        assert_eq!(&payload["changed"], changed);
        assert_eq!(payload["request"]["revision"], version);
    }
    assert_eq!(
        last_payload(&order).await["request"],
        json!({
            "title": "Elm table",
            "brief": "For two.",
            "budget": {"amount": "1400.00", "currency": "EUR"},
            "deadline": "2027-06-01T12:00:00Z",
            "revision": 5,
        })
    );
}

#[tokio::test]
async fn null_is_not_the_same_as_left_out() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let nulls = json!({"title": null, "brief": null, "budget": null, "deadline": null});
    let reply = order.edit(&nulls).send().await;
    assert_eq!(reply.outcome(), "422 VALIDATION_FAILED");
    let detail = "must not be null: leave the field out to keep what stands";
    let expected = ["/title", "/brief", "/budget", "/deadline"]
        .map(|pointer| json!({"pointer": pointer, "detail": detail}));
    assert_eq!(reply.problem()["errors"], json!(expected));

    for unchanged in [
        json!({}),
        json!({"title": " Oak dining table\n", "colour": "unknown"}),
        json!({"budget": {"amount": "1250.0", "currency": "EUR"}}),
        json!({"deadline": "2027-05-01T14:00:00+02:00"}),
    ] {
        let reply = order.edit(&unchanged).send().await;
        assert_eq!(reply.outcome(), "409 NOTHING_TO_CHANGE", "{unchanged}");
    }
    let path = format!("/v1/orders/{}/request", order.id);
    let reply = scene.api.patch(path).by(COMMISSIONER).send().await;
    assert_eq!(reply.outcome(), "409 NOTHING_TO_CHANGE", "an empty body");
    for malformed in [json!({"title": 7}), json!({"budget": "1250"}), json!([])] {
        let reply = order.edit(&malformed).send().await;
        assert_eq!(reply.outcome(), "400 MALFORMED_REQUEST", "{malformed}");
    }
    assert_eq!(order.event_names().await, ["OrderPlaced"]);
}

/// No bait and switch: what was offered for another request cannot be confirmed.
#[tokio::test]
async fn an_edit_outdates_offers_until_they_are_affirmed() {
    let scene = Scene::set().await;
    let order = scene.offered().await;
    order
        .edit(&json!({"title": "Elm table"}))
        .expect_done()
        .await;
    let refused = order.confirm(OAK).send().await;
    assert_eq!(refused.outcome(), "409 OFFER_OUTDATED");
    assert_eq!(refused.problem()["reason"], "requestRevised");

    let reply = order.put("offers", OAK).json(&offer()).expect_done().await;
    assert_eq!(reply.accepted(), (4, "negotiating".to_owned()));
    let revised = last_payload(&order).await;
    assert_eq!(revised["event"], "OfferRevised");
    assert_eq!(revised["offer"]["requestRevision"], 2);
    assert_eq!(revised["offer"]["offerRevision"], 2);
    let confirm = order.confirm(OAK).json(&json!({"offerRevision": 2}));
    confirm.expect_done().await;
}

#[tokio::test]
async fn putting_an_offer_submits_or_revises_it() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let put = async |amount: &str| {
        let mut body = offer();
        body["budget"]["amount"] = amount.into();
        order.put("offers", OAK).json(&body).send().await.outcome()
    };
    assert_eq!(put("1180").await, "200");
    assert_eq!(put("1180.00").await, "409 NOTHING_TO_CHANGE");
    assert_eq!(put("1190").await, "200");
    order.withdraw(OAK).expect_done().await;
    assert_eq!(put("1180").await, "409 INVITATION_NOT_OPEN");
    order.invite(&[OAK]).expect_done().await;
    assert_eq!(put("1180").await, "200");
    let events = order.stream().await.events;
    let offers: Vec<(&str, i64)> = events
        .iter()
        .filter_map(|event| {
            let revision = event.payload.value().unwrap()["offer"]["offerRevision"].as_i64()?;
            Some((event.event_type.as_str(), revision))
        })
        .collect();
    assert_eq!(
        offers,
        [
            ("OfferSubmitted", 1),
            ("OfferRevised", 2),
            ("OfferSubmitted", 3)
        ]
    );
}

#[tokio::test]
async fn a_round_is_closed_by_one_fact_and_opened_by_an_invitation() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let put = |by: Actor| order.put("offers", by).json(&offer());
    put(OAK).expect_done().await;
    order.decline(ELM).expect_done().await;
    order
        .withdraw(OAK)
        .json(&json!({"reason": " Our oak is sold out. "}))
        .expect_done()
        .await;
    order.invite(&[ASH, ELM]).expect_done().await;
    put(ELM).expect_done().await;
    order.withdraw(ELM).expect_done().await;
    order.decline(ASH).expect_done().await;
    let events = order.stream().await.events;
    let names: Vec<_> = events.iter().map(|e| e.event_type.as_str()).collect();
    assert_eq!(
        names,
        [
            "OrderPlaced",
            "OfferSubmitted",
            "InvitationDeclined",
            "AllResponsesReceived",
            "OfferWithdrawn",
            "AllInvitationsClosed",
            "WorkshopsInvited",
            "OfferSubmitted",
            "OfferWithdrawn",
            "InvitationDeclined",
            "AllInvitationsClosed",
        ]
    );
    assert_eq!(
        events[4].payload.value().unwrap()["reason"],
        "Our oak is sold out."
    );
    assert_eq!(
        events[6].payload.value().unwrap()["workshops"],
        json!([ASH.id, ELM.id])
    );
}

#[tokio::test]
async fn all_of_the_named_workshops_are_invited_or_none() {
    let scene = Scene::set().await;
    let order = scene.placed_for(&[OAK]).await;
    for (workshops, outcome) in [
        (vec![ELM, workshop(9)], "409 UNKNOWN_WORKSHOP"),
        (vec![ELM, OAK], "409 ALREADY_INVITED"),
        (vec![ELM, ELM], "422 VALIDATION_FAILED"),
        (
            vec![ELM, Actor::new(ELM.role, COMMISSIONER.id)],
            "422 VALIDATION_FAILED",
        ),
        (vec![], "422 VALIDATION_FAILED"),
    ] {
        let reply = order.invite(&workshops).send().await;
        assert_eq!(reply.outcome(), outcome, "{workshops:?}");
        assert_eq!(order.event_names().await, ["OrderPlaced"]);
    }
    order.invite(&[ELM, ASH]).expect_done().await;
}

#[tokio::test]
async fn an_order_has_twenty_seats_over_its_life() {
    let scene = Scene::set().await;
    let order = scene.placed_for(&[OAK, ELM]).await;
    let more: Vec<_> = (1..=19).map(workshop).collect();
    for workshop in &more {
        scene.register(*workshop).await;
    }
    let reply = order.invite(&more).send().await;
    assert_eq!(reply.outcome(), "422 VALIDATION_FAILED");
    assert_eq!(reply.problem()["errors"][0]["pointer"], "/workshops");
    order.invite(&more[1..]).expect_done().await;
    // Invited again, a seat counts once.
    order.decline(OAK).expect_done().await;
    order.invite(&[OAK]).expect_done().await;
    let reply = order.invite(&more[..1]).send().await;
    assert_eq!(reply.outcome(), "422 VALIDATION_FAILED");
}

#[tokio::test]
async fn a_workshop_that_closed_keeps_its_seat_and_gets_no_other() {
    let scene = Scene::set().await;
    let order = scene.placed_for(&[OAK, ELM]).await;
    let closed = json!({"name": "A workshop", "acceptsCommissions": false});
    let put = scene.api.put(format!("/v1/workshops/{}", OAK.id));
    put.by(OPERATOR).json(&closed).expect_done().await;
    order.put("offers", OAK).json(&offer()).expect_done().await;
    order.withdraw(OAK).expect_done().await;
    let reply = order.invite(&[OAK]).send().await;
    assert_eq!(reply.outcome(), "409 UNKNOWN_WORKSHOP");
    assert_eq!(reply.problem()["errors"][0]["pointer"], "/workshops/0");
}

#[tokio::test]
async fn an_operator_negotiates_in_the_place_of_each_party() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let path = |rest: &str| format!("/v1/orders/{}/{rest}", order.id);
    let offers = path(&format!("offers/{}", OAK.id));
    let mut revised = offer();
    revised["description"] = "Older oak.".into();
    for call in [
        scene
            .api
            .patch(path("request"))
            .json(&json!({"title": "Elm table"})),
        scene
            .api
            .post(path("invitations"))
            .json(&json!({"workshops": [ASH.id]})),
        scene.api.put(offers.as_str()).json(&offer()),
        scene.api.put(offers.as_str()).json(&revised),
        scene.api.post(format!("{offers}/withdraw")),
    ] {
        call.by(OPERATOR).expect_done().await;
    }
    let places: Vec<_> = order
        .stream()
        .await
        .events
        .iter()
        .skip(1)
        .map(|event| {
            let metadata = event.metadata().unwrap();
            assert_eq!(metadata.actor, Some(OPERATOR));
            metadata.on_behalf_of.unwrap()
        })
        .collect();
    assert_eq!(places, [COMMISSIONER, COMMISSIONER, OAK, OAK, OAK]);
}
