//! Who may use which route: every route with every kind of principal.

use std::collections::BTreeMap;

use kernel::Actor;
use serde_json::{Value, json};

use crate::people::{ANALYST, ASH, COMMISSIONER, ELM, OAK, OPERATOR, STRANGER};
use crate::scene::{Scene, fresh_key, offer, request};

/// Everybody, by the part that they play towards an order that `OAK` works on.
const EVERYBODY: [(&str, Actor); 7] = [
    ("its commissioner", COMMISSIONER),
    ("another commissioner", STRANGER),
    ("confirmed workshop", OAK),
    ("rival workshop", ELM),
    ("uninvited workshop", ASH),
    ("operator", OPERATOR),
    ("analyst", ANALYST),
];

/// What each principal is answered on each route. The order is past negotiating and its stages are
/// not where the commands want them: whoever may give the command is told so by 409.
#[tokio::test]
async fn every_route_knows_its_principals() {
    let scene = Scene::set().await;
    let order = scene.in_progress().await;
    let id = &order.id;
    let oak = OAK.id;
    let never_invited = ASH.id;
    let routes: [(&str, &str, String, Value); 18] = [
        (
            "place",
            "POST",
            "/v1/orders".to_owned(),
            request(&[crate::people::workshop(1)]),
        ),
        (
            "decline",
            "POST",
            format!("/v1/orders/{id}/invitations/{oak}/decline"),
            json!({}),
        ),
        (
            "submit offer",
            "PUT",
            format!("/v1/orders/{id}/offers/{oak}"),
            offer(),
        ),
        (
            "confirm",
            "POST",
            format!("/v1/orders/{id}/offers/{oak}/confirm"),
            json!({}),
        ),
        (
            "complete stage",
            "POST",
            format!("/v1/orders/{id}/stages/2/complete"),
            json!({}),
        ),
        (
            "approve stage",
            "POST",
            format!("/v1/orders/{id}/stages/1/approve"),
            json!({}),
        ),
        (
            "accept",
            "POST",
            format!("/v1/orders/{id}/accept"),
            json!({}),
        ),
        (
            "edit request",
            "PATCH",
            format!("/v1/orders/{id}/request"),
            json!({"title": "Elm table"}),
        ),
        (
            "invite",
            "POST",
            format!("/v1/orders/{id}/invitations"),
            json!({"workshops": [never_invited]}),
        ),
        (
            "withdraw offer",
            "POST",
            format!("/v1/orders/{id}/offers/{oak}/withdraw"),
            json!({}),
        ),
        (
            "request stage changes",
            "POST",
            format!("/v1/orders/{id}/stages/1/request-changes"),
            json!({"note": "Rounder."}),
        ),
        (
            "resolve dispute",
            "POST",
            format!("/v1/orders/{id}/dispute/resolve"),
            json!({"resolution": "resume", "note": "As agreed."}),
        ),
        (
            "confirm the uninvited",
            "POST",
            format!("/v1/orders/{id}/offers/{never_invited}/confirm"),
            json!({}),
        ),
        (
            "decline for the uninvited",
            "POST",
            format!("/v1/orders/{id}/invitations/{never_invited}/decline"),
            json!({}),
        ),
        (
            "complete no stage",
            "POST",
            format!("/v1/orders/{id}/stages/3/complete"),
            json!({}),
        ),
        (
            "approve no stage",
            "POST",
            format!("/v1/orders/{id}/stages/3/approve"),
            json!({}),
        ),
        (
            "put workshop",
            "PUT",
            format!("/v1/workshops/{oak}"),
            json!({"name": "A workshop", "acceptsCommissions": true}),
        ),
        (
            "request act",
            "POST",
            "/v1/ops/acts".to_owned(),
            json!({"act": "discard", "arguments": {}, "reason": "They are old."}),
        ),
    ];
    let mut seen: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
    for (route, method, path, body) in &routes {
        for (part, actor) in EVERYBODY {
            let call = scene.api.call(method, path.as_str()).by(actor).json(body);
            let call = call.key(&fresh_key());
            let outcome = call.send().await.outcome();
            seen.entry(route).or_default().insert(part, outcome);
        }
        let anonymous = scene
            .api
            .call(method, path.as_str())
            .json(body)
            .send()
            .await;
        assert_eq!(anonymous.outcome(), "401 UNAUTHENTICATED", "{route}");
    }
    // Cancelling is a right of both sides, and moves the order: an order for each.
    for (part, actor) in EVERYBODY {
        let order = scene.in_progress().await;
        let outcome = order.cancel().by(actor).send().await.outcome();
        seen.entry("cancel agreed work")
            .or_default()
            .insert(part, outcome);
        let order = scene.placed().await;
        let outcome = order.cancel().by(actor).send().await.outcome();
        seen.entry("cancel while negotiating")
            .or_default()
            .insert(part, outcome);
    }
    insta::assert_json_snapshot!("who_may_use_which_route", seen);
}

#[tokio::test]
async fn an_order_that_is_not_there_is_not_there_for_anybody() {
    let scene = Scene::set().await;
    let nowhere = uuid::Uuid::from_u128(9);
    for (part, actor) in EVERYBODY {
        if actor == ANALYST {
            continue;
        }
        let call = scene
            .api
            .post(format!("/v1/orders/{nowhere}/cancel"))
            .by(actor);
        let reply = call.json(&json!({"reason": "No."})).send().await;
        assert_eq!(reply.outcome(), "404 NOT_FOUND", "{part}");
        assert_eq!(
            reply.problem()["detail"],
            "there is no such order, or you are no party to it"
        );
    }
}

/// What strangers are told does not depend on whether the order exists.
#[tokio::test]
async fn strangers_cannot_tell_orders_apart() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let ask = async |id: &str| {
        let call = scene.api.post(format!("/v1/orders/{id}/accept"));
        let mut problem = call.by(STRANGER).send().await.problem();
        problem["instance"] = Value::Null;
        problem
    };
    let there = ask(&order.id).await;
    let nowhere = ask("00000000-0000-0000-0000-000000000009").await;
    assert_eq!(there, nowhere);
}

/// What a rival is told does not depend on whether an offer stands.
#[tokio::test]
async fn rivals_cannot_tell_who_has_offered() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let path = format!("/v1/orders/{}/offers/{}", order.id, OAK.id);
    let ask = async || {
        let call = scene.api.put(path.as_str()).by(ELM).json(&offer());
        call.send().await.problem()
    };
    let before = ask().await;
    order.put("offers", OAK).json(&offer()).expect_done().await;
    assert_eq!(ask().await, before);
}

/// One id may play two roles, each a principal of its own.
#[tokio::test]
async fn the_same_id_in_another_role_is_somebody_else() {
    let scene = Scene::set().await;
    let order = scene.placed().await;
    let namesake = Actor::new(kernel::Role::Workshop, COMMISSIONER.id);
    assert_eq!(
        order.cancel().by(namesake).send().await.outcome(),
        "404 NOT_FOUND"
    );
}
