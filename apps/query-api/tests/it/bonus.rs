//! Accounts and their ledgers over HTTP.

use std::sync::Arc;

use bonus_domain::{Beneficiary, Fact, PolicyVersion, SourceType};
use bonus_store::{ConflictMode, Delivery, Ingest, Recompute, activate, check_policies};
use kernel::{EventId, OrderId, RandomIds};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::people::{ANALYST, COMMISSIONER, OAK, OPERATOR, STRANGER};
use crate::scene::Scene;

const ORDER: Uuid = Uuid::from_u128(0xd1);

/// The commissioner has placed an order and accepted the work: 140 points.
async fn awarded() -> Scene {
    let scene = Scene::set().await;
    award(&scene).await;
    scene
}

/// The same, where other things have happened.
pub(crate) async fn award(scene: &Scene) {
    told(scene, &[(1, "OrderPlaced"), (2, "OrderCompleted")]).await;
}

/// Takes in what happened to the order, each on its day of January, and brings the account up to date.
pub(crate) async fn told(scene: &Scene, facts: &[(u128, &str)]) {
    check_policies(&scene.pool).await.unwrap();
    let (clock, ids) = (scene.clock.clone(), Arc::new(RandomIds));
    let ingest = Ingest::new(scene.pool.clone(), ConflictMode::Ingest, clock, ids);
    let deliveries = facts.iter().map(|(number, name)| Delivery {
        fact: Fact {
            source_event_id: EventId::from_uuid(Uuid::from_u128(*number)),
            source_type: SourceType::known(name).expect("a rewarded event"),
            beneficiary: Beneficiary::new(COMMISSIONER.role, COMMISSIONER.id),
            order_id: Some(OrderId::from_uuid(ORDER)),
            by_dispute: false,
            occurred_at: format!("2027-01-0{number}T00:00:00Z").parse().unwrap(),
        },
        correlation_id: Uuid::from_u128(*number),
        traceparent: None,
    });
    let deliveries: Vec<_> = deliveries.collect();
    ingest.run(&deliveries).await.unwrap();
    scene.catch_up().await;
}

/// Policy 2 comes into force, and the account is computed anew.
pub(crate) async fn recomputed(scene: &Scene) {
    let mut transaction = scene.pool.begin().await.unwrap();
    let second = PolicyVersion::try_from(2_i32).unwrap();
    activate(&mut transaction, second, OPERATOR.id)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let (clock, ids) = (scene.clock.clone(), Arc::new(RandomIds));
    let recompute = Recompute::new(scene.pool.clone(), clock, ids);
    let account = Beneficiary::new(COMMISSIONER.role, COMMISSIONER.id);
    recompute.one(account).await.unwrap();
    scene.catch_up().await;
}

pub(crate) fn account() -> String {
    format!("/v1/bonus/accounts/{}", COMMISSIONER.id)
}

#[tokio::test]
async fn owner_operator_and_analyst_read_the_account() {
    let scene = awarded().await;
    for viewer in [COMMISSIONER, OPERATOR, ANALYST] {
        for role in ["", "?role=commissioner"] {
            let reply = scene.api.get(account() + role).by(viewer).send().await;
            assert_eq!(reply.status, 200, "{reply:?}");
            assert!(reply.header("atlas-position").is_some());
            assert_eq!(
                reply.body,
                json!({
                    "id": COMMISSIONER.id,
                    "role": "commissioner",
                    "lifetimePoints": 140,
                    "grade": "Silver",
                    "nextGrade": {"name": "Gold", "pointsToGo": 160},
                    "vip": {
                        "active": false,
                        "windowPoints": 0,
                        "threshold": 200,
                        "until": null,
                    },
                    "policyVersion": 1,
                    "asOf": "2027-02-01T00:00:00Z",
                })
            );
        }
    }
}

/// A page for an analyst, without the instants that the server's clock gave.
async fn read_ledger(scene: &Scene, path: &str) -> Value {
    let mut page = scene.api.get(path).by(ANALYST).send().await.body;
    for item in page["items"].as_array_mut().unwrap() {
        let recorded_at = item.as_object_mut().unwrap().remove("recordedAt");
        assert!(recorded_at.unwrap().as_str().unwrap().ends_with('Z'));
    }
    page
}

#[tokio::test]
async fn the_ledger_lists_what_the_points_are_made_of() {
    let scene = awarded().await;
    let path = account() + "/ledger";
    let whole = read_ledger(&scene, &path).await;
    let award = |number: u128, event: &str, points: i64| {
        json!({
            "eventId": Uuid::from_u128(number),
            "event": event,
            "orderId": ORDER,
            "points": points,
            "policyVersion": 1,
            "occurredAt": format!("2027-01-0{number}T00:00:00Z"),
        })
    };
    let awards = [award(2, "OrderCompleted", 100), award(1, "OrderPlaced", 40)];
    assert_eq!(whole, json!({"items": awards, "nextCursor": null}));

    let first = read_ledger(&scene, &format!("{path}?limit=1")).await;
    assert_eq!(first["items"], json!(awards[..1]));
    let cursor = first["nextCursor"].as_str().unwrap();
    let next = format!("{path}?limit=1&cursor={cursor}");
    let second = read_ledger(&scene, &next).await;
    assert_eq!(second, json!({"items": awards[1..], "nextCursor": null}));
    // The ledger of the id's other role is another list.
    let foreign = scene
        .api
        .get(next + "&role=workshop")
        .by(ANALYST)
        .send()
        .await;
    assert_eq!(foreign.outcome(), "400 MALFORMED_REQUEST");
}

#[tokio::test]
async fn another_s_account_is_not_found_and_neither_is_one_without_awards() {
    let scene = awarded().await;
    let none = format!("/v1/bonus/accounts/{}", STRANGER.id);
    for (path, viewer) in [
        (account(), STRANGER),
        (account(), OAK),
        (account() + "?role=workshop", COMMISSIONER),
        (account() + "?role=workshop", OPERATOR),
        (none.clone(), STRANGER),
        (none, OPERATOR),
    ] {
        let ledger = path.replace(&account(), &format!("{}/ledger", account()));
        for path in [path, ledger] {
            let reply = scene.api.get(&path).by(viewer).send().await;
            assert_eq!(reply.outcome(), "404 NOT_FOUND", "{path} for {viewer}");
        }
    }
}
