//! What operators and analysts are shown of operators' acts.

use event_store::acts::{
    self, ActId, ActKind, Counted, End, EndState, Letters, NewAct, NewRequest, Requested,
    Undertaking, take_in,
};
use event_store::{Append, StreamId, Version, append};
use kernel::{Actor, Metadata};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::dead_letters::plans;
use crate::people::{ANALYST, OPERATOR};
use crate::scene::Scene;

const ACTS: &str = "/v1/ops/acts";

pub(crate) async fn act(scene: &Scene, number: i32) -> ActId {
    let act = NewAct {
        kind: ActKind::Redrive,
        operator: OPERATOR.id,
        reason: format!("reason \u{1b}[31m \u{202e} {number}"),
        subject: json!({"selection": {"code": "INVALID_JSON"}, "count": number}),
        request: None,
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
        assert_eq!(older["request"], Value::Null);
        let path = format!("{ACTS}/{}", older["actId"].as_str().unwrap());
        let one = scene.api.get(path).by(viewer).send().await;
        assert_eq!((one.status.as_u16(), &one.body), (200, older));
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
        assert!(!plan.contains("Seq Scan on events"), "{statement}\n{plan}");
    }
}

/// A request of a preview, as the first event of its operator's stream.
async fn ask(scene: &Scene) -> ActId {
    let request = NewRequest {
        requested: Requested::RedrivePreview(Letters {
            code: Some("INVALID_JSON".to_owned()),
            ..Letters::default()
        }),
        operator: OPERATOR.id,
        reason: "to see".to_owned(),
        key: "k".to_owned(),
    };
    let metadata = Metadata {
        actor: None,
        on_behalf_of: None,
        correlation_id: Uuid::nil(),
        causation_id: None,
        traceparent: None,
        idempotency_key: None,
    };
    let stream = StreamId::operator(OPERATOR.id);
    let event = request.event(Version::NONE, metadata);
    let one = Append::to(stream, Version::NONE, vec![event]);
    let mut connection = scene.pool.acquire().await.unwrap();
    append(&mut connection, &one).await.unwrap();
    NewRequest::id_at(OPERATOR.id, Version::new(1), "k")
}

/// What the list and the detail say of an act.
async fn both(scene: &Scene, id: ActId, viewer: Actor) -> [Value; 2] {
    let list = scene.api.get(ACTS).by(viewer).send().await.body;
    let one = scene
        .api
        .get(format!("{ACTS}/{id}"))
        .by(viewer)
        .send()
        .await;
    assert_eq!(one.status, 200, "{one:?}");
    [list["items"][0].clone(), one.body]
}

#[tokio::test]
async fn a_request_is_shown_from_its_asking_to_its_end() {
    let scene = Scene::set().await;
    let id = ask(&scene).await;
    let waits = json!({
        "state": "requested", "progress": null, "said": [], "exitCode": null,
        "startedAt": null, "endedAt": null, "facts": [],
    });
    for shown in both(&scene, id, OPERATOR).await {
        assert_eq!(shown["act"], "redrivePreview");
        assert_eq!(shown["subject"], json!({"code": "INVALID_JSON"}));
        assert_eq!(
            (&shown["request"], &shown["result"]),
            (&waits, &Value::Null)
        );
    }

    let mut connection = scene.pool.acquire().await.unwrap();
    take_in(&mut connection).await.unwrap();
    let undertaking = Undertaking::next(&mut connection, "a").await.unwrap();
    let undertaking = undertaking.unwrap();
    let counted = Counted {
        what: "dead letters".to_owned(),
        done: 3,
        total: 12,
        rate: 1.5,
    };
    let said = ["of 700 dead letters the first 100 are shown".to_owned()];
    let noted = undertaking.progress(&mut connection, Some(&counted), &said);
    assert!(noted.await.unwrap());
    for shown in both(&scene, id, OPERATOR).await {
        let request = &shown["request"];
        assert_eq!(request["state"], "running");
        let progress = json!({
            "what": "dead letters", "done": 3, "total": 12, "ratePerSecond": 1.5,
        });
        assert_eq!(
            (&request["progress"], &request["said"]),
            (&progress, &json!(said))
        );
        assert!(request["startedAt"].is_string() && request["endedAt"].is_null());
    }

    let quoted = json!({"changes": [{"table": "comes back"}], "letters": 700, "shown": 100});
    let lasting = json!({"letters": 700, "shown": 100});
    let end = End {
        state: EndState::Done,
        exit_code: 0,
        result: quoted.clone(),
        lasting: Some(lasting.clone()),
    };
    let ended = undertaking.end(&mut connection, &end, &said);
    assert!(ended.await.unwrap());
    let [listed, whole] = both(&scene, id, OPERATOR).await;
    assert_eq!((&listed["result"], &whole["result"]), (&lasting, &quoted));
    for shown in [listed, whole] {
        let request = &shown["request"];
        assert_eq!(
            (&request["state"], &request["exitCode"]),
            (&json!("done"), &json!(0))
        );
        assert!(request["endedAt"].is_string());
    }
    // What is quoted from dead letters is not for analysts, who do not see these.
    for shown in both(&scene, id, ANALYST).await {
        assert_eq!(
            (&shown["result"], &shown["request"]["said"]),
            (&Value::Null, &json!([]))
        );
        assert_eq!(shown["request"]["state"], "done");
    }
}

#[tokio::test]
async fn what_carried_out_a_request_is_told_with_it() {
    let scene = Scene::set().await;
    let id = ask(&scene).await;
    let fact = NewAct {
        kind: ActKind::Redrive,
        operator: OPERATOR.id,
        reason: "to see".to_owned(),
        subject: json!({"count": 3}),
        request: Some(id),
    };
    let mut connection = scene.pool.acquire().await.unwrap();
    let fact = acts::record(&mut connection, &fact).await.unwrap();
    let list = scene.api.get(ACTS).by(OPERATOR).send().await.body;
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    let facts = &list["items"][0]["request"]["facts"];
    assert_eq!(
        (&facts[0]["act"], &facts[0]["actId"], &facts[0]["subject"]),
        (
            &json!("redrive"),
            &json!(fact.as_uuid()),
            &json!({"count": 3})
        )
    );
    assert!(facts[0]["when"].as_str().unwrap().ends_with('Z'), "{facts}");
}

#[tokio::test]
async fn an_act_that_is_not_there_is_not_found() {
    let scene = Scene::set().await;
    for (path, outcome) in [
        (format!("{ACTS}/{}", OPERATOR.id), "404 NOT_FOUND"),
        (format!("{ACTS}/x"), "400 MALFORMED_REQUEST"),
    ] {
        let reply = scene.api.get(path).by(OPERATOR).send().await;
        assert_eq!(reply.outcome(), outcome);
    }
}
