//! A workshop's inbox over HTTP.

use serde_json::{Value, json};

use crate::people::{ANALYST, ASH, COMMISSIONER, ELM, OAK, OPERATOR};
use crate::scene::Scene;
use crate::story::Story;

/// Three orders: one pending, one with offers of which the second was taken back, one won.
async fn three_orders() -> Scene {
    let scene = Scene::set().await;
    for day in 1..=3 {
        let mut story = Story::placed(&scene.pool, day).await;
        if day > 1 {
            story.offered(&scene.pool).await;
        }
        match day {
            2 => story.invited_again(&scene.pool).await,
            3 => story.confirmed(&scene.pool).await,
            _ => {}
        }
    }
    scene.catch_up().await;
    scene
}

fn column<'a>(body: &'a Value, key: &str) -> Vec<&'a Value> {
    let items = body["items"].as_array().unwrap();
    items.iter().map(|item| &item[key]).collect()
}

#[tokio::test]
async fn a_workshop_reads_its_own_invitations_the_last_first() {
    let scene = three_orders().await;
    let reply = scene.api.get("/v1/invitations").by(ELM).send().await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("atlas-position").is_some());
    assert_eq!(
        reply.body["items"][1],
        json!({
            "orderId": "00000000-0000-0000-0000-0000000000d2",
            "title": "Oak table 2",
            "commissionerId": COMMISSIONER.id,
            "status": "pending",
            "requestRevision": 1,
            "offerRevision": null,
            "outdated": false,
            "invitedAt": "2027-01-02T05:00:00Z",
            "yourTurn": true,
        })
    );
    assert_eq!(
        column(&reply.body, "status"),
        ["notSelected", "pending", "pending"]
    );
    let reply = scene.api.get("/v1/invitations").by(OAK).send().await;
    assert_eq!(
        column(&reply.body, "status"),
        ["confirmed", "offered", "pending"]
    );
    assert!(!reply.body.to_string().contains(&ELM.id.to_string()));
    let reply = scene.api.get("/v1/invitations").by(ASH).send().await;
    assert_eq!(reply.body, json!({"items": [], "nextCursor": null}));
}

#[tokio::test]
async fn an_offer_is_outdated_once_its_deadline_has_passed() {
    let scene = three_orders().await;
    scene.clock.set("2027-03-01T00:00:00Z");
    let reply = scene.api.get("/v1/invitations").by(OAK).send().await;
    let outdated: Vec<_> = column(&reply.body, "outdated");
    assert_eq!(outdated, [false, true, false]);
}

#[tokio::test]
async fn pages_belong_to_one_workshop_and_one_status() {
    let scene = three_orders().await;
    let get = async |path: String, by| scene.api.get(path).by(by).send().await;
    let first = get("/v1/invitations?status=pending&limit=1".to_owned(), ELM).await;
    assert_eq!(column(&first.body, "title"), ["Oak table 2"]);
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let path = format!("/v1/invitations?status=pending&limit=1&cursor={cursor}");
    let last = get(path.clone(), ELM).await;
    assert_eq!(column(&last.body, "title"), ["Oak table 1"]);
    assert_eq!(last.body["nextCursor"], Value::Null);
    for (path, by) in [
        (path, OAK),
        (format!("/v1/invitations?cursor={cursor}"), ELM),
        (format!("/v1/orders?cursor={cursor}"), ELM),
        ("/v1/invitations?status=lost".to_owned(), ELM),
    ] {
        let reply = get(path, by).await;
        assert_eq!(reply.outcome(), "400 MALFORMED_REQUEST");
    }
}

#[tokio::test]
async fn it_is_for_workshops_alone() {
    let scene = Scene::set().await;
    for viewer in [COMMISSIONER, OPERATOR, ANALYST] {
        let reply = scene.api.get("/v1/invitations").by(viewer).send().await;
        assert_eq!(reply.outcome(), "403 FORBIDDEN");
    }
}
