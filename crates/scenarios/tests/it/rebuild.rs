//! Rebuilds beside a running system: killed while building, while checking and in the swap, with
//! clients that read all the while.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use dev_servers::{Process, Signal};
use serde_json::Value;
use sqlx::PgPool;
use test_support::eventually;

use crate::load::Load;
use crate::readers::Readers;
use crate::system::{System, state_folder, target_folder};
use crate::{audit, kafka};

const BOUND: Duration = Duration::from_secs(120);
const OPERATOR: &str = "01938f6e-0000-7000-8000-0000000000f2";
/// Where no Kafka is: read models are followed without it.
const NOWHERE: &str = "127.0.0.1:1";

fn command(system: &System, arguments: &[&str]) -> Command {
    let mut command = Command::new(target_folder().join("projector"));
    command
        .arg("rebuild")
        .args(arguments)
        .env("ATLAS_DATABASE_URL", system.database.url_app())
        .env("ATLAS_LEASE_MS", "2000")
        .stdin(Stdio::null());
    command
}

fn act(system: &System, arguments: &[&str]) -> Command {
    let mut command = command(system, arguments);
    command.args([
        "--yes",
        "--operator",
        OPERATOR,
        "--reason",
        "The titles were cut",
    ]);
    command
}

async fn ended(mut command: Command) -> Output {
    kafka::blocking(move || command.output()).await.unwrap()
}

/// Runs it until no other claim keeps it from its work.
async fn goes_on(system: &System, arguments: &[&str]) -> Output {
    eventually("the claim to run out", BOUND, || async {
        let output = ended(act(system, arguments)).await;
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("is under way") {
            assert_eq!(output.status.code(), Some(3), "{said}");
            return Err(said.into_owned());
        }
        Ok(output)
    })
    .await
}

/// A rebuild in the background, to be killed.
fn begin(system: &System, name: &str, arguments: &[&str]) -> Process {
    let log = state_folder()
        .join("scenarios")
        .join(format!("rebuild-{name}.log"));
    Process::spawn("projector", act(system, arguments), &log, Signal::KILL).unwrap()
}

async fn kill(mut process: Process) {
    kafka::blocking(move || process.kill()).await.unwrap();
}

/// The exit code, once it has ended.
async fn code(process: &mut Process) -> Option<i32> {
    let status = eventually("its end", BOUND, || {
        let ended = process.ended().unwrap();
        async move { ended.ok_or("it runs") }
    });
    status.await.code()
}

async fn until(pool: &PgPool, what: &str, holds: &str) {
    eventually(what, BOUND, || async {
        match sqlx::query_scalar::<_, Option<bool>>(holds)
            .fetch_one(pool)
            .await
        {
            Ok(Some(true)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

/// Takes up the claim that a killed one has left, in the background.
async fn begin_again(system: &System, pool: &PgPool, name: &str, arguments: &[&str]) -> Process {
    let ran_out = "SELECT expires_at < clock_timestamp() FROM read.rebuilds WHERE ended_at IS NULL";
    until(pool, "the claim to run out", ran_out).await;
    begin(system, name, arguments)
}

async fn served(pool: &PgPool) -> i32 {
    let version = sqlx::query_scalar("SELECT version FROM read.served WHERE model = 'orders'");
    version.fetch_one(pool).await.unwrap()
}

async fn shown(system: &System) -> Value {
    let output = ended(command(system, &["show", "orders", "--format", "json"])).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Whether the new version has this share, in hundredths, of what the served one has.
fn share(hundredths: i64) -> String {
    format!(
        "SELECT (SELECT delivered FROM store.checkpoints WHERE name = 'orders@2') * 100
             >= (SELECT delivered FROM store.checkpoints WHERE name = 'orders@1') * {hundredths}"
    )
}

/// A system with a history, and what goes on beside the rebuild.
async fn started() -> (System, Load, Readers, PgPool) {
    // A debug build on a busy machine is slow; that it is late is not what is tested here.
    let patient = [
        ("ATLAS_MIN_POSITION_WAIT_MS", "60000"),
        ("ATLAS_REQUEST_TIMEOUT_MS", "70000"),
    ];
    let system = System::start_with(NOWHERE, &patient).await;
    let load = Load::start(&system.commands, Some(60), Duration::from_millis(1)).await;
    load.finish().await;
    let load = Load::start(&system.commands, None, Duration::from_millis(400)).await;
    let readers = Readers::start(&system).await;
    let pool = system.database.pool_owner().await;
    (system, load, readers, pool)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_is_killed_at_every_step_and_goes_on_and_readers_see_nothing_of_it() {
    let (system, load, readers, pool) = started().await;
    let mut another = system.another_projector();
    another.start();
    let slowly = &["orders", "--max-rate", "300"][..];
    let building = begin(&system, "building", slowly);
    until(&pool, "a third to be built", &share(30)).await;
    let second = ended(act(&system, &["orders"])).await;
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(3), "{said}");
    assert!(
        said.contains("rebuild 1 of orders to version 2 is under way"),
        "{said}"
    );
    kill(building).await;
    assert_eq!(served(&pool).await, 1);

    let later = begin_again(&system, &pool, "later", slowly).await;
    // Every session of the projectors and of the rebuild ends; all of them go on.
    let watch = system.database.pool_superuser().await;
    until(&pool, "half of it to be built", &share(50)).await;
    let cut: i64 = sqlx::query_scalar(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE application_name ~ '^projector' AND datname = current_database()",
    )
    .fetch_one(&watch)
    .await
    .unwrap();
    assert!(cut > 5, "{cut} sessions");
    until(&pool, "nearly all to be built", &share(90)).await;
    kill(later).await;

    // Nobody can swap while the row that says what is served is locked; everybody can read it.
    let mut locked = pool.begin().await.unwrap();
    sqlx::query("SELECT FROM read.served FOR SHARE")
        .execute(&mut *locked)
        .await
        .unwrap();
    let swapping = begin_again(&system, &pool, "swapping", &["orders"]).await;
    let in_the_swap = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query ~ 'read.serve\\('
                       AND wait_event_type = 'Lock')";
    until(&watch, "the swap to be under way", in_the_swap).await;
    kill(swapping).await;
    locked.rollback().await.unwrap();
    assert_eq!(served(&pool).await, 1);
    assert_eq!(shown(&system).await["state"], "checking");

    let done = goes_on(&system, &["orders", "--keep"]).await;
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(served(&pool).await, 2);
    let told = shown(&system).await;
    assert_eq!(told["state"], "swapped");
    assert_eq!(told["certificate"]["verdict"], "equal", "{told}");
    assert_eq!(told["kept"], "orders@1");

    // There and back again: each in one command, for both versions are followed.
    for version in [1, 2] {
        let went = ended(act(&system, &["back", "orders"])).await;
        assert_eq!(went.status.code(), Some(0), "{went:?}");
        assert_eq!(served(&pool).await, version);
    }
    let again = goes_on(&system, &["orders"]).await;
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    until(
        &pool,
        "one version, with its checkpoint",
        "SELECT (SELECT array_agg(nspname::text) FROM pg_namespace WHERE nspname ~ '^orders@')
              = ARRAY['orders@3']
            AND (SELECT array_agg(name) FROM store.checkpoints WHERE name ~ '^orders@')
              = ARRAY['orders@3']",
    )
    .await;
    load.stop().await;
    let answers = readers.stop().await;
    println!("{answers} answers, each whole and none older than the one before");
    let app = system.database.pool_app().await;
    until(
        &pool,
        "the rows to be current",
        "SELECT (SELECT position FROM store.checkpoints WHERE name = 'orders@3')
              = (SELECT max(position) FROM store.events)",
    )
    .await;
    audit::rows_equal_a_fold(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_fault_is_found_beside_load_and_refused_until_it_is_accepted() {
    let (system, load, readers, pool) = started().await;
    let file: PathBuf =
        state_folder().join(format!("scenarios/certificate-{}.json", std::process::id()));
    let file = file.to_str().unwrap().to_owned();
    let arguments = ["orders", "--max-rate", "400", "--certificate", &file];
    // Told to stop, it gives its claim back, and the next start need not wait.
    let mut stopped = begin(&system, "stopped", &arguments);
    let begun = "SELECT delivered > 0 FROM store.checkpoints WHERE name = 'orders@2'";
    until(&pool, "some events to be taken", begun).await;
    stopped.signal(Signal::INT).unwrap();
    assert_eq!(code(&mut stopped).await, Some(1));
    let mut building = begin(&system, "planted", &arguments);
    until(
        &pool,
        "an order that will not move again",
        "SELECT to_regclass('\"orders@2\".orders') IS NOT NULL",
    )
    .await;
    let planted: String = eventually("an order that will not move again", BOUND, || async {
        sqlx::query_scalar(
            "UPDATE \"orders@2\".orders SET title = 'Another' WHERE order_id = (
                 SELECT order_id FROM \"orders@2\".orders WHERE state = 'completed' LIMIT 1)
             RETURNING order_id::text",
        )
        .fetch_optional(&pool)
        .await
        .unwrap()
        .ok_or("none yet")
    })
    .await;
    assert_eq!(code(&mut building).await, Some(3));
    assert_eq!(served(&pool).await, 1);
    let certificate: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(certificate["differing"], 1, "{certificate}");
    let difference = &certificate["differences"][0];
    assert_eq!(difference["key"]["order_id"], planted.as_str());
    assert_eq!(difference["fields"][0]["field"], "title");
    assert_eq!(shown(&system).await["certificate"], certificate);

    let wrong = goes_on(&system, &["orders", "--accept-differences", "2"]).await;
    assert_eq!(wrong.status.code(), Some(3), "{wrong:?}");
    let right = goes_on(&system, &["orders", "--accept-differences", "1"]).await;
    assert_eq!(right.status.code(), Some(0), "{right:?}");
    assert_eq!(served(&pool).await, 2);
    load.stop().await;
    readers.stop().await;
}
