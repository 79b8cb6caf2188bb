//! A replay beside the daemon: every message is there twice, and nothing else has changed.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use test_support::eventually;

use crate::commission::Party;
use crate::system::{System, target_folder};
use crate::{analysts, kafka};

const BOUND: Duration = Duration::from_secs(60);
const OPERATOR: &str = "01938f6e-0000-7000-8000-0000000000f1";
const ORDER_EVENTS: &str = "atlas.order-events.v1";

fn replay(system: &System, brokers: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(target_folder().join("projector"));
    command
        .args(["replay", "--operator", OPERATOR])
        .args(["--reason", "a consumer lost its state"])
        .args(arguments)
        .env("ATLAS_DATABASE_URL", system.database.url_app())
        .env("ATLAS_KAFKA_BROKERS", brokers)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// The traces of each message, by its id.
async fn traces(brokers: &str) -> BTreeMap<String, Vec<String>> {
    let mut traces: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in kafka::messages(brokers, ORDER_EVENTS).await {
        let header = |name: &str| message["headers"][name].as_str().unwrap().to_owned();
        traces
            .entry(header("ce_id"))
            .or_default()
            .push(header("traceparent"));
    }
    traces
}

async fn relay(system: &System) -> (i64, i64) {
    sqlx::query_as("SELECT position, epoch FROM store.checkpoints WHERE name = 'relay'")
        .fetch_optional(&system.database.pool_owner().await)
        .await
        .unwrap()
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_sent_again_and_a_stopped_replay_says_where_to_go_on() {
    let broker = kafka::start().await;
    let brokers = broker.address();
    let mut system = System::start(&brokers).await;
    let client = Client::new();
    let operator = Party::new("operator", &client);
    let commissioner = Party::new("commissioner", &client);
    let workshops = [Party::new("workshop", &client)];
    operator.register(&system.commands[0], &workshops).await;
    for _ in 0..5 {
        commissioner.place(&system.commands[0], &workshops).await;
    }
    let last: i64 = sqlx::query_scalar("SELECT max(position) FROM store.events")
        .fetch_one(&system.database.pool_owner().await)
        .await
        .unwrap();
    eventually("the relay to have sent them", BOUND, || async {
        let (position, _) = relay(&system).await;
        if position == last {
            Ok(())
        } else {
            Err(position)
        }
    })
    .await;
    assert_eq!(traces(&brokers).await.len(), 5);
    let rows = shown_to_analysts(&system, &brokers).await;
    let before = relay(&system).await;

    let mut asked = replay(&system, &brokers, &["--from", "1"]);
    let asked = kafka::blocking(move || asked.output()).await.unwrap();
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    let shown = String::from_utf8(asked.stderr).unwrap();
    assert!(shown.contains("will be sent to Kafka again"), "{shown}");

    let mut all = replay(&system, &brokers, &["--from", "1", "--yes"]);
    let all = kafka::blocking(move || all.output()).await.unwrap();
    assert_eq!(all.status.code(), Some(0), "{all:?}");
    let sent = traces(&brokers).await;
    let mut again: Vec<&str> = Vec::new();
    for traces in sent.values() {
        assert_eq!(traces.len(), 2, "{sent:?}");
        assert_ne!(traces[0], traces[1]);
        again.push(&traces[1]);
    }
    again.dedup();
    assert_eq!(again.len(), 1, "the replay has one trace: {again:?}");

    let slow = replay(
        &system,
        &brokers,
        &["--from", "1", "--max-rate", "1", "--yes"],
    )
    .spawn();
    let slow = slow.unwrap();
    eventually("a message to be there thrice", BOUND, || async {
        let sent = traces(&brokers).await;
        let thrice = sent.values().filter(|traces| traces.len() == 3).count();
        if thrice > 0 { Ok(()) } else { Err("none") }
    })
    .await;
    let mut interrupt = Command::new("kill");
    interrupt.args(["-INT", &slow.id().to_string()]);
    assert!(interrupt.status().unwrap().success());
    let stopped = kafka::blocking(move || slow.wait_with_output())
        .await
        .unwrap();
    assert_eq!(stopped.status.code(), Some(1), "{stopped:?}");
    let shown = String::from_utf8(stopped.stderr).unwrap();
    let (_, next) = shown.rsplit_once("go on with --from ").unwrap();
    let next = next.trim();

    let mut rest = replay(&system, &brokers, &["--from", next, "--yes"]);
    let rest = kafka::blocking(move || rest.output()).await.unwrap();
    assert_eq!(rest.status.code(), Some(0), "{rest:?}");
    let sent = traces(&brokers).await;
    assert!(sent.values().all(|traces| traces.len() >= 3), "{sent:?}");
    // What is beyond the relay is not for a replay.
    let beyond = (before.0 + 1_000).to_string();
    let mut beyond = replay(
        &system,
        &brokers,
        &["--from", "1", "--to", &beyond, "--yes"],
    );
    let beyond = kafka::blocking(move || beyond.output()).await.unwrap();
    assert_eq!(beyond.status.code(), Some(3), "{beyond:?}");

    // Its own acts are events, which the relay passes.
    let after = relay(&system).await;
    assert!(
        after.0 >= before.0 && after.1 == before.1,
        "{before:?} {after:?}"
    );
    acts(&system).await;

    // Whoever counts is told nothing new, by what came again nor by who takes over.
    assert_eq!(shown_to_analysts(&system, &brokers).await, rows);
    system.projector.kill();
    system.projector.start();
    system.until(true).await;
    assert_eq!(shown_to_analysts(&system, &brokers).await, rows);
}

/// Every row that analysts see, once everything that was sent has been taken in.
async fn shown_to_analysts(system: &System, brokers: &str) -> Vec<String> {
    kafka::until_taken_in(brokers, "atlas-bonus", ORDER_EVENTS).await;
    let mut migrate = Command::new(target_folder().join("projector"));
    migrate
        .arg("migrate")
        .env("ATLAS_DATABASE_URL", system.database.url("atlas_owner"));
    let migrated = kafka::blocking(move || migrate.output()).await.unwrap();
    assert!(migrated.status.success(), "{migrated:?}");
    let of = |view: &str, rows: &[String]| rows.iter().filter(|row| row.starts_with(view)).count();
    eventually("the read models to be up to date", BOUND, || async {
        let rows = analysts::rows(&system.database).await;
        match (of("orders(", &rows), of("bonus_ledger(", &rows)) {
            (5, 5) => Ok(rows),
            found => Err(format!("{found:?}")),
        }
    })
    .await
}

/// The trace that the replays have left.
async fn acts(system: &System) {
    let mut command = Command::new(target_folder().join("projector"));
    command
        .args(["acts", "--format", "json"])
        .env("ATLAS_DATABASE_URL", system.database.url_app());
    let shown = kafka::blocking(move || command.output()).await.unwrap();
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let ends = shown["acts"].as_array().unwrap().iter().rev();
    let ends: Vec<_> = ends
        .map(|act| {
            assert_eq!(
                (&act["act"], &act["operator"]),
                (&"replay".into(), &OPERATOR.into())
            );
            act["result"]["ended"].as_str().unwrap()
        })
        .collect();
    assert_eq!(ends, ["reached", "stopped", "reached"]);
}
