//! One order, as each viewer is shown it.

use kernel::Actor;
use serde_json::{Value, json};

use crate::people::{ANALYST, ASH, COMMISSIONER, ELM, OAK, OPERATOR, STRANGER};
use crate::scene::Scene;

fn id(actor: Actor) -> Value {
    json!(actor.id)
}

/// The offer as it is shown.
fn offer(workshop: Actor) -> Value {
    json!({
        "workshopId": workshop.id,
        "budget": {"amount": "1250.00", "currency": "EUR"},
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
        "outdated": false,
    })
}

#[tokio::test]
async fn owner_operator_and_analyst_read_it_whole() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    let whole = json!({
        "orderId": order_id,
        "version": 6,
        "state": "inProgress",
        "commissionerId": COMMISSIONER.id,
        "workshopId": OAK.id,
        "request": {
            "title": "Oak table 1", "brief": "For eight people",
            "budget": {"amount": "1500.00", "currency": "EUR"},
            "deadline": "2027-06-01T00:00:00Z", "revision": 1,
        },
        "invitations": [
            {"workshopId": OAK.id, "status": "confirmed", "invitedAt": "2027-01-01T00:00:00Z",
             "offer": offer(OAK)},
            {"workshopId": ELM.id, "status": "notSelected", "invitedAt": "2027-01-01T00:00:00Z",
             "offer": offer(ELM)},
        ],
        "terms": offer(OAK),
        "stages": [
            {"number": 1, "name": "Sketch", "description": "On paper", "durationDays": null,
             "requiresApproval": true, "status": "awaitingApproval", "completedAt": null},
            {"number": 2, "name": "Table", "description": "In oak", "durationDays": 30,
             "requiresApproval": false, "status": "pending", "completedAt": null},
        ],
        "currentStage": 1,
        "dispute": null,
        "createdAt": "2027-01-01T00:00:00Z",
        "updatedAt": "2027-01-01T05:00:00Z",
    });
    for viewer in [COMMISSIONER, OPERATOR, ANALYST] {
        let reply = scene
            .api
            .get(format!("/v1/orders/{order_id}"))
            .by(viewer)
            .send()
            .await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body, whole);
        assert_eq!(reply.header("etag"), Some("\"6\""));
        assert_eq!(
            reply.header("cache-control"),
            Some("private, no-cache, no-transform")
        );
        assert_eq!(reply.header("atlas-lag-seconds"), Some("0"));
        assert!(reply.header("atlas-position").is_some());
    }

    let winners = scene
        .api
        .get(format!("/v1/orders/{order_id}"))
        .by(OAK)
        .send()
        .await;
    let mut own = whole;
    own["invitations"].as_array_mut().unwrap().pop();
    assert_eq!(winners.body, own);
}

#[tokio::test]
async fn a_workshop_that_did_not_win_sees_its_own_seat() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    let reply = scene
        .api
        .get(format!("/v1/orders/{order_id}"))
        .by(ELM)
        .send()
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("etag"), Some("\"6\""));
    let seats = reply.body["invitations"].as_array().unwrap();
    assert_eq!(seats.len(), 1);
    assert_eq!(seats[0]["workshopId"], id(ELM));
    assert_eq!(seats[0]["offer"], offer(ELM));
    for hidden in ["workshopId", "terms", "currentStage", "dispute"] {
        assert_eq!(reply.body.get(hidden), Some(&Value::Null), "{hidden}");
    }
    assert_eq!(reply.body["stages"], json!([]));
}

#[tokio::test]
async fn a_rival_is_never_named() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    let paths = [
        "/v1/orders".to_owned(),
        format!("/v1/orders/{order_id}"),
        format!("/v1/orders/{order_id}/timeline"),
    ];
    for (me, rival) in [(OAK, ELM), (ELM, OAK)] {
        for path in &paths {
            let reply = scene.api.get(path).by(me).send().await;
            assert_eq!(reply.status, 200);
            let body = reply.body.to_string();
            assert!(
                !body.contains(&rival.id.to_string()),
                "{path} for {me}: {body}"
            );
        }
    }
}

#[tokio::test]
async fn who_is_no_party_finds_nothing() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    for viewer in [STRANGER, ASH] {
        for path in ["", "/timeline"] {
            let path = format!("/v1/orders/{order_id}{path}");
            let refused = scene.api.get(path).by(viewer).send().await;
            assert_eq!(refused.outcome(), "404 NOT_FOUND");
            assert!(refused.header("atlas-position").is_some());
            // Nothing tells an order that is another's from one that is not there.
            let missing = scene
                .api
                .get("/v1/orders/00000000-0000-0000-0000-000000000000");
            let missing = missing.by(viewer).send().await;
            assert_eq!(missing.body["detail"], refused.body["detail"]);
        }
    }
}

#[tokio::test]
async fn of_a_long_life_the_end_is_told_by_itself() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    let path = format!("/v1/orders/{order_id}/timeline");
    for (query, versions) in [
        ("?afterVersion=0", vec![1, 2, 3, 4, 5, 6]),
        ("?afterVersion=4", vec![5, 6]),
        ("?afterVersion=6", vec![]),
        ("?afterVersion=9223372036854775807", vec![]),
    ] {
        let reply = scene.api.get(path.clone() + query).by(COMMISSIONER);
        let reply = reply.send().await;
        let items = reply.body["items"].as_array().unwrap();
        let told = items.iter().map(|item| item["version"].as_i64().unwrap());
        assert_eq!(told.collect::<Vec<_>>(), versions, "{query}");
    }
    let first = scene.api.get(path.clone() + "?afterVersion=3&limit=1");
    let first = first.by(COMMISSIONER).send().await;
    assert_eq!(first.body["items"][0]["version"], 4);
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let next = scene.api.get(format!("{path}?limit=1&cursor={cursor}"));
    let next = next.by(COMMISSIONER).send().await;
    assert_eq!(next.body["items"][0]["version"], 5);
    for odd in ["-1", "one", "+1", "1.0", "9223372036854775808"] {
        let odd = scene.api.get(format!("{path}?afterVersion={odd}"));
        let odd = odd.by(COMMISSIONER).send().await;
        assert_eq!(odd.outcome(), "400 MALFORMED_REQUEST");
    }
}

#[tokio::test]
async fn the_timeline_tells_each_viewer_their_part() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    let path = format!("/v1/orders/{order_id}/timeline");
    for (viewer, versions) in [
        (COMMISSIONER, vec![1, 2, 3, 4, 5, 6]),
        (ANALYST, vec![1, 2, 3, 4, 5, 6]),
        (OAK, vec![1, 2, 5, 6]),
        (ELM, vec![1, 3, 5]),
    ] {
        let reply = scene.api.get(&path).by(viewer).send().await;
        let items = reply.body["items"].as_array().unwrap();
        let told: Vec<_> = items
            .iter()
            .map(|item| item["version"].as_i64().unwrap())
            .collect();
        assert_eq!(told, versions, "{viewer}");
        assert_eq!(reply.body["nextCursor"], Value::Null);
    }

    let reply = scene.api.get(&path).by(ELM).send().await;
    assert_eq!(
        reply.body["items"][2],
        json!({
            "version": 5,
            "event": "OfferConfirmed",
            "occurredAt": "2027-01-01T04:00:00Z",
            "actor": {"role": "commissioner", "id": COMMISSIONER.id},
            "onBehalfOf": null,
            "summary": "An offer was confirmed.",
            "data": {
                "orderId": order_id,
                "commissionerId": COMMISSIONER.id,
                "occurredAt": "2027-01-01T04:00:00Z",
                "workshopId": null,
                "terms": null,
                "notSelected": [ELM.id],
            },
        })
    );
}
