//! What operators and analysts are told of read models: what is served, how well it is proved, and
//! how far the last rebuild is.

use std::time::Duration;

use projections::Model;
use projections::rebuild::{Authority, Plan, Rebuild, RebuildError, Rebuilder, SwapPlan};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::people::{ANALYST, OPERATOR};
use crate::scene::Scene;

async fn of_orders(scene: &Scene) -> Value {
    let reply = scene.api.get("/v1/ops/rebuilds").by(OPERATOR).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let same = scene.api.get("/v1/ops/rebuilds").by(ANALYST).send().await;
    assert_eq!(same.body, reply.body);
    let items = reply.body["items"].as_array().unwrap();
    let found = items.iter().find(|item| item["model"] == "orders");
    found.unwrap().clone()
}

fn authority() -> Authority {
    Authority {
        operator: Uuid::from_u128(0xa11a),
        reason: "The titles were cut".to_owned(),
        request: None,
    }
}

fn rebuilder(scene: &Scene) -> Rebuilder {
    Rebuilder {
        pool: scene.pool.clone(),
        connect: scene.connect(),
        owner: "host/1".to_owned(),
        lease: Duration::from_secs(10),
    }
}

async fn begun(scene: &Scene) -> Rebuild {
    let plan = Plan {
        model: Model::Orders,
        authority: authority(),
        takes_up_failed: false,
    };
    let stop = CancellationToken::new();
    let claimed = rebuilder(scene).claim(&plan, &stop).await;
    claimed.unwrap().0
}

async fn finished(mut rebuild: Rebuild) -> Result<(), RebuildError> {
    rebuild.build(None, &mut |_| {}).await?;
    rebuild.index(&mut |_| {}).await?;
    let check = rebuild.check(&mut |_| {}).await?;
    let plan = SwapPlan {
        accept: None,
        keep: true,
        authority: authority(),
    };
    rebuild.swap(check, &plan, &mut |_| {}).await?;
    rebuild.clear(&mut |_| {}).await?;
    rebuild.release().await.unwrap();
    Ok(())
}

async fn as_owner(scene: &Scene, statement: &str) {
    let owner = scene.owner().await;
    sqlx::raw_sql(statement).execute(&owner).await.unwrap();
}

#[tokio::test]
async fn what_no_rebuild_has_made_is_not_verified() {
    let (scene, _) = Scene::with_work_in_progress().await;
    let expected = json!({
        "model": "orders",
        "served": "orders@1",
        "kept": null,
        "proof": "notVerified",
        "certificate": null,
        "rebuild": null,
    });
    assert_eq!(of_orders(&scene).await, expected);
}

#[tokio::test]
async fn a_rebuild_proves_what_it_has_compared_until_another_release_serves() {
    let (scene, _) = Scene::with_work_in_progress().await;
    let rebuild = begun(&scene).await;
    let shown = of_orders(&scene).await;
    assert_eq!(shown["proof"], "notVerified");
    assert_eq!(shown["rebuild"]["state"], "building");
    assert_eq!(shown["rebuild"]["owner"], "host/1");
    assert_eq!(shown["rebuild"]["reason"], "The titles were cut");
    assert_eq!(shown["rebuild"]["certificate"], Value::Null);

    finished(rebuild).await.unwrap();
    let shown = of_orders(&scene).await;
    assert_eq!(
        (&shown["served"], &shown["kept"], &shown["proof"]),
        (&json!("orders@2"), &json!("orders@1"), &json!("verified"))
    );
    let certificate = &shown["certificate"];
    assert_eq!(certificate["verdict"], "equal");
    assert_eq!(certificate["differing"], 0);
    assert!(certificate["events"].as_i64().unwrap() > 0, "{certificate}");
    let tables = certificate["tables"].as_array().unwrap();
    let orders = tables.iter().find(|it| it["table"] == "orders").unwrap();
    assert_eq!(
        (&orders["rows"], &orders["rowsBefore"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(orders["digest"], orders["digestBefore"]);
    // It stands above.
    assert_eq!(shown["rebuild"]["certificate"], Value::Null);

    let before_a_restore = "UPDATE read.rebuilds
        SET certificate = jsonb_set(certificate, '{generation}', '0')";
    as_owner(&scene, before_a_restore).await;
    assert_eq!(of_orders(&scene).await["proof"], "stale");

    let of_another = "UPDATE read.rebuilds
        SET certificate = jsonb_set(jsonb_set(certificate, '{generation}', '1'),
                                    '{code}', '\"0.0.1\"')";
    as_owner(&scene, of_another).await;
    let shown = of_orders(&scene).await;
    assert_eq!(
        (&shown["proof"], &shown["certificate"]["code"]),
        (&json!("stale"), &json!("0.0.1"))
    );
    as_owner(
        &scene,
        "UPDATE read.rebuilds SET certificate = '{\"of\": \"old\"}'",
    )
    .await;
    let shown = of_orders(&scene).await;
    assert_eq!(
        (&shown["proof"], &shown["certificate"]),
        (&json!("stale"), &Value::Null)
    );
}

#[tokio::test]
async fn rows_that_differ_are_named_without_what_they_hold() {
    let (scene, order_id) = Scene::with_work_in_progress().await;
    as_owner(&scene, "UPDATE \"orders@1\".orders SET title = 'A secret'").await;
    finished(begun(&scene).await).await.unwrap_err();
    let shown = of_orders(&scene).await;
    assert_eq!(
        (&shown["served"], &shown["proof"]),
        (&json!("orders@1"), &json!("differs"))
    );
    let certificate = &shown["certificate"];
    assert_eq!(certificate["verdict"], "differs");
    let expected = json!([{
        "table": "orders",
        "key": format!("order_id {order_id}"),
        "missing": null,
        "fields": ["title"],
    }]);
    assert_eq!(certificate["differences"], expected);
    assert!(!shown.to_string().contains("A secret"));
}

#[tokio::test]
async fn whoever_goes_back_is_told_what_was_found_of_both() {
    let (scene, _) = Scene::with_work_in_progress().await;
    finished(begun(&scene).await).await.unwrap();
    let stop = CancellationToken::new();
    rebuilder(&scene)
        .back(Model::Orders, &authority(), &stop, &mut |_| {})
        .await
        .unwrap();
    let shown = of_orders(&scene).await;
    assert_eq!(
        (&shown["served"], &shown["kept"], &shown["proof"]),
        (&json!("orders@1"), &json!("orders@2"), &json!("verified"))
    );
}

#[tokio::test]
async fn what_was_verified_is_so_no_more_once_a_later_rebuild_differs() {
    let (scene, _) = Scene::with_work_in_progress().await;
    finished(begun(&scene).await).await.unwrap();
    as_owner(&scene, "UPDATE \"orders@2\".orders SET title = 'Damaged'").await;
    finished(begun(&scene).await).await.unwrap_err();
    let shown = of_orders(&scene).await;
    assert_eq!(
        (
            &shown["served"],
            &shown["proof"],
            &shown["rebuild"]["state"]
        ),
        (&json!("orders@2"), &json!("differs"), &json!("failed"))
    );
}
