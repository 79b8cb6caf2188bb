//! Connections, the check of the server, and the watch over it.

use std::time::Duration;

use service_runtime::config::Reader;
use service_runtime::schema::{Divergence, MIGRATOR, MigrateError, Migrated, migrate};
use service_runtime::{
    DatabaseConfig, DatabaseHealth, Health, Refusal, ServerCheckError, check_server, lazy_pool,
    watch_postgres,
};
use sqlx::ConnectOptions;
use test_support::{TestDatabase, TestPooler, TestServer, eventually};
use tokio_util::sync::CancellationToken;

const NAME: &str = "service-runtime-test";
const BOUND: Duration = Duration::from_secs(10);

fn config(url: &str) -> DatabaseConfig {
    Reader::of([("ATLAS_DATABASE_URL", url)]).read().unwrap()
}

async fn check(config: &DatabaseConfig) -> Result<(), ServerCheckError> {
    let mut connection = config.connect_options(NAME).connect().await.unwrap();
    check_server(&mut connection).await
}

fn refusals(result: Result<(), ServerCheckError>) -> Vec<Refusal> {
    match result {
        Err(ServerCheckError::Refused(refusals)) => refusals,
        Ok(()) | Err(ServerCheckError::Unreachable(_)) => panic!("not refused: {result:?}"),
    }
}

#[test]
fn a_password_is_never_shown() {
    let config = config("postgres://somebody:s3cret@db.example:5433/atlas");
    let shown = format!("{config:?}");
    assert!(
        shown.contains("db.example") && shown.contains("somebody"),
        "{shown}"
    );
    assert!(!shown.contains("s3cret"), "{shown}");
    let mut reader = Reader::of([("ATLAS_DATABASE_URL", "mysql//s3cret")]);
    let faults = reader.read::<DatabaseConfig>().unwrap_err().to_string();
    assert!(!faults.contains("s3cret"), "{faults}");
}

#[tokio::test]
async fn every_connection_of_the_pool_is_bounded_and_bears_our_name() {
    let database = TestDatabase::create().await;
    let pool = lazy_pool(&config(&database.url_app()), NAME, 2);
    assert_eq!(pool.size(), 0, "nothing is opened before it is needed");
    let row = sqlx::query!(
        r#"SELECT current_setting('statement_timeout') AS "statement!",
                  current_setting('lock_timeout') AS "lock!",
                  current_setting('idle_in_transaction_session_timeout') AS "idle!",
                  current_setting('application_name') AS "name!""#
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    let bounds = (row.statement.as_str(), row.lock.as_str(), row.idle.as_str());
    assert_eq!(bounds, ("8s", "5s", "5s"));
    assert_eq!(row.name, NAME);
}

#[tokio::test]
async fn the_application_role_on_our_server_is_fit() {
    let database = TestDatabase::create().await;
    check(&config(&database.url_app())).await.unwrap();
}

#[tokio::test]
async fn who_does_not_own_the_schema_is_told_who_does() {
    let database = TestDatabase::create().await;
    let Err(MigrateError::NotOwner { role, as_owner }) =
        migrate(&config(&database.url_app()), &mut |_| {}).await
    else {
        panic!("atlas_app may not migrate")
    };
    assert_eq!(
        (role.as_str(), &as_owner),
        ("atlas_app", &database.url("atlas_owner"))
    );
    assert_eq!(
        migrate(&config(&as_owner), &mut |_| {}).await.unwrap(),
        Migrated::Applied(0)
    );
}

#[tokio::test]
async fn two_who_migrate_at_once_both_end_well() {
    let database = TestDatabase::without_schema().await;
    let config = config(&database.url("atlas_owner"));
    let migrates = || async { migrate(&config, &mut |_| {}).await };
    let (first, second) = tokio::join!(migrates(), migrates());
    first.unwrap();
    second.unwrap();
    assert_eq!(migrates().await.unwrap(), Migrated::Applied(0));
    check(&self::config(&database.url_app())).await.unwrap();
}

#[tokio::test]
async fn who_may_take_advisory_locks_is_refused() {
    let database = TestDatabase::create().await;
    let refusals = refusals(check(&config(&database.url("atlas_owner"))).await);
    let [Refusal::AdvisoryLocks { user, functions }] = refusals.as_slice() else {
        panic!("{refusals:?}")
    };
    assert_eq!(user, "atlas_owner");
    assert!(*functions > 0);
}

#[tokio::test]
async fn dropped_options_and_asynchronous_commits_are_refused_at_once() {
    let database = TestDatabase::create().await;
    // As behind a pooler that drops what the connection asked for.
    let plain = database.options("atlas_app").options([
        ("statement_timeout", "0"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("synchronous_commit", "off"),
    ]);
    let mut connection = plain.connect().await.unwrap();
    let refusals = refusals(check_server(&mut connection).await);
    let dropped = |setting, asked, found: &str| Refusal::OptionDropped {
        setting,
        asked,
        found: found.to_owned(),
    };
    assert_eq!(
        refusals,
        [
            dropped("statement_timeout", "8s", "0"),
            dropped("idle_in_transaction_session_timeout", "5s", "1min"),
            Refusal::AsynchronousCommit,
        ]
    );
}

#[tokio::test]
async fn a_missing_or_changed_migration_is_refused_and_a_newer_one_is_not() {
    let database = TestDatabase::create().await;
    let config = config(&database.url_app());
    let owner = database.pool_owner().await;
    let newest = MIGRATOR.iter().map(|m| m.version).max().unwrap();
    // The table is sqlx's, so that no statement on it can be checked when built.
    let change = async |statement: &str| {
        let changed = sqlx::query(statement)
            .bind(newest)
            .execute(&owner)
            .await
            .unwrap();
        assert_eq!(changed.rows_affected(), 1, "{statement}");
    };

    change("UPDATE public._sqlx_migrations SET version = version + 1 WHERE version = $1").await;
    let missing = Refusal::Schema(Divergence::Missing(newest));
    assert_eq!(refusals(check(&config).await), [missing]);

    change(
        "INSERT INTO public._sqlx_migrations
         SELECT version - 1, description, installed_on, success, checksum, execution_time
         FROM public._sqlx_migrations WHERE version = $1 + 1",
    )
    .await;
    check(&config).await.expect("a newer schema is fit");

    change("UPDATE public._sqlx_migrations SET checksum = 'another' WHERE version = $1").await;
    let changed = Refusal::Schema(Divergence::Changed(newest));
    assert_eq!(refusals(check(&config).await), [changed]);
}

#[tokio::test]
async fn a_server_that_goes_away_and_comes_back_is_noticed_and_the_pool_recovers() {
    let server = TestServer::start().await;
    let database = TestDatabase::create_on(&server).await;
    let config = config(&database.url_app());
    let pool = lazy_pool(&config, NAME, 4);
    let finish = CancellationToken::new();
    let mut health = Health::default();
    let postgres = DatabaseHealth::require(&mut health);
    let watch = tokio::spawn(watch_postgres(
        config,
        NAME,
        pool.clone(),
        postgres.clone(),
        finish.clone(),
    ));
    let is_up = async |up: bool| {
        eventually("the watch to notice", BOUND, async || {
            if postgres.is_up() == up {
                Ok(())
            } else {
                Err("not yet")
            }
        })
        .await;
    };
    is_up(true).await;
    let ping = async || sqlx::query!("SELECT 1 AS one").fetch_one(&pool).await;
    ping().await.unwrap();

    server.stop_immediate().await;
    is_up(false).await;
    server.restart().await;
    is_up(true).await;
    ping()
        .await
        .expect("the broken connection is replaced unseen");

    finish.cancel();
    watch.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_schema_that_is_behind_is_waited_for() {
    let database = TestDatabase::create().await;
    let owner = database.pool_owner().await;
    let newest = MIGRATOR.iter().map(|m| m.version).max().unwrap();
    // The table is sqlx's, so that no statement on it can be checked when built.
    let set = async |success: bool| {
        sqlx::query("UPDATE public._sqlx_migrations SET success = $2 WHERE version = $1")
            .bind(newest)
            .bind(success)
            .execute(&owner)
            .await
            .unwrap();
    };
    set(false).await;
    let config = config(&database.url_app());
    let mut health = Health::default();
    let known = DatabaseHealth::require(&mut health);
    let finish = CancellationToken::new();
    let pool = lazy_pool(&config, NAME, 1);
    let watch = tokio::spawn(watch_postgres(
        config,
        NAME,
        pool,
        known.clone(),
        finish.clone(),
    ));
    let said = async |up: bool, detail: Option<String>| {
        eventually("the watch to say so", Duration::from_secs(5), async || {
            let readiness = health.readiness();
            let [postgres, schema] = readiness.dependencies.as_slice() else {
                panic!("{readiness:?}")
            };
            let is_so = postgres.ok && schema.ok == up && schema.detail == detail;
            if is_so {
                Ok(())
            } else {
                Err(format!("{readiness:?}"))
            }
        })
        .await;
    };
    said(false, Some(Divergence::Missing(newest).to_string())).await;
    set(true).await;
    said(true, None).await;
    known.fit().await;
    finish.cancel();
    watch.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_set_up_for_us_ends_the_watch() {
    let database = TestDatabase::create().await;
    let config = config(&database.url("atlas_owner"));
    let pool = lazy_pool(&config, NAME, 1);
    let mut health = Health::default();
    let postgres = DatabaseHealth::require(&mut health);
    let watch = watch_postgres(
        config,
        NAME,
        pool,
        postgres.clone(),
        CancellationToken::new(),
    );
    refusals(watch.await);
    assert!(!postgres.is_up());
}

/// A pooler in transaction mode either refuses what connections ask for, or drops it.
#[tokio::test]
async fn a_pooler_in_transaction_mode_ends_the_watch_and_says_what_is_needed() {
    let database = TestDatabase::create().await;
    for ignored in ["extra_float_digits", "extra_float_digits,options"] {
        let pooler = TestPooler::in_front_of(&database, ignored).await;
        let config = config(pooler.url());
        let pool = lazy_pool(&config, NAME, 1);
        let mut health = Health::default();
        let postgres = DatabaseHealth::require(&mut health);
        let finish = CancellationToken::new();
        let watch = watch_postgres(config, NAME, pool, postgres.clone(), finish);
        let outcome = tokio::time::timeout(BOUND, watch).await.unwrap();
        let reason = outcome.unwrap_err().to_string();
        assert!(
            reason.contains("a pooler in transaction mode")
                && reason.contains("connect to Postgres itself, or to a pooler in session mode"),
            "{reason}"
        );
        assert!(!postgres.is_up());
    }
}
