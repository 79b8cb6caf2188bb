//! Who would gain and who would lose under another policy, over HTTP.

use bonus_domain::{Policies, PolicyVersion, Report, diff};
use bonus_store::whole_ledger;
use kernel::Clock as _;
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::bonus::award;
use crate::people::{ANALYST, COMMISSIONER, OAK, OPERATOR};
use crate::scene::Scene;

const DIFF: &str = "/v1/bonus/policies/1/diff/2";

/// The report as the command line makes it.
async fn report(scene: &Scene) -> Value {
    let policy = |number| Policies::compiled().get(PolicyVersion::new(number).unwrap());
    let (from, to) = (policy(1).unwrap(), policy(2).unwrap());
    let at = scene.clock.now();
    let mut report = Report::default();
    let mut connection = scene.pool.acquire().await.unwrap();
    whole_ledger(&mut connection, |beneficiary, of| {
        report.add(beneficiary, diff(from, to, of, at)?)
    })
    .await
    .unwrap();
    report.value()
}

#[tokio::test]
async fn its_numbers_are_those_of_the_command_line() {
    let scene = Scene::set().await;
    award(&scene).await;
    let expected = report(&scene).await;
    for viewer in [OPERATOR, ANALYST] {
        let reply = scene.api.get(DIFF).by(viewer).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.header("atlas-position").is_some());
        assert_eq!(reply.body["report"], expected);
        assert_eq!(reply.body["ledger"]["facts"], 2);
        assert_eq!(reply.body["ledger"]["ofOtherPolicies"], 0);
        assert_eq!(reply.body["ledger"]["asOf"], "2027-02-01T00:00:00Z");
        assert_eq!(reply.body["movementsLeftOut"], 0);
        let moved = reply.body["movements"].as_array().unwrap();
        assert_eq!(moved.len() as u64, expected["changed"].as_u64().unwrap());
        assert_eq!(moved[0]["id"], json!(COMMISSIONER.id));
        assert_eq!(moved[0]["before"]["lifetimePoints"], 140);
    }
    let same = scene.api.get("/v1/bonus/policies/1/diff/1");
    let same = same.by(ANALYST).send().await;
    assert_eq!(same.body["report"]["changed"], 0);
    assert_eq!(same.body["movements"], json!([]));
}

#[tokio::test]
async fn it_is_for_those_who_see_all_accounts_and_between_known_policies() {
    let scene = Scene::set().await;
    for viewer in [COMMISSIONER, OAK] {
        let refused = scene.api.get(DIFF).by(viewer).send().await;
        assert_eq!(refused.outcome(), "403 FORBIDDEN");
    }
    for path in [
        "/v1/bonus/policies/1/diff/999",
        "/v1/bonus/policies/999/diff/1",
        "/v1/bonus/policies/0/diff/1",
    ] {
        let refused = scene.api.get(path).by(ANALYST).send().await;
        assert_eq!(refused.outcome(), "404 NOT_FOUND", "{path}");
    }
    let odd = scene.api.get("/v1/bonus/policies/1/diff/two");
    let odd = odd.by(ANALYST).send().await;
    assert_eq!(odd.outcome(), "400 MALFORMED_REQUEST");
}

/// Whoever holds the ledger up makes a comparison end in time, and another one wait its turn.
#[tokio::test]
async fn it_is_bounded_in_time_and_in_number() {
    let scene = Scene::set().await;
    award(&scene).await;
    let mut owner = scene.owner().await.acquire().await.unwrap();
    let mut lock = owner.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE bonus.ledger IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let outcomes =
        futures::future::join_all((0..3).map(|_| scene.api.get(DIFF).by(ANALYST).send()));
    let mut outcomes: Vec<String> = outcomes
        .await
        .iter()
        .map(crate::api::Reply::outcome)
        .collect();
    outcomes.sort();
    assert_eq!(
        outcomes,
        ["503 OVERLOADED", "503 OVERLOADED", "504 TIMEOUT"]
    );
    lock.rollback().await.unwrap();
    let reply = scene.api.get(DIFF).by(ANALYST).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
}
