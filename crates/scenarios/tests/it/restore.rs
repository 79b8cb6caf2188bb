//! After a restore from a dump, onto another server: what does not match the store halts and names
//! the cure, the cure puts it right, and what Kafka will not tell again is awarded from the store.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use dev_servers::{Process, Signal};
use reqwest::Client;
use sqlx::{Connection as _, PgPool, Postgres, Transaction};
use test_support::{TestDatabase, TestServer, eventually};

use crate::commission::{Party, placement};
use crate::system::{System, state_folder, target_folder};
use crate::{audit, kafka};

const BOUND: Duration = Duration::from_secs(60);
const OPERATOR: &str = "01938f6e-0000-7000-8000-0000000000f3";
const WITHOUT_BONUS: &[&str] = &["run", "--only", "read-models,relay"];

fn projector(system: &System, brokers: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(target_folder().join("projector"));
    command
        .args(arguments)
        .args(["--operator", OPERATOR, "--reason", "The disk has failed"])
        .arg("--yes")
        .env("ATLAS_DATABASE_URL", system.database.url_app())
        .env("ATLAS_KAFKA_BROKERS", brokers)
        .env("ATLAS_LEASE_MS", "2000")
        .stdin(Stdio::null());
    command
}

async fn ended(mut command: Command) -> Output {
    kafka::blocking(move || command.output()).await.unwrap()
}

/// Runs a command of the operator; its exit code, and what it said.
async fn told(system: &System, brokers: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = ended(projector(system, brokers, arguments)).await;
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

/// Runs one of Postgres's own tools to its end.
async fn tool(name: &str, arguments: &[&str]) {
    let mut command = Command::new(name);
    command.args(arguments).stdin(Stdio::null());
    let output = ended(command).await;
    assert!(output.status.success(), "{name}: {output:?}");
}

/// A dump of the whole database, as an operator makes it every night.
async fn dump(database: &TestDatabase, name: &str) -> String {
    let folder = state_folder().join("scenarios");
    let file: PathBuf = folder.join(format!("{name}-{}.dump", std::process::id()));
    let file = file.to_str().unwrap().to_owned();
    let url = database.url_superuser();
    tool("pg_dump", &["--format=custom", "--file", &file, &url]).await;
    file
}

/// Another server with what a dump holds.
async fn restored(dump: &str) -> (TestServer, TestDatabase) {
    let server = TestServer::start().await;
    let database = TestDatabase::create_on(&server).await;
    let options = database.options("postgres");
    let name = options.get_database().unwrap().to_owned();
    let admin = options.database("postgres");
    let mut admin = sqlx::PgConnection::connect_with(&admin).await.unwrap();
    for statement in [
        format!("DROP DATABASE {name}"),
        format!("CREATE DATABASE {name} TEMPLATE atlas_template OWNER atlas_owner"),
        format!("GRANT CONNECT ON DATABASE {name} TO atlas_app, atlas_analyst"),
    ] {
        sqlx::raw_sql(&statement).execute(&mut admin).await.unwrap();
    }
    let url = database.url_superuser();
    tool("pg_restore", &["--exit-on-error", "--dbname", &url, dump]).await;
    (server, database)
}

async fn place(system: &System, orders: usize, commissioner: &Party, workshops: &[Party]) {
    for _ in 0..orders {
        commissioner.place(&system.commands[0], workshops).await;
    }
}

/// Waits until the relay has passed every event.
async fn relayed(pool: &PgPool) {
    eventually("the relay at the end", BOUND, || async {
        let behind: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM store.events e
             WHERE e.position > (SELECT position FROM store.checkpoints WHERE name = 'relay')",
        )
        .fetch_one(pool)
        .await
        .unwrap();
        if behind == 0 { Ok(()) } else { Err(behind) }
    })
    .await;
}

async fn count(pool: &PgPool, what: &str) -> i64 {
    sqlx::query_scalar(what).fetch_one(pool).await.unwrap()
}

const ADOPTIONS: &str = "SELECT count(*) FROM store.events
     WHERE event_type = 'OperatorActed' AND payload->>'act' = 'adopt'";

/// Keeps everybody from the ledger.
async fn locked(pool: &PgPool) -> Transaction<'static, Postgres> {
    let mut lock = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE bonus.ledger IN EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    lock
}

/// The dump was made while the consumer was behind the relay: its offsets are beyond what the
/// restored ledger holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_that_kafka_will_not_tell_again_are_awarded_from_the_store() {
    let broker = kafka::start().await;
    let brokers = broker.address();
    let mut system = System::start(&brokers).await;
    let client = Client::new();
    let operator = Party::new("operator", &client);
    let commissioner = Party::new("commissioner", &client);
    let workshops = [Party::new("workshop", &client)];
    operator.register(&system.commands[0], &workshops).await;
    place(&system, 3, &commissioner, &workshops).await;
    audit::everything(&system.database, &brokers).await;

    system.projector.kill();
    let mut without = system.another_projector().with_arguments(WITHOUT_BONUS);
    without.start();
    place(&system, 4, &commissioner, &workshops).await;
    relayed(&system.database.pool_app().await).await;
    let dump = dump(&system.database, "whole").await;
    without.kill();
    system.projector.start();
    let order = placement(&[workshops[0].id]);
    let lost = commissioner.post(&system.commands[0], "/v1/orders", &order);
    let lost = lost.await.ok();
    audit::everything(&system.database, &brokers).await;

    let (server, database) = restored(&dump).await;
    system.move_to(server, database);
    system.until(true).await;
    let pool = system.database.pool_app().await;
    assert_eq!(count(&pool, "SELECT count(*) FROM bonus.ledger").await, 3);
    let token = lost["position"].as_str().unwrap();
    let headers = [("atlas-min-position", token)];
    let foreign = commissioner
        .get(&system.query, "/v1/orders", &headers)
        .await;
    assert_eq!(foreign.code(), "POSITION_FOREIGN");

    // Killed once the act is recorded.
    let adopt = ["store", "adopt"];
    let lock = locked(&system.database.pool_owner().await).await;
    let log = state_folder().join("scenarios/adopt.log");
    let first = projector(&system, &brokers, &adopt);
    let mut first = Process::spawn("projector", first, &log, Signal::KILL).unwrap();
    eventually("the act", BOUND, || async {
        match count(&pool, ADOPTIONS).await {
            1 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    kafka::blocking(move || first.kill().map(|_| ()))
        .await
        .unwrap();
    lock.rollback().await.unwrap();
    assert_eq!(count(&pool, "SELECT count(*) FROM bonus.ledger").await, 3);

    // Two at once.
    let both = tokio::join!(
        told(&system, &brokers, &adopt),
        told(&system, &brokers, &adopt)
    );
    for (code, said) in [&both.0, &both.1] {
        assert_eq!(*code, Some(0), "{said}");
    }
    let said = format!("{}{}", both.0.1, both.1.1);
    assert!(said.contains("4 of the 7 facts"), "{said}");
    audit::everything_restored(&system.database, &brokers).await;

    let acts = count(&pool, ADOPTIONS).await;
    let (code, said) = told(&system, &brokers, &adopt).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("there is nothing to adopt"), "{said}");
    assert_eq!(count(&pool, ADOPTIONS).await, acts);

    place(&system, 2, &commissioner, &workshops).await;
    audit::everything_restored(&system.database, &brokers).await;
}

/// The events are those of an older dump, read models and checkpoints were saved: all readers are
/// ahead of the store, and new events lie at positions that they have passed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_are_ahead_of_the_store_are_put_right_or_rebuilt() {
    let broker = kafka::start().await;
    let brokers = broker.address();
    let mut system = System::start(&brokers).await;
    let client = Client::new();
    let operator = Party::new("operator", &client);
    let commissioner = Party::new("commissioner", &client);
    let workshops = [Party::new("workshop", &client)];
    operator.register(&system.commands[0], &workshops).await;
    place(&system, 3, &commissioner, &workshops).await;
    audit::everything(&system.database, &brokers).await;
    let old = dump(&system.database, "events").await;
    place(&system, 5, &commissioner, &workshops).await;
    audit::everything(&system.database, &brokers).await;
    relayed(&system.database.pool_app().await).await;
    let saved = dump(&system.database, "saved").await;

    let (server, database) = restored(&old).await;
    let superuser = database.pool_superuser().await;
    sqlx::raw_sql(
        r#"DO $$
           DECLARE name text;
           BEGIN
               FOR name IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
                           WHERE schemaname LIKE '%@1'
               LOOP EXECUTE 'TRUNCATE ' || name || ' CASCADE'; END LOOP;
           END $$;
           TRUNCATE store.checkpoints CASCADE"#,
    )
    .execute(&superuser)
    .await
    .unwrap();
    let url = database.url_superuser();
    let data = [
        "--data-only",
        "--disable-triggers",
        "--exit-on-error",
        "--dbname",
        &url,
    ];
    let rows = [
        "--schema=orders@1",
        "--schema=workshops@1",
        "--schema=bonus@1",
        &saved,
    ];
    tool("pg_restore", &[&data[..], &rows].concat()).await;
    let readers = ["--schema=store", "--table=checkpoints", &saved];
    tool("pg_restore", &[&data[..], &readers].concat()).await;

    system.move_to(server, database);
    let pool = system.database.pool_app().await;
    eventually("all readers halted", BOUND, || async {
        let halted = "SELECT count(*) FROM store.checkpoints
             WHERE state = 'halted' AND reason LIKE '%generation 1 does not hold in generation 2%'
               AND reason LIKE '%projector store adopt%'";
        match count(&pool, halted).await {
            4 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    for app in &system.commands {
        app.until(true).await;
    }
    place(&system, 1, &commissioner, &workshops).await;
    let (code, said) = told(&system, &brokers, &["rebuild", "orders"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("run `projector store adopt` first"), "{said}");

    let (code, said) = told(&system, &brokers, &["store", "adopt"]).await;
    assert_eq!(code, Some(3), "{said}");
    for part in [
        "relay: its checkpoint of generation 1",
        "workshops@1: its checkpoint of generation 1",
        "its rows are what the events say",
        "`projector rebuild orders` makes it anew",
        "`projector rebuild bonus` makes it anew",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for model in ["orders", "bonus"] {
        let (code, said) = told(&system, &brokers, &["rebuild", model]).await;
        assert_eq!(code, Some(3), "{said}");
        let (_, rows) = said.rsplit_once("--accept-differences ").unwrap();
        let (rows, _) = rows.split_once(' ').unwrap();
        let accept = ["rebuild", model, "--accept-differences", rows];
        let (code, said) = told(&system, &brokers, &accept).await;
        assert_eq!(code, Some(0), "{said}");
    }
    system.until(true).await;
    audit::everything_restored(&system.database, &brokers).await;
    let (code, said) = told(&system, &brokers, &["store", "adopt"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("there is nothing to adopt"), "{said}");
    place(&system, 1, &commissioner, &workshops).await;
    audit::everything_restored(&system.database, &brokers).await;
}
