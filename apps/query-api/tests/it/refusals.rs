//! What is refused before anything is read, in the order of checks.

use crate::people::{COMMISSIONER, OAK, OPERATOR};
use crate::scene::Scene;
use crate::story::registered;

const PATHS: [&str; 8] = [
    "/v1/orders",
    "/v1/orders/00000000-0000-0000-0000-0000000000d1",
    "/v1/orders/00000000-0000-0000-0000-0000000000d1/timeline",
    "/v1/orders/00000000-0000-0000-0000-0000000000d1/as-of",
    "/v1/invitations",
    "/v1/workshops",
    "/v1/bonus/accounts/00000000-0000-0000-0000-0000000000d1",
    "/v1/bonus/accounts/00000000-0000-0000-0000-0000000000d1/ledger",
];

#[tokio::test]
async fn nobody_reads_without_a_token() {
    let scene = Scene::set().await;
    for path in PATHS {
        let reply = scene.api.get(format!("{path}?limit=0")).send().await;
        assert_eq!(reply.outcome(), "401 UNAUTHENTICATED", "{path}");
        assert!(reply.header("www-authenticate").is_some());
        assert_eq!(
            reply.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(
            reply.header("cache-control"),
            Some("private, no-cache, no-transform")
        );
    }
}

#[tokio::test]
async fn nothing_is_changed_here() {
    let scene = Scene::set().await;
    for path in PATHS {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let reply = scene.api.call(method, path).by(OPERATOR).send().await;
            assert_eq!(reply.outcome(), "405 METHOD_NOT_ALLOWED", "{method} {path}");
        }
    }
    let reply = scene.api.get("/v1/nowhere").by(OPERATOR).send().await;
    assert_eq!(reply.outcome(), "404 NOT_FOUND");
}

#[tokio::test]
async fn what_cannot_be_read_is_malformed() {
    let scene = Scene::set().await;
    for path in [
        "/v1/orders/1",
        "/v1/orders/000000000000000000000000000000d1",
        "/v1/orders/1/timeline",
        "/v1/orders/1/as-of?version=1",
        "/v1/bonus/accounts/me",
        "/v1/bonus/accounts/me/ledger",
        "/v1/orders?state=lost",
        "/v1/orders?state=",
        "/v1/orders?state=negotiating&state=finished",
        "/v1/orders?workshopId=1",
        "/v1/orders?commissionerId=000000000000000000000000000000d1",
        "/v1/orders?limit=0",
        "/v1/orders?limit=201",
        "/v1/orders?limit=many",
        "/v1/workshops?limit=-1",
        "/v1/bonus/accounts/00000000-0000-0000-0000-0000000000d1?role=king",
    ] {
        let reply = scene.api.get(path).by(COMMISSIONER).send().await;
        assert_eq!(reply.outcome(), "400 MALFORMED_REQUEST", "{path}");
        assert_eq!(reply.body["instance"], path.split('?').next().unwrap());
    }
    // An id may be sent in any case; what is not known is passed over.
    let path = "/v1/orders?workshopId=00000000-0000-0000-0000-0000000000D1&colour=red";
    assert_eq!(
        scene.api.get(path).by(COMMISSIONER).send().await.status,
        200
    );
}

/// A release runs on while the next one migrates: no answer is lost to an old plan.
#[tokio::test]
async fn a_plan_that_a_migration_has_outdated_is_made_anew() {
    let scene = Scene::set().await;
    registered(&scene.pool, OAK, "Oak", true).await;
    scene.catch_up().await;
    let api = scene.instance_with_one_connection().await;
    let before = api.get("/v1/workshops").by(OPERATOR).send().await;
    assert_eq!(before.status, 200);
    sqlx::query(
        "ALTER TABLE \"workshops@1\".workshops ALTER COLUMN name TYPE varchar(300) COLLATE \"C\"",
    )
    .execute(&scene.owner().await)
    .await
    .unwrap();
    let after = api.get("/v1/workshops").by(OPERATOR).send().await;
    assert_eq!(after.body, before.body);
}

#[tokio::test]
async fn without_its_store_it_says_so() {
    let scene = Scene::set().await;
    scene.pool.close().await;
    for path in PATHS {
        let reader = if path == "/v1/invitations" {
            OAK
        } else {
            OPERATOR
        };
        let path = format!("{path}?version=1");
        let reply = scene.api.get(&path).by(reader).send().await;
        assert_eq!(reply.outcome(), "503 STORE_UNAVAILABLE", "{path}");
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
}
