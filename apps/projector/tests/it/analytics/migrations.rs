//! The views of analysts while the schema is brought up to another release.

use std::borrow::Cow;
use std::thread;
use std::time::{Duration, Instant};

use service_runtime::schema::MIGRATOR;
use sqlx::migrate::Migrator;
use sqlx::{Connection as _, PgConnection, PgPool};
use test_support::{TestDatabase, eventually};

use super::story::{Names, Told};
use crate::program::projector;

const BOUND: Duration = Duration::from_secs(20);
/// The migration that brought the last of the views.
const VIEWS: i64 = 20_261_130_001_110;
/// What a reader of the tables beside a migration may have to wait: one turn, and some.
const TURN: Duration = Duration::from_millis(1500);

/// Everything that an analyst sees of a column, without its comment.
const COLUMNS: &str = "
SELECT c.relname, c.relacl::text, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
       a.attacl::text
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'analytics'::regnamespace ORDER BY 1, 3";

/// The views and columns that are explained.
const EXPLAINED: &str = "
SELECT c.relname, d.objsubid FROM pg_class c
JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass
WHERE c.relnamespace = 'analytics'::regnamespace ORDER BY 1, 2";

/// A database as the release left it whose last migration this is.
async fn migrated_to(last: i64) -> Told {
    let told = Told {
        database: TestDatabase::without_schema().await,
        names: Names::of(""),
    };
    migrate(&told.database.pool_owner().await, last).await;
    told
}

async fn migrate(owner: &PgPool, last: i64) {
    let there = MIGRATOR
        .iter()
        .filter(|migration| migration.version <= last);
    let migrator = Migrator {
        migrations: Cow::Owned(there.cloned().collect()),
        ..Migrator::DEFAULT
    };
    migrator.run(owner).await.unwrap();
}

#[tokio::test]
async fn no_migration_takes_a_column_a_right_or_a_comment_away() {
    let told = migrated_to(VIEWS).await;
    let owner = told.database.pool_owner().await;
    let later: Vec<i64> = MIGRATOR
        .iter()
        .map(|migration| migration.version)
        .filter(|version| *version > VIEWS)
        .collect();
    assert!(!later.is_empty());
    for version in later {
        let before = (told.ask(COLUMNS).await, told.ask(EXPLAINED).await);
        assert!(before.0.len() > 100 && before.1.len() > before.0.len());
        migrate(&owner, version).await;
        let after = (told.ask(COLUMNS).await, told.ask(EXPLAINED).await);
        let kept = |was: &[Vec<String>], is: &[Vec<String>]| was.iter().all(|it| is.contains(it));
        assert!(kept(&before.0, &after.0), "{version}: {before:?} {after:?}");
        assert!(kept(&before.1, &after.1), "{version}: {before:?} {after:?}");
        assert!(after.1.len() > after.0.len(), "{version} explains all");
    }
    // Once more changes nothing at all.
    let (columns, policies) = (told.ask(COLUMNS).await, "SELECT * FROM policy_rules");
    let url = told.database.url("atlas_owner");
    assert_eq!(projector(&url, &["migrate"]).code, 0);
    let rules = told.ask(policies).await;
    assert_eq!(projector(&url, &["migrate"]).code, 0);
    assert_eq!(told.ask(COLUMNS).await, columns);
    assert_eq!(told.ask(policies).await, rules);
}

/// Whether somebody waits for this session.
async fn is_waited_for(pool: &PgPool, pid: i32) -> bool {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_stat_activity a WHERE $1 = ANY (pg_blocking_pids(a.pid)))",
    )
    .bind(pid)
    .fetch_one(pool)
    .await
    .unwrap()
}

async fn until_waited_for(pool: &PgPool, pid: i32, waited: bool) {
    let what = format!("the migration to wait: {waited}");
    eventually(&what, BOUND, || async {
        match is_waited_for(pool, pid).await {
            found if found == waited => Ok(()),
            found => Err(found),
        }
    })
    .await;
}

/// The columns of a table that an analyst reads are added to, as `add_turns` does.
#[tokio::test]
async fn a_migration_waits_for_an_analysts_transaction_in_turns_and_says_so() {
    let told = migrated_to(VIEWS).await;
    let options = told.database.options("atlas_analyst");
    let mut analyst = PgConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT count(*) FROM orders")
        .execute(&mut analyst)
        .await
        .unwrap();
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut analyst)
        .await
        .unwrap();

    let url = told.database.url("atlas_owner");
    let migration = thread::spawn(move || projector(&url, &["migrate"]));
    let pool = told.database.pool_app().await;
    for _ in 0..2 {
        until_waited_for(&pool, pid, true).await;
        until_waited_for(&pool, pid, false).await;
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let began = Instant::now();
        sqlx::query("SELECT count(*) FROM \"orders@1\".orders")
            .execute(&pool)
            .await
            .unwrap();
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest < TURN, "{slowest:?}");
    assert!(!migration.is_finished());

    sqlx::raw_sql("COMMIT").execute(&mut analyst).await.unwrap();
    let said = migration.join().unwrap();
    assert_eq!(said.code, 0, "{said:?}");
    let waits = format!("waits for the transaction of process {pid}, atlas_analyst");
    assert!(said.stderr.contains(&waits), "{said:?}");
    assert_eq!(told.ask("SELECT count(*) FROM orders").await, [["0"]]);
}
