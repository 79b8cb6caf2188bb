//! Live streams: what a list shows, as it comes about; nothing twice, nothing left out.

use std::time::Duration;

use axum::http::StatusCode;
use event_store::PositionToken;
use kernel::Actor;
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use crate::api::Api;
use crate::frames::Frames;
use crate::people::{ANALYST, ASH, COMMISSIONER, ELM, OAK, OPERATOR};
use crate::scene::Scene;
use crate::story::Story;

async fn timeline(scene: &Scene, path: &str, actor: Actor) -> Vec<Value> {
    let reply = scene.api.get(path).by(actor).send().await;
    reply.body["items"].as_array().unwrap().clone()
}

fn path_of(story: &Story) -> String {
    format!("/v1/orders/{}/timeline", story.order_id)
}

#[tokio::test]
async fn a_stream_begins_now_and_tells_what_comes() {
    let scene = Scene::set().await;
    let mut story = Story::placed(&scene.pool, 1).await;
    scene.catch_up().await;
    let path = path_of(&story);
    let mut frames = Frames::open(&scene.api, &path, COMMISSIONER, None).await;
    assert_eq!(frames.until_caught_up().await, [json!(null); 0]);
    story.offered(&scene.pool).await;
    scene.catch_up().await;
    let told = frames.until_caught_up().await;
    assert_eq!(told, timeline(&scene, &path, COMMISSIONER).await[1..]);
}

#[tokio::test]
async fn it_goes_on_after_any_frame_and_with_what_occurred_since() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    let path = format!("/v1/orders/{order_id}/timeline");
    for actor in [COMMISSIONER, OPERATOR, ANALYST, OAK, ELM] {
        let all = timeline(&scene, &path, actor).await;
        let since = format!("{path}?since=2027-01-01T00:00:00Z");
        let mut whole = Frames::open(&scene.api, &since, actor, None).await;
        let mut ids = Vec::new();
        let mut items = Vec::new();
        while let Some(frame) = whole.next().await {
            if frame.event == "caught-up" {
                break;
            }
            ids.push(frame.id.unwrap());
            items.push(frame.data["item"].clone());
        }
        assert_eq!(items, all, "{actor}");
        for (passed, id) in (1..).zip(&ids) {
            let mut rest = Frames::open(&scene.api, &path, actor, Some(id)).await;
            assert_eq!(rest.until_caught_up().await, all[passed..], "{actor}");
        }
        // The instant is inclusive.
        for (index, item) in all.iter().enumerate() {
            let since = format!("{path}?since={}", item["occurredAt"].as_str().unwrap());
            let mut frames = Frames::open(&scene.api, &since, actor, None).await;
            assert_eq!(frames.until_caught_up().await, all[index..], "{actor}");
        }
    }
}

#[tokio::test]
async fn a_list_is_told_by_upserts_from_its_position_on() {
    let scene = Scene::set().await;
    let mut story = Story::placed(&scene.pool, 1).await;
    scene.catch_up().await;
    let list = scene.api.get("/v1/orders").by(COMMISSIONER).send().await;
    let position = list.header("atlas-position").unwrap().to_owned();
    story.offered(&scene.pool).await;
    let other = Story::placed(&scene.pool, 2).await;
    scene.catch_up().await;
    let mut frames = Frames::open(&scene.api, "/v1/orders", COMMISSIONER, Some(&position)).await;
    let told = frames.until_caught_up().await;
    let list = scene.api.get("/v1/orders").by(COMMISSIONER).send().await;
    let mut newest_last = list.body["items"].as_array().unwrap().clone();
    newest_last.reverse();
    assert_eq!(told, newest_last);
    assert_eq!(told[0]["orderId"], json!(story.order_id));
    assert_eq!(told[1]["orderId"], json!(other.order_id));
}

#[tokio::test]
async fn what_rivals_do_sends_a_workshop_nothing() {
    let scene = Scene::set().await;
    let mut story = Story::placed(&scene.pool, 1).await;
    scene.catch_up().await;
    let mut streams = Vec::new();
    for path in ["/v1/orders", "/v1/invitations", path_of(&story).as_str()] {
        let mut frames = Frames::open(&scene.api, path, ELM, None).await;
        assert_eq!(frames.until_caught_up().await.len(), 0);
        streams.push(frames);
    }
    story.declined_by(&scene.pool, OAK).await;
    scene.catch_up().await;
    for frames in &mut streams {
        assert!(frames.is_quiet().await);
    }
    story.declined_by(&scene.pool, ELM).await;
    scene.catch_up().await;
    for frames in &mut streams {
        assert_eq!(frames.until_caught_up().await.len(), 1);
    }
    // Who was never invited is told nothing of it at all.
    let since = "/v1/orders?since=2027-01-01T00:00:00Z";
    let mut stranger = Frames::open(&scene.api, since, ASH, None).await;
    assert_eq!(stranger.until_caught_up().await.len(), 0);
}

#[tokio::test]
async fn it_ends_with_its_token_and_with_its_server() {
    let (scene, _) = Scene::with_work_in_progress().await;
    let mut leaving = Frames::open(&scene.api, "/v1/orders", OPERATOR, None).await;
    leaving.until_caught_up().await;
    scene.api.close();
    assert_eq!(leaving.next().await.unwrap().event, "moved");
    assert_eq!(leaving.next().await, None);
    let late = scene.api.get("/v1/orders").by(OPERATOR);
    let late = late.header("accept", "text/event-stream").send().await;
    assert_eq!(late.status, 503);
    assert_eq!(late.body["code"], "OVERLOADED");
    assert_eq!(late.header("retry-after"), Some("1"));
    // What is short is answered as ever.
    let read = scene.api.get("/v1/orders").by(OPERATOR).send().await;
    assert_eq!(read.status, 200);

    let (scene, _) = Scene::with_work_in_progress().await;
    let mut frames = Frames::open(&scene.api, "/v1/orders", OPERATOR, None).await;
    frames.until_caught_up().await;
    // The token's own end, the leeway included, is in the year 2100.
    scene.clock.set("2100-01-01T00:01:00Z");
    scene.catch_up().await;
    let mut story = Story::placed(&scene.pool, 2).await;
    story.offered(&scene.pool).await;
    scene.catch_up().await;
    assert_eq!(frames.next().await, None);
}

#[tokio::test]
async fn a_position_of_another_store_is_to_be_read_anew() {
    let (scene, _) = Scene::with_work_in_progress().await;
    let list = scene.api.get("/v1/orders").by(OPERATOR).send().await;
    let mut token = PositionToken::decode(list.header("atlas-position").unwrap()).unwrap();
    token.generation.store = Uuid::from_u128(7);
    let position = token.encode();
    let mut frames = Frames::open(&scene.api, "/v1/orders", OPERATOR, Some(&position)).await;
    assert_eq!(frames.next().await.unwrap().event, "reset");
    assert_eq!(frames.next().await, None);
}

#[tokio::test]
async fn a_principal_has_eight_streams() {
    let (scene, _) = Scene::with_work_in_progress().await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(Frames::open(&scene.api, "/v1/orders", OPERATOR, None).await);
    }
    let one_more = || {
        let call = scene.api.get("/v1/orders").by(OPERATOR);
        call.header("accept", "text/event-stream").send_for_stream()
    };
    let refused = one_more().await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "1");
    Frames::open(&scene.api, "/v1/orders", ANALYST, None).await;
    drop(streams.pop());
    assert_eq!(one_more().await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_a_stream_does_not_take_is_refused() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    let timeline = format!("/v1/orders/{order_id}/timeline");
    for (path, after) in [
        ("/v1/orders?state=negotiating", None),
        ("/v1/orders?limit=2", None),
        ("/v1/orders?since=yesterday", None),
        ("/v1/orders", Some("(odd)")),
        (timeline.as_str(), Some("b2Rk")),
    ] {
        let mut call = scene.api.get(path).by(OPERATOR);
        call = call.header("accept", "text/event-stream");
        if let Some(id) = after {
            call = call.header("last-event-id", id);
        }
        let refused = call.send_for_stream().await;
        assert_eq!(
            refused.status(),
            StatusCode::BAD_REQUEST,
            "{path} {after:?}"
        );
    }
    let nobody = scene.api.get(timeline).by(ASH);
    let nobody = nobody.header("accept", "text/event-stream");
    assert_eq!(
        nobody.send_for_stream().await.status(),
        StatusCode::NOT_FOUND
    );
}

/// Of the facts that one event tells, the last alone has an id: who is cut off before it is told all of
/// them again, and who has it none.
#[tokio::test]
async fn what_one_event_tells_is_gone_on_from_as_one() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    sqlx::query(
        "INSERT INTO \"orders@1\".timeline
         SELECT order_id, version, 2::smallint, event_id, event, schema_version, data, actor_role,
                actor_id, on_behalf_of_role, on_behalf_of_id, occurred_at, recorded_at, position
         FROM \"orders@1\".timeline WHERE version = 3",
    )
    .execute(&scene.pool)
    .await
    .unwrap();
    let path = format!("/v1/orders/{order_id}/timeline");
    let since = format!("{path}?since=2027-01-01T00:00:00Z");
    let mut whole = Frames::open(&scene.api, &since, OPERATOR, None).await;
    let mut frames = Vec::new();
    for _ in 0..4 {
        frames.push(whole.next().await.unwrap());
    }
    let versions: Vec<_> = frames
        .iter()
        .map(|frame| frame.data["item"]["version"].as_i64().unwrap())
        .collect();
    assert_eq!(versions, [1, 2, 3, 3]);
    assert_eq!(frames[2].id, None);
    assert_eq!(frames[2].data["prev"], frames[3].data["prev"]);
    let after = |frame: usize| frames[frame].id.clone();
    for (id, first) in [(after(1), 3), (after(3), 4)] {
        let mut rest = Frames::open(&scene.api, &path, OPERATOR, id.as_deref()).await;
        let frame = rest.next().await.unwrap();
        assert_eq!(frame.data["item"]["version"], first);
    }
}

/// The first look is taken before there is an answer.
#[tokio::test]
async fn what_the_first_look_fails_with_is_a_problem_with_its_status() {
    let (scene, _) = Scene::with_work_in_progress().await;
    let owner = scene.owner().await;
    let rename = async |statement: &str| sqlx::query(statement).execute(&owner).await.unwrap();
    rename("ALTER TABLE \"orders@1\".timeline RENAME TO away").await;
    let since = "/v1/orders?since=2027-01-01T00:00:00Z";
    let call = || {
        let call = scene.api.get(since).by(OPERATOR);
        call.header("accept", "text/event-stream")
    };
    let refused = call().send().await;
    assert_eq!(refused.outcome(), "500 INTERNAL");
    // Nine failures take no place for good.
    for _ in 0..8 {
        assert_eq!(call().send().await.outcome(), "500 INTERNAL");
    }
    rename("ALTER TABLE \"orders@1\".away RENAME TO timeline").await;
    let mut frames = Frames::open(&scene.api, since, OPERATOR, None).await;
    assert_eq!(frames.until_caught_up().await.len(), 1);

    scene.pool.close().await;
    assert_eq!(call().send().await.outcome(), "503 STORE_UNAVAILABLE");
}

#[tokio::test]
async fn a_plan_that_a_migration_has_outdated_is_made_anew() {
    let (scene, _) = Scene::with_work_in_progress().await;
    let api = scene.instance_with_one_connection().await;
    let since = "/v1/orders?since=2027-01-01T00:00:00Z";
    let mut frames = Frames::open(&api, since, OPERATOR, None).await;
    let before = frames.until_caught_up().await;
    drop(frames);
    // Views stand on the column.
    let migration = "DROP VIEW read.orders CASCADE;
                     ALTER TABLE \"orders@1\".orders ALTER COLUMN title TYPE varchar(300)";
    sqlx::raw_sql(migration)
        .execute(&scene.owner().await)
        .await
        .unwrap();
    let mut frames = Frames::open(&api, since, OPERATOR, None).await;
    assert_eq!(frames.until_caught_up().await, before);
}

/// Readers that are cut off at random, each going on elsewhere with the id of its last frame, while
/// orders are written and the read model follows in batches of its own.
#[tokio::test(flavor = "multi_thread")]
async fn readers_that_are_cut_off_miss_nothing_and_have_nothing_twice() {
    let scene = Scene::set().await;
    let mut story = Story::placed(&scene.pool, 1).await;
    scene.catch_up().await;
    let path = path_of(&story);
    let elsewhere = scene.instance_with_two_connections(Duration::ZERO).await;
    let readers: Vec<_> = (0..20_u64)
        .map(|number| {
            let apis = [scene.api.clone(), elsewhere.clone()];
            let path = path.clone();
            let actor = [COMMISSIONER, OPERATOR, OAK, ELM][number as usize % 4];
            // At most eight of one principal at one process.
            tokio::spawn(async move { follow(apis, &path, actor, number).await })
        })
        .collect();
    for round in 0..40 {
        story.retitled(&scene.pool, round).await;
        if round % 3 == 0 {
            scene.catch_up().await;
        }
    }
    story.cancelled_long_ago(&scene.pool).await;
    scene.catch_up().await;
    for (number, reader) in readers.into_iter().enumerate() {
        let actor = [COMMISSIONER, OPERATOR, OAK, ELM][number % 4];
        let told = timeout(Duration::from_secs(60), reader)
            .await
            .unwrap()
            .unwrap();
        let path = format!("{path}?limit=200");
        assert_eq!(
            told,
            timeline(&scene, &path, actor).await,
            "reader {number}"
        );
    }
}

/// Follows an order from its beginning to its end, and is cut off after every few frames.
async fn follow(apis: [Api; 2], path: &str, actor: Actor, seed: u64) -> Vec<Value> {
    let mut told = Vec::new();
    let mut last = None::<String>;
    for turn in 0_u64.. {
        let api = &apis[(seed + turn) as usize % 2];
        let from_the_beginning = format!("{path}?since=2027-01-01T00:00:00Z");
        let mut frames = Frames::open(api, &from_the_beginning, actor, last.as_deref()).await;
        for _ in 0..(seed + turn * 7) % 5 + 1 {
            let Some(frame) = frames.next().await else {
                break;
            };
            last = frame.id.or(last);
            if frame.event == "message" {
                told.push(frame.data["item"].clone());
            }
            if told
                .last()
                .is_some_and(|it| it["event"] == "OrderCancelled")
            {
                return told;
            }
        }
    }
    told
}
