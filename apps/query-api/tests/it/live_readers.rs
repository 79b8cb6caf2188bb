//! The live stream of the readers of the feed: states, of which the newest counts.

use event_store::PositionToken;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::frames::Frames;
use crate::people::{ANALYST, COMMISSIONER, OPERATOR};
use crate::scene::Scene;
use crate::story::Story;

const PATH: &str = "/v1/ops/projections";

fn names(items: &[Value]) -> Vec<&str> {
    items
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn it_begins_with_every_reader_and_goes_on_with_those_that_moved() {
    let (scene, _) = Scene::with_work_in_progress().await;
    let list = scene.api.get(PATH).by(ANALYST).send().await;
    let mut frames = Frames::open(&scene.api, PATH, ANALYST, None).await;
    let first = frames.until_caught_up().await;
    assert_eq!(names(&first), ["bonus@1", "orders@1", "workshops@1"]);
    for (streamed, listed) in first.iter().zip(list.body["items"].as_array().unwrap()) {
        assert_eq!(streamed["position"], listed["position"]);
        assert_eq!(streamed["state"], listed["state"]);
    }
    Story::placed(&scene.pool, 2).await;
    scene.catch_up().await;
    loop {
        let moved = frames.until_caught_up().await;
        let orders = moved.iter().find(|item| item["name"] == "orders@1");
        if orders.is_some_and(|it| it["position"].as_i64() > first[1]["position"].as_i64()) {
            break;
        }
    }
    // Who comes back is told them all again.
    let last = frames.last_id.clone();
    let mut again = Frames::open(&scene.api, PATH, OPERATOR, last.as_deref()).await;
    assert_eq!(again.until_caught_up().await.len(), 3);
}

/// A reader that is gone is told by no item.
#[tokio::test]
async fn when_a_reader_is_gone_it_is_read_anew() {
    let (scene, _) = Scene::with_work_in_progress().await;
    let owner = scene.owner().await;
    sqlx::query("INSERT INTO store.checkpoints (name, generation) VALUES ('orders@2', 1)")
        .execute(&owner)
        .await
        .unwrap();
    let mut frames = Frames::open(&scene.api, PATH, OPERATOR, None).await;
    assert_eq!(frames.until_caught_up().await.len(), 4);
    sqlx::query("DELETE FROM store.checkpoints WHERE name = 'orders@2'")
        .execute(&owner)
        .await
        .unwrap();
    loop {
        let frame = frames.next().await.unwrap();
        if frame.event == "reset" {
            break;
        }
    }
    assert_eq!(frames.next().await, None);
}

#[tokio::test]
async fn it_has_no_past_and_is_for_those_who_may_read_it() {
    let (scene, _) = Scene::with_work_in_progress().await;
    let ask = async |path: &str, actor| {
        let call = scene.api.get(path).by(actor);
        let call = call.header("accept", "text/event-stream");
        call.send().await.outcome()
    };
    let since = format!("{PATH}?since=2027-01-01T00:00:00Z");
    assert_eq!(ask(&since, OPERATOR).await, "400 MALFORMED_REQUEST");
    assert_eq!(ask(PATH, COMMISSIONER).await, "403 FORBIDDEN");

    let mut frames = Frames::open(&scene.api, PATH, OPERATOR, None).await;
    frames.until_caught_up().await;
    let mut token = PositionToken::decode(frames.last_id.as_ref().unwrap()).unwrap();
    token.generation.store = Uuid::from_u128(7);
    let mut foreign = Frames::open(&scene.api, PATH, OPERATOR, Some(&token.encode())).await;
    let frame = foreign.next().await.unwrap();
    assert_eq!((frame.event.as_str(), &frame.data), ("reset", &json!({})));
}
