//! What a test finds in its database, and that it is alone there.

use sqlx::PgPool;
use test_support::TestDatabase;

async fn events(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM store.events")
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn two_tests_do_not_see_each_other() {
    let (one, other) = tokio::join!(TestDatabase::create(), TestDatabase::create());
    let insert = "INSERT INTO store.events VALUES \
                  (1, 'order', 'a', 1, 'E', '1.0', '{}', '{}', gen_random_uuid(), now())";
    sqlx::query(insert)
        .execute(&one.pool_owner().await)
        .await
        .unwrap();
    assert_eq!(events(&one.pool_app().await).await, 1);
    assert_eq!(events(&other.pool_app().await).await, 0);
}

#[tokio::test]
async fn the_application_has_its_rights_and_settings_and_no_more() {
    let database = TestDatabase::create().await;
    let app = database.pool_app().await;
    let settings: (String, bool, bool) = sqlx::query_as(
        "SELECT current_setting('statement_timeout'), \
                has_function_privilege('pg_advisory_lock(bigint)', 'EXECUTE'), \
                has_database_privilege(current_database(), 'TEMPORARY')",
    )
    .fetch_one(&app)
    .await
    .unwrap();
    assert_eq!(settings, ("8s".to_owned(), false, false));
    let refused = sqlx::query("DELETE FROM store.events").execute(&app).await;
    let code = refused.unwrap_err().into_database_error().unwrap();
    assert_eq!(code.code().as_deref(), Some("42501"));
}

#[tokio::test]
async fn a_dropped_database_is_gone() {
    let database = TestDatabase::create().await;
    let options = database.options("postgres").database("postgres");
    let name = database
        .options("postgres")
        .get_database()
        .map(str::to_owned);
    let pool = database.pool_app().await; // an open connection does not keep it
    drop(database);
    let admin = PgPool::connect_with(options).await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_database WHERE datname = $1")
        .bind(name)
        .fetch_one(&admin)
        .await
        .unwrap();
    drop(pool);
    assert_eq!(left, 0);
}
