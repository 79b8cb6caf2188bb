//! `If-None-Match`: nothing new by the version, and what time alone makes new.

use crate::api::Reply;
use crate::people::{COMMISSIONER, ELM, OAK};
use crate::scene::Scene;
use crate::story::Story;

async fn read(scene: &Scene, story: &Story, viewer: kernel::Actor, seen: &str) -> Reply {
    let path = format!("/v1/orders/{}", story.order_id);
    let call = scene.api.get(path).by(viewer).header("if-none-match", seen);
    call.send().await
}

#[tokio::test]
async fn a_version_that_the_client_has_is_not_sent_again() {
    let scene = Scene::set().await;
    let story = Story::placed(&scene.pool, 1).await;
    scene.catch_up().await;
    for seen in ["\"1\"", "W/\"1\"", "\"0\", \"1\"", "*"] {
        let reply = read(&scene, &story, COMMISSIONER, seen).await;
        assert_eq!(reply.status, 304, "{seen}");
        assert_eq!(reply.header("etag"), Some("\"1\""));
        assert!(reply.header("atlas-position").is_some());
        assert_eq!(reply.body, serde_json::Value::Null);
    }
    for news in ["\"2\"", "1", ""] {
        assert_eq!(
            read(&scene, &story, COMMISSIONER, news).await.status,
            200,
            "{news}"
        );
    }
}

#[tokio::test]
async fn an_offer_that_time_has_outdated_is_told_at_every_read() {
    let scene = Scene::set().await;
    let mut story = Story::placed(&scene.pool, 1).await;
    story.offered(&scene.pool).await;
    scene.catch_up().await;
    let outdated = |reply: &Reply| reply.body["invitations"][0]["offer"]["outdated"].clone();

    assert_eq!(read(&scene, &story, OAK, "\"4\"").await.status, 304);
    assert_eq!(outdated(&read(&scene, &story, OAK, "").await), false);
    scene.clock.set("2027-03-01T00:00:00Z");
    for viewer in [OAK, COMMISSIONER] {
        let reply = read(&scene, &story, viewer, "\"4\"").await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("etag"), Some("\"4\""));
        assert_eq!(outdated(&reply), true);
    }

    // Once it is confirmed, or out of the running, nothing of it is outdated.
    story.confirmed(&scene.pool).await;
    scene.catch_up().await;
    for viewer in [OAK, ELM, COMMISSIONER] {
        assert_eq!(read(&scene, &story, viewer, "\"5\"").await.status, 304);
        assert_eq!(outdated(&read(&scene, &story, viewer, "").await), false);
    }
}
