//! Whose turn it is, and what everybody could do.

use kernel::Actor;
use serde_json::{Value, json};

use crate::people::{ANALYST, ASH, COMMISSIONER, ELM, OAK, OPERATOR, STRANGER};
use crate::scene::Scene;
use crate::story::Story;

async fn situation(scene: &Scene, order_id: impl std::fmt::Display, actor: Actor) -> Value {
    let path = format!("/v1/orders/{order_id}/situation");
    let reply = scene.api.get(path).by(actor).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body
}

/// The commands that are allowed.
fn allowed(situation: &Value) -> Vec<&str> {
    let commands = situation["commands"].as_array().unwrap().iter();
    let allowed = commands.filter(|command| command["allowed"] == true);
    allowed.map(|it| it["command"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_party_is_told_whose_turn_it_is_and_what_it_could_do() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    let owner = situation(&scene, order_id, COMMISSIONER).await;
    assert_eq!(owner["turn"], "yours");
    assert_eq!(owner["since"], "2027-01-01T04:00:00Z");
    assert_eq!(
        owner["waitsFor"],
        json!([{
            "role": "commissioner", "id": COMMISSIONER.id, "what": "approveStage",
            "since": "2027-01-01T05:00:00Z",
        }])
    );
    assert_eq!(
        owner["sentence"],
        "The order waits for you to approve stage 1, or to ask for changes."
    );
    assert_eq!(
        allowed(&owner),
        ["ApproveStage", "RequestStageChanges", "CancelOrder"]
    );
    let confirm = &owner["commands"][2];
    assert_eq!(confirm["command"], "ConfirmOffer");
    assert_eq!(confirm["code"], "ILLEGAL_TRANSITION");
    assert_eq!(
        confirm["detail"],
        "ConfirmOffer is not allowed while the order is inProgress, only while it is negotiating"
    );

    let works = situation(&scene, order_id, OAK).await;
    assert_eq!(
        (&works["turn"], allowed(&works)),
        (&json!("theirs"), vec!["CancelOrder"])
    );

    // Who was not chosen is told nothing of the work that it could not have been told.
    let rival = situation(&scene, order_id, ELM).await;
    assert_eq!(rival["turn"], "nobody");
    assert_eq!(rival["waitsFor"], json!([]));
    assert_eq!(allowed(&rival), [""; 0]);
    assert!(!rival.to_string().contains(&OAK.id.to_string()), "{rival}");

    let operator = situation(&scene, order_id, OPERATOR).await;
    assert_eq!(operator["turn"], "theirs");
    assert_eq!(
        allowed(&operator),
        ["ApproveStage", "RequestStageChanges", "CancelOrder"]
    );
    let analyst = situation(&scene, order_id, ANALYST).await;
    assert_eq!(analyst["commands"], json!([]));
    assert_eq!(analyst["house"]["parked"], false);
}

#[tokio::test]
async fn a_workshop_is_told_of_a_negotiation_as_if_it_were_alone_in_it() {
    let scene = Scene::set().await;
    let mut story = Story::placed(&scene.pool, 1).await;
    story.offered(&scene.pool).await;
    scene.catch_up().await;
    let owner = situation(&scene, story.order_id, COMMISSIONER).await;
    assert_eq!(owner["byTime"].as_array().unwrap().len(), 2);
    let one = situation(&scene, story.order_id, OAK).await;
    assert_eq!(
        one["byTime"],
        json!([{"what": "offerOutdated", "at": "2027-03-01T00:00:00Z"}])
    );
    assert_eq!(
        one["sentence"],
        "The order waits for the commissioner to choose an offer."
    );
    assert_eq!(allowed(&one), ["ReviseOffer", "WithdrawOffer"]);
    // Past its deadline the offer cannot be confirmed, and nothing follows by time any more.
    scene.clock.set("2027-03-01T00:00:00Z");
    let late = situation(&scene, story.order_id, COMMISSIONER).await;
    assert_eq!(late["byTime"], json!([]));
    let codes: Vec<_> = late["commands"].as_array().unwrap().iter().collect();
    let confirm = codes
        .iter()
        .find(|it| it["command"] == "ConfirmOffer")
        .unwrap();
    assert_eq!(confirm["code"], "OFFER_OUTDATED");
}

/// The orders in a list that say it is the viewer's turn, and those that a filter gives.
async fn turns(scene: &Scene, path: &str, actor: Actor) -> (Vec<bool>, usize) {
    let list = scene.api.get(path).by(actor).send().await;
    let items = list.body["items"].as_array().unwrap().clone();
    let mine = scene
        .api
        .get(format!("{path}?turn=mine"))
        .by(actor)
        .send()
        .await;
    let found = mine.body["items"].as_array().unwrap();
    assert!(
        found.iter().all(|item| item["yourTurn"] != false),
        "{found:?}"
    );
    let yours = items.iter().map(|item| item["yourTurn"] == true).collect();
    (yours, found.len())
}

#[tokio::test]
async fn lists_say_and_find_whose_turn_it_is() {
    let scene = Scene::set().await;
    let mut first = Story::placed(&scene.pool, 1).await;
    first.offered(&scene.pool).await;
    Story::placed(&scene.pool, 2).await;
    scene.catch_up().await;
    // The second order, which is the newer one, waits for the workshops, the first for its owner.
    let orders = "/v1/orders";
    assert_eq!(
        turns(&scene, orders, COMMISSIONER).await,
        (vec![false, true], 1)
    );
    for workshop in [OAK, ELM] {
        assert_eq!(
            turns(&scene, orders, workshop).await,
            (vec![true, false], 1)
        );
        let inbox = "/v1/invitations";
        assert_eq!(turns(&scene, inbox, workshop).await, (vec![true, false], 1));
    }
    for actor in [OPERATOR, ANALYST] {
        assert_eq!(turns(&scene, orders, actor).await, (vec![false, false], 0));
    }
    for actor in [ASH, STRANGER] {
        assert_eq!(turns(&scene, orders, actor).await, (vec![], 0));
    }
    let odd = scene.api.get("/v1/orders?turn=theirs").by(OAK).send().await;
    assert_eq!(odd.outcome(), "400 MALFORMED_REQUEST");
}

#[tokio::test]
async fn a_list_names_the_parameters_that_it_does_not_read_or_refuses_them() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    let timeline = format!("/v1/orders/{order_id}/timeline");
    let paths = [
        "/v1/orders",
        timeline.as_str(),
        "/v1/workshops",
        "/v1/ops/dead-letters",
        "/v1/ops/dead-letters/groups",
        "/v1/ops/acts",
    ];
    for path in paths {
        let stray = format!("{path}?stat=negotiating&limit=2&stat=finished");
        let list = scene.api.get(stray.as_str()).by(OPERATOR).send().await;
        assert_eq!(list.body["ignored"], json!(["stat"]), "{path}");
        let known = format!("{path}?limit=2");
        let list = scene.api.get(known).by(OPERATOR).send().await;
        assert_eq!(list.body["ignored"], Value::Null, "{path}");
        let call = scene
            .api
            .get(stray)
            .by(OPERATOR)
            .header("prefer", "handling=strict");
        let refused = call.send().await;
        assert_eq!(refused.outcome(), "400 MALFORMED_REQUEST", "{path}");
    }
    let account = format!("/v1/bonus/accounts/{}", COMMISSIONER.id);
    for path in [
        format!("/v1/orders/{order_id}"),
        format!("/v1/orders/{order_id}/situation"),
        format!("{account}/explain"),
        account,
        "/v1/bonus/policies/1".to_owned(),
        "/v1/ops/projections".to_owned(),
        format!("/v1/ops/dead-letters/{order_id}"),
    ] {
        let call = scene.api.get(format!("{path}?stat=x")).by(OPERATOR);
        let refused = call.header("prefer", "handling=strict").send().await;
        assert_eq!(refused.outcome(), "400 MALFORMED_REQUEST", "{path}");
    }
    let call = scene.api.get("/v1/orders?stat=negotiating").by(OPERATOR);
    let refused = call.header("prefer", "handling=strict").send().await;
    assert_eq!(
        refused.body["detail"],
        "the parameter \"stat\" is not read here; state may be meant"
    );
}
