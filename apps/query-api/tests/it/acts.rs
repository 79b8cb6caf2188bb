//! What operators and analysts are shown of operators' acts.

use event_store::acts::{self, ActId, ActKind, NewAct};
use serde_json::{Value, json};

use crate::dead_letters::plans;
use crate::people::{ANALYST, OPERATOR};
use crate::scene::Scene;

const ACTS: &str = "/v1/ops/acts";

async fn act(scene: &Scene, number: i32) -> ActId {
    let act = NewAct {
        kind: ActKind::Redrive,
        operator: OPERATOR.id,
        reason: format!("reason \u{1b}[31m \u{202e} {number}"),
        subject: json!({"selection": {"code": "INVALID_JSON"}, "count": number}),
    };
    let mut transaction = scene.pool.begin().await.unwrap();
    let id = acts::record(&mut transaction, &act).await.unwrap();
    transaction.commit().await.unwrap();
    id
}

fn counts(body: &Value) -> Vec<i64> {
    let items = body["items"].as_array().unwrap().iter();
    items
        .map(|item| item["subject"]["count"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn an_act_says_who_did_what_and_why_and_what_came_of_it() {
    let scene = Scene::set().await;
    let first = act(&scene, 1).await;
    let second = act(&scene, 2).await;
    let result = json!({"sent": 2, "closed": 1});
    let mut connection = scene.pool.acquire().await.unwrap();
    acts::ended(&mut connection, first, OPERATOR.id, result.clone())
        .await
        .unwrap();
    for viewer in [OPERATOR, ANALYST] {
        let reply = scene.api.get(ACTS).by(viewer).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(counts(&reply.body), [2, 1]);
        let [newer, older] = [&reply.body["items"][0], &reply.body["items"][1]];
        assert_eq!(
            (&newer["actId"], &newer["result"]),
            (&json!(second.as_uuid()), &json!(null))
        );
        assert_eq!(
            (&older["actId"], &older["result"]),
            (&json!(first.as_uuid()), &result)
        );
        assert_eq!(
            (&older["act"], &older["operator"], &older["reason"]),
            (
                &json!("redrive"),
                &json!(OPERATOR.id),
                &json!("reason \u{1b}[31m \u{202e} 1")
            )
        );
        assert!(older["when"].as_str().unwrap().ends_with('Z'), "{older}");
        assert_eq!(reply.body["nextCursor"], Value::Null);
    }
}

#[tokio::test]
async fn a_walk_has_each_act_once_while_others_come() {
    let scene = Scene::set().await;
    for number in 1..=10 {
        act(&scene, number).await;
    }
    let mut seen = Vec::new();
    let mut path = format!("{ACTS}?limit=3");
    loop {
        let body = scene.api.get(&path).by(OPERATOR).send().await.body;
        seen.extend(counts(&body));
        act(&scene, 100).await;
        let Some(cursor) = body["nextCursor"].as_str() else {
            break;
        };
        path = format!("{ACTS}?limit=3&cursor={cursor}");
    }
    assert_eq!(seen, (1..=10).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn the_acts_among_many_events_are_found_by_an_index() {
    let scene = Scene::set().await;
    let owner = scene.owner().await;
    act(&scene, 1).await;
    sqlx::raw_sql(
        "INSERT INTO store.events (position, event_id, aggregate_type, aggregate_id, sequence,
                                   event_type, event_version, payload, metadata,
                                   recorded_at)
         SELECT position + n, gen_random_uuid(), 'counter', 'many', n, 'Counted', '1.0', '{}',
                metadata, recorded_at
         FROM store.events, generate_series(1, 20000) n
         WHERE event_type = 'OperatorActed'",
    )
    .execute(&owner)
    .await
    .unwrap();
    sqlx::raw_sql("VACUUM ANALYZE store.events")
        .execute(&owner)
        .await
        .unwrap();
    let (api, pool) = scene.instance_and_its_connection().await;
    let reply = api.get(ACTS).by(OPERATOR).send().await;
    assert_eq!(counts(&reply.body), [1]);
    let plans = plans(&pool, "OperatorActed", |_| "9223372036854775807, 51").await;
    assert_eq!(plans.len(), 1, "{plans:?}");
    for (statement, plan) in plans {
        assert!(!plan.contains("Seq Scan"), "{statement}\n{plan}");
    }
}
