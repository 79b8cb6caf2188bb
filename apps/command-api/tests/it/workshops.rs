//! The directory: entries are entered, changed, and left as they are.

use event_store::PositionToken;
use serde_json::{Value, json};

use crate::api::Reply;
use crate::people::{OPERATOR, workshop};
use crate::scene::Scene;

async fn put(scene: &Scene, body: &Value) -> Reply {
    let path = format!("/v1/workshops/{}", workshop(1).id);
    scene.api.put(path).by(OPERATOR).json(body).send().await
}

#[tokio::test]
async fn an_entry_is_entered_then_changed_then_left() {
    let scene = Scene::set().await;
    let entry = json!({"name": "Hollow Oak", "acceptsCommissions": true});
    let changed = json!({"name": "Hollow Oak", "acceptsCommissions": false});

    let first = put(&scene, &entry).await;
    assert_eq!(first.status, 201);
    assert_eq!(first.body["workshopId"], workshop(1).id.to_string());
    assert_eq!(first.body["version"], 1);
    assert_eq!(first.header("etag"), Some("\"1\""));
    let names: Vec<_> = first.body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["position", "version", "workshopId"]);

    let second = put(&scene, &changed).await;
    assert_eq!(
        (second.status.as_u16(), &second.body["version"]),
        (200, &json!(2))
    );

    // The last write stands already, blanks at the ends or not: no event, and the place of the
    // one before.
    let padded = json!({"name": " Hollow Oak ", "acceptsCommissions": false});
    let third = put(&scene, &padded).await;
    assert_eq!(third.status, 200);
    assert_eq!(third.body, second.body);
    assert!(position(&second) > position(&first));
}

fn position(reply: &Reply) -> event_store::Position {
    let token = reply.body["position"].as_str().unwrap();
    PositionToken::decode(token).unwrap().position
}

#[tokio::test]
async fn a_repeat_under_a_key_is_answered_like_the_first_time() {
    let scene = Scene::set().await;
    let path = format!("/v1/workshops/{}", workshop(1).id);
    let entry = json!({"name": "Hollow Oak", "acceptsCommissions": true});
    let send = || {
        scene
            .api
            .put(path.as_str())
            .by(OPERATOR)
            .key("k")
            .json(&entry)
    };
    let first = send().send().await;
    let again = send().send().await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));

    // A 200 that changed nothing is recorded too.
    let unchanged = || {
        scene
            .api
            .put(path.as_str())
            .by(OPERATOR)
            .key("l")
            .json(&entry)
    };
    let first = unchanged().send().await;
    let again = unchanged().send().await;
    assert_eq!(
        (first.status.as_u16(), first.header("idempotency-replayed")),
        (200, None)
    );
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.body, first.body);
}

#[tokio::test]
async fn illegal_values_are_listed_together() {
    let scene = Scene::set().await;
    let reply = put(&scene, &json!({"name": " "})).await;
    let problem = reply.problem();
    assert_eq!(reply.outcome(), "422 VALIDATION_FAILED");
    assert_eq!(
        problem["errors"],
        json!([
            {
                "pointer": "/name",
                "detail": "must have 1 to 200 characters after trimming, and has 0",
            },
            {"pointer": "/acceptsCommissions", "detail": "is required"},
        ])
    );
}
