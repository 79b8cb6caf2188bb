//! What was stored under other rules than those of today is told as it stands.

use serde_json::{Value, json};

use crate::people::{COMMISSIONER, ELM, OAK};
use crate::scene::Scene;
use crate::story::{Story, registered};

/// Five stages more than an offer may have today; their names hold a control character.
fn stages() -> Value {
    let stages = (1..=25).map(|number| {
        json!({"name": format!("Stage\u{7} {number}"), "description": "As agreed",
               "durationDays": 30, "requiresApproval": number == 1})
    });
    stages.collect()
}

fn title() -> String {
    "x".repeat(250)
}

/// An order in `currency` whose first stage waits for approval.
async fn told(scene: &Scene, day: u32, currency: &str) -> Story {
    let budget = json!({"amount": "1500.00", "currency": currency});
    let request = json!({
        "title": title(), "brief": "For\u{1b} eight", "budget": budget,
        "deadline": "2027-06-01T00:00:00Z", "revision": 1,
    });
    let offer = json!({
        "budget": budget, "deadline": "2027-03-01T00:00:00Z", "description": "Solid oak",
        "requestRevision": 1, "offerRevision": 1, "stages": stages(),
    });
    let facts = [
        (
            COMMISSIONER,
            "OrderPlaced",
            json!({"request": request, "workshops": [OAK.id, ELM.id]}),
        ),
        (
            OAK,
            "OfferSubmitted",
            json!({"workshopId": OAK.id, "offer": offer}),
        ),
        (
            ELM,
            "InvitationDeclined",
            json!({"workshopId": ELM.id, "reason": "y".repeat(3_000)}),
        ),
        (ELM, "AllResponsesReceived", json!({"standing": [OAK.id]})),
        (
            COMMISSIONER,
            "OfferConfirmed",
            json!({"workshopId": OAK.id, "terms": offer, "notSelected": []}),
        ),
        (
            OAK,
            "StageMarkedComplete",
            json!({"workshopId": OAK.id, "stage": 1, "name": "Stage\u{7} 1",
                   "status": "awaitingApproval"}),
        ),
    ];
    let mut story = Story::untold(day);
    for (actor, name, fields) in facts {
        story.tell(&scene.pool, actor, name, fields).await;
    }
    story
}

#[tokio::test]
async fn an_order_under_the_rules_of_another_day_is_told_as_it_stands() {
    let scene = Scene::set().await;
    for (day, currency) in [(1, "HRK"), (2, "ZWL")] {
        let order_id = told(&scene, day, currency).await.order_id;
        scene.catch_up().await;
        let order = format!("/v1/orders/{order_id}");
        let budget = json!({"amount": "1500.00", "currency": currency});

        for path in [order.clone(), format!("{order}/as-of?version=6")] {
            let reply = scene.api.get(&path).by(COMMISSIONER).send().await;
            assert_eq!(reply.status, 200, "{path} {reply:?}");
            let shown = reply.body;
            assert_eq!(shown["request"]["title"], title());
            assert_eq!(shown["request"]["brief"], "For\u{1b} eight");
            assert_eq!(shown["request"]["budget"], budget);
            assert_eq!(shown["terms"]["budget"], budget);
            assert_eq!(shown["stages"].as_array().unwrap().len(), 25);
            assert_eq!(shown["stages"][24]["name"], "Stage\u{7} 25");
            assert_eq!(shown["currentStage"], 1);
        }
        let path = format!("{order}/timeline");
        let timeline = scene.api.get(&path).by(COMMISSIONER).send().await.body;
        let data = |item: usize| &timeline["items"][item]["data"];
        assert_eq!(data(0)["request"]["title"], title());
        assert_eq!(data(1)["offer"]["budget"], budget);
        assert_eq!(data(2)["reason"], "y".repeat(3_000));

        let list = scene.api.get("/v1/orders").by(OAK).send().await.body;
        assert_eq!(list["items"][0]["orderId"], json!(order_id));
        assert_eq!(list["items"][0]["request"]["budget"], budget);
        let inbox = scene.api.get("/v1/invitations").by(OAK).send().await.body;
        assert_eq!(inbox["items"][0]["title"], title());
    }
}

#[tokio::test]
async fn a_workshop_under_the_rules_of_another_day_is_listed_as_it_stands() {
    let scene = Scene::set().await;
    let name = "Oak\u{7} & Elm ".repeat(30);
    registered(&scene.pool, OAK, &name, true).await;
    scene.catch_up().await;
    let list = scene.api.get("/v1/workshops").by(COMMISSIONER).send().await;
    assert_eq!(list.body["items"][0]["name"], name);
}
