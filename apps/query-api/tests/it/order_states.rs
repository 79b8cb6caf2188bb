//! How many orders are in which state.

use serde_json::{Value, json};

use crate::people::{ANALYST, OPERATOR};
use crate::scene::Scene;
use crate::story::Story;

async fn counted(scene: &Scene) -> Value {
    let reply = scene.api.get("/v1/ops/order-states").by(ANALYST).send();
    let reply = reply.await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.header("atlas-position").is_some());
    let same = scene.api.get("/v1/ops/order-states").by(OPERATOR).send();
    assert_eq!(same.await.body, reply.body);
    reply.body["items"].clone()
}

fn states(negotiating: i64, in_progress: i64) -> Value {
    let count = |state: &str, orders: i64| json!({"state": state, "orders": orders, "more": false});
    json!([
        count("negotiating", negotiating),
        count("inProgress", in_progress),
        count("finished", 0),
        count("disputed", 0),
        count("completed", 0),
        count("cancelled", 0),
    ])
}

#[tokio::test]
async fn every_state_is_counted_also_where_there_is_none() {
    let (scene, _) = Scene::with_work_in_progress().await;
    assert_eq!(counted(&scene).await, states(0, 1));
    for number in 2..=4 {
        Story::placed(&scene.pool, number).await;
    }
    scene.catch_up().await;
    assert_eq!(counted(&scene).await, states(3, 1));
}

#[tokio::test]
async fn of_many_it_says_only_that_there_are_more() {
    const FILL: &str = "
        INSERT INTO \"orders@1\".orders
            (order_id, version, state, commissioner_id, title, budget_amount, budget_currency,
             deadline, request_revision, placed_at, updated_at, first_position, last_position)
        SELECT md5('order' || n)::uuid, 1, 'negotiating', md5('c')::uuid, 'Piece', 1000, 'EUR',
               '2029-01-01', 1, now(), now(), n, n
        FROM generate_series(1, $1) AS n";
    let scene = Scene::set().await;
    for (more, orders) in [(false, 10_000_i64), (true, 1)] {
        let fill = FILL.replace("$1", &orders.to_string());
        let fill = if more {
            fill.replace("'order'", "'one more'")
        } else {
            fill
        };
        sqlx::raw_sql(&fill)
            .execute(&scene.owner().await)
            .await
            .unwrap();
        let items = counted(&scene).await;
        let expected = json!({"state": "negotiating", "orders": 10_000, "more": more});
        assert_eq!(items[0], expected);
    }
}
