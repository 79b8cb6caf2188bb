//! A server that a test crashes.

use std::time::Duration;

use test_support::{TestDatabase, TestServer, eventually};

#[tokio::test]
async fn what_was_committed_survives_a_hard_stop() {
    let server = TestServer::start().await;
    let database = TestDatabase::create_on(&server).await;
    let owner = database.pool_owner().await;
    sqlx::query("CREATE TABLE kept AS SELECT 7 AS number")
        .execute(&owner)
        .await
        .unwrap();

    server.stop_immediate().await;
    sqlx::query("SELECT 1").execute(&owner).await.unwrap_err();
    server.restart().await;

    let number = eventually(
        "a connection that is not broken",
        Duration::from_secs(10),
        || sqlx::query_scalar::<_, i32>("SELECT number FROM kept").fetch_one(&owner),
    )
    .await;
    assert_eq!(number, 7);
}
