//! Positions: what an answer contains at least, and how old it is.

use std::time::Duration;

use event_store::{Generation, Position, PositionToken, generation};
use serde_json::Value;
use uuid::Uuid;

use crate::api::Reply;
use crate::people::{ASH, COMMISSIONER, ELM, OPERATOR, STRANGER};
use crate::scene::Scene;
use crate::story::Story;

/// The token of the last event of the store, as a command's answer would carry it.
async fn last_position(scene: &Scene) -> PositionToken {
    let position: i64 = sqlx::query_scalar("SELECT max(position) FROM store.events")
        .fetch_one(&scene.pool)
        .await
        .unwrap();
    PositionToken {
        generation: here(scene).await,
        position: Position::new(position),
    }
}

/// The generation that the store is in.
async fn here(scene: &Scene) -> Generation {
    let mut connection = scene.pool.acquire().await.unwrap();
    generation::latest(&mut connection).await.unwrap()
}

async fn read(scene: &Scene, path: &str, least: PositionToken) -> Reply {
    let call = scene.api.get(path).by(COMMISSIONER);
    call.header("atlas-min-position", &least.encode())
        .send()
        .await
}

fn lag(reply: &Reply) -> f64 {
    reply.header("atlas-lag-seconds").unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_answer_says_how_far_it_has_come_and_how_old_it_is() {
    let scene = Scene::set().await;
    let empty = scene.api.get("/v1/orders").by(COMMISSIONER).send().await;
    assert_eq!(empty.body["items"], Value::Array(vec![]));
    assert_eq!(lag(&empty), 0.0);

    Story::placed(&scene.pool, 1).await;
    let behind = scene.api.get("/v1/orders").by(COMMISSIONER).send().await;
    assert_eq!(behind.body["items"], Value::Array(vec![]));
    assert!(lag(&behind) > 0.0);
    let token = PositionToken::decode(behind.header("atlas-position").unwrap()).unwrap();
    assert_eq!(token.position, Position::START);

    scene.catch_up().await;
    let current = scene.api.get("/v1/orders").by(COMMISSIONER).send().await;
    assert_eq!(current.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(lag(&current), 0.0);
    let token = PositionToken::decode(current.header("atlas-position").unwrap()).unwrap();
    assert_eq!(token, last_position(&scene).await);
}

#[tokio::test]
async fn what_has_not_come_so_far_in_time_says_so() {
    let scene = Scene::set().await;
    let story = Story::placed(&scene.pool, 1).await;
    let least = last_position(&scene).await;
    for path in [
        "/v1/orders".to_owned(),
        "/v1/workshops".to_owned(),
        format!("/v1/orders/{}", story.order_id),
        format!("/v1/orders/{}/timeline", story.order_id),
        format!("/v1/orders/{}/as-of?version=1", story.order_id),
        format!("/v1/bonus/accounts/{}", COMMISSIONER.id),
        format!("/v1/bonus/accounts/{}/ledger", COMMISSIONER.id),
    ] {
        let reply = read(&scene, &path, least).await;
        assert_eq!(reply.outcome(), "503 PROJECTION_LAGGING", "{path}");
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert_eq!(reply.body["retryable"], true);
    }
    scene.catch_up().await;
    let reply = read(&scene, &format!("/v1/orders/{}", story.order_id), least).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn a_read_waits_for_what_is_on_its_way() {
    let scene = Scene::waiting(Duration::from_secs(20)).await;
    let story = Story::placed(&scene.pool, 1).await;
    let least = last_position(&scene).await;
    let path = format!("/v1/orders/{}", story.order_id);
    let (reply, ()) = tokio::join!(read(&scene, &path, least), scene.catch_up());
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// Many wait, on fewer connections than they are.
#[tokio::test]
async fn who_waits_takes_no_connection_from_others() {
    let scene = Scene::set().await;
    let story = Story::placed(&scene.pool, 1).await;
    let least = last_position(&scene).await.encode();
    let api = scene
        .instance_with_two_connections(Duration::from_secs(20))
        .await;
    let path = format!("/v1/orders/{}", story.order_id);
    let waiting: Vec<_> = (0..30)
        .map(|_| {
            let call = api.get(&path).by(COMMISSIONER);
            tokio::spawn(call.header("atlas-min-position", &least).send())
        })
        .collect();
    let beside = api.get("/v1/orders").by(COMMISSIONER).send().await;
    assert_eq!(beside.status, 200);
    scene.catch_up().await;
    for waited in waiting {
        assert_eq!(waited.await.unwrap().status, 200);
    }
}

/// The checkpoint passes an event that waits; an answer that would show its order does not count as
/// having come so far.
#[tokio::test]
async fn a_token_of_an_event_that_waits_is_not_satisfied_by_the_checkpoint() {
    let scene = Scene::set().await;
    let mut story = Story::placed(&scene.pool, 1).await;
    let placed = last_position(&scene).await;
    story.gilded(&scene.pool).await;
    let gilded = last_position(&scene).await;
    story.offered(&scene.pool).await;
    let offered = last_position(&scene).await;
    Story::placed(&scene.pool, 2).await;
    let other = last_position(&scene).await;
    scene.catch_up().await;

    let ask = async |path: &str, by, least: PositionToken| {
        let call = scene.api.get(path).by(by);
        let call = call.header("atlas-min-position", &least.encode());
        call.send().await.outcome()
    };
    for (path, party) in [
        ("/v1/orders", COMMISSIONER),
        ("/v1/orders", OPERATOR),
        ("/v1/orders", ELM),
        ("/v1/invitations", ELM),
    ] {
        for waits in [gilded, offered] {
            let outcome = ask(path, party, waits).await;
            assert_eq!(outcome, "503 PROJECTION_LAGGING", "{path} by {party}");
        }
        // What came before and after it has been come to.
        for known in [placed, other] {
            assert_eq!(ask(path, party, known).await, "200", "{path} by {party}");
        }
    }
    // Whoever would not be shown the order has nothing to wait for.
    assert_eq!(ask("/v1/orders", STRANGER, gilded).await, "200");
    // Any workshop may have been invited to it by what waits, and asks with what it did since.
    let order = format!("/v1/orders/{}", story.order_id);
    for path in ["/v1/orders", "/v1/invitations", order.as_str()] {
        let outcome = ask(path, ASH, offered).await;
        assert_eq!(outcome, "503 PROJECTION_LAGGING", "{path}");
    }
    assert_eq!(ask(&order, ASH, placed).await, "404 NOT_FOUND");
    for path in [order.clone(), format!("{order}/timeline")] {
        let outcome = ask(&path, COMMISSIONER, gilded).await;
        assert_eq!(outcome, "503 UNREADABLE_EVENT", "{path}");
    }
    // Other read models have nothing that waits.
    assert_eq!(ask("/v1/workshops", COMMISSIONER, gilded).await, "200");
}

#[tokio::test]
async fn a_token_is_judged_before_anything_is_looked_for() {
    let scene = Scene::set().await;
    let story = Story::placed(&scene.pool, 1).await;
    scene.catch_up().await;
    let paths = [
        "/v1/orders".to_owned(),
        format!("/v1/orders/{}", story.order_id),
    ];
    let here = here(&scene).await;
    let foreign = [
        Generation { number: 2, ..here },
        Generation {
            store: Uuid::from_u128(7),
            ..here
        },
    ];
    for path in &paths {
        for odd in ["", "nonsense", "MC00MQ", "a b"] {
            let call = scene
                .api
                .get(path)
                .by(STRANGER)
                .header("atlas-min-position", odd);
            assert_eq!(
                call.send().await.outcome(),
                "400 MALFORMED_REQUEST",
                "{odd:?}"
            );
        }
        for generation in foreign {
            let position = Position::START;
            let token = PositionToken {
                generation,
                position,
            };
            let call = scene.api.get(path).by(STRANGER);
            let call = call.header("atlas-min-position", &token.encode());
            let reply = call.send().await;
            assert_eq!(reply.outcome(), "409 POSITION_FOREIGN");
            assert_eq!(reply.body["retryable"], false);
        }
    }
}

/// After a restore, a read model that has not entered the new generation has not come to any
/// position of it, and tokens of the old one mean nothing any more.
#[tokio::test]
async fn a_new_generation_makes_old_tokens_foreign() {
    let scene = Scene::set().await;
    Story::placed(&scene.pool, 1).await;
    scene.catch_up().await;
    let old = last_position(&scene).await;
    assert_eq!(read(&scene, "/v1/orders", old).await.status, 200);

    sqlx::query(
        "INSERT INTO store.generation (number, system_identifier, timeline)
         SELECT 2, system_identifier, timeline FROM store.generation",
    )
    .execute(&scene.owner().await)
    .await
    .unwrap();
    let new = PositionToken {
        generation: here(&scene).await,
        ..old
    };
    assert_eq!(new.generation.number, 2);
    assert_eq!(
        read(&scene, "/v1/orders", old).await.outcome(),
        "409 POSITION_FOREIGN"
    );
    assert_eq!(
        read(&scene, "/v1/orders", new).await.outcome(),
        "503 PROJECTION_LAGGING"
    );
    scene.catch_up().await;
    assert_eq!(read(&scene, "/v1/orders", new).await.status, 200);
    let reply = scene.api.get("/v1/orders").by(OPERATOR).send().await;
    assert_eq!(reply.header("atlas-position"), Some(new.encode().as_str()));
}
