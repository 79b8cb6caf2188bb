//! What the role of analysts may do: read the views, within limits.

use std::time::Duration;

use projections::analysts;
use sqlx::{Connection as _, PgConnection};
use test_support::eventually;

use super::story::Told;

const BOUND: Duration = Duration::from_secs(20);

#[tokio::test]
async fn an_analyst_may_use_nothing_but_the_views() {
    let told = Told::new("").await;
    let relations = told
        .ask(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'analytics')
               AND c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S')
               AND has_schema_privilege(n.oid, 'USAGE')",
        )
        .await;
    assert_eq!(relations, Vec::<Vec<String>>::new());
    let schemas = told
        .ask(
            "SELECT nspname FROM pg_namespace
             WHERE has_schema_privilege(oid, 'USAGE')
                OR has_schema_privilege(oid, 'CREATE') ORDER BY 1",
        )
        .await;
    assert_eq!(
        schemas,
        [["analytics"], ["information_schema"], ["pg_catalog"]]
    );
    let views = told
        .ask(
            "SELECT DISTINCT privilege_type, is_grantable FROM information_schema.table_privileges
             WHERE table_schema = 'analytics' AND grantee = 'atlas_analyst'",
        )
        .await;
    assert_eq!(views, [["SELECT", "NO"]]);
    let functions = told
        .ask(
            "SELECT p.proname FROM pg_proc p
             WHERE p.pronamespace <> ALL (ARRAY['pg_catalog', 'information_schema']::regnamespace[])
               AND has_function_privilege(p.oid, 'EXECUTE')
               AND has_schema_privilege(p.pronamespace, 'USAGE')",
        )
        .await;
    assert_eq!(functions, Vec::<Vec<String>>::new());
}

#[tokio::test]
async fn what_an_analyst_must_not_do_is_refused_also_in_a_session_that_may_write() {
    let told = Told::new("2026-03-07 12:00:00 anna places lamp 100 EUR oak").await;
    let analyst = told.analyst().await;
    let mut connection = analyst.acquire().await.unwrap();
    told.names
        .ask(&mut connection, "SET default_transaction_read_only = off")
        .await;
    for refused in [
        "CREATE TEMPORARY TABLE mine ()",
        "CREATE TABLE analytics.mine ()",
        "CREATE TABLE public.mine ()",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_xact_lock_shared(1)",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT pg_logical_emit_message(false, 'a', 'b')",
        "UPDATE orders SET state = 'completed'",
        "DELETE FROM orders",
        "SELECT * FROM orders FOR UPDATE",
        "SELECT * FROM read.orders",
        "SELECT * FROM read.served",
        "SELECT * FROM \"orders@1\".orders",
        "SELECT * FROM store.events",
        "SELECT * FROM bonus.ledger",
        "SELECT * FROM ops.dead_letters",
        "SELECT * FROM public._sqlx_migrations",
        "SELECT store.watermark()",
        "SELECT read.close_views('orders')",
        "SELECT read.begin_rebuild('orders', 'me', 1, gen_random_uuid(), 'why', 'code')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('postgresql.conf')",
        "SET temp_file_limit = -1",
        "SET ROLE atlas_owner",
    ] {
        let error = sqlx::raw_sql(refused).execute(&mut *connection).await;
        let error = error.expect_err(refused);
        let code = error
            .as_database_error()
            .and_then(|error| error.code())
            .unwrap();
        assert_eq!(code, "42501", "{refused}: {error}");
    }
}

#[tokio::test]
async fn a_session_of_an_analyst_begins_with_limits() {
    let told = Told::new("").await;
    let mut found = Vec::new();
    for setting in [
        "statement_timeout",
        "idle_in_transaction_session_timeout",
        "work_mem",
        "temp_file_limit",
        "default_transaction_read_only",
        "search_path",
    ] {
        found.extend(told.ask(&format!("SHOW {setting}")).await.concat());
    }
    assert_eq!(found, ["1min", "1min", "64MB", "4GB", "on", "analytics"]);
}

/// Whoever lifts the limits of its session is ended all the same.
#[tokio::test]
async fn a_transaction_that_outlives_its_limits_is_ended_and_others_are_not() {
    let told = Told::new("").await;
    let mut long = PgConnection::connect_with(&told.database.options("atlas_analyst"))
        .await
        .unwrap();
    let lifted = "SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0; BEGIN;
                  SELECT count(*) FROM orders";
    sqlx::raw_sql(lifted).execute(&mut long).await.unwrap();
    let pool = told.database.pool_app().await;
    let mut app = pool.acquire().await.unwrap();
    let mut ours = pool.begin().await.unwrap();
    sqlx::query("SELECT 1").execute(&mut *ours).await.unwrap();

    let hour = Duration::from_secs(3600);
    assert_eq!(
        analysts::end_overrunning(&mut app, hour, 20).await.unwrap(),
        []
    );
    sqlx::query("SELECT 1").execute(&mut long).await.unwrap();
    eventually("the session to be ended", BOUND, || async {
        let mut app = pool.acquire().await.unwrap();
        let limit = Duration::from_millis(100);
        match &analysts::end_overrunning(&mut app, limit, 20)
            .await
            .unwrap()[..]
        {
            [] => Err("none"),
            _ => Ok(()),
        }
    })
    .await;
    let error = sqlx::query("SELECT 1")
        .execute(&mut long)
        .await
        .unwrap_err();
    let code = error.as_database_error().and_then(|error| error.code());
    assert!(code.is_none_or(|code| code == "57P01"), "{error}");
    sqlx::query("SELECT 1").execute(&mut *ours).await.unwrap();
}
