//! The auditor of the daemon: what is wrong is named by its key, and forgotten once it is right.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use projections::Model;
use serde_json::{Value, json};
use test_support::{TestDatabase, eventually};

use crate::program::{Daemon, projector};
use crate::store::{as_owner, catch_up, directory, place};

/// Within a minute of looking, says the contract; a round of so few rows takes five seconds.
const BOUND: Duration = Duration::from_secs(60);

/// What the auditor found: what it is of, the stream, the item, and what is wrong.
async fn finds(database: &TestDatabase, expected: &[[&str; 4]]) {
    let expected: Vec<Value> = expected.iter().map(|it| json!(it)).collect();
    eventually("the findings", BOUND, || async {
        let said = projector(&database.url_app(), &["status", "--format", "json"]);
        let found = said.json()["findings"].as_array().unwrap().clone();
        let found: Vec<Value> = found
            .iter()
            .map(|it| json!([it["subject"], it["stream"], it["item"], it["what"]]))
            .collect();
        if found == expected {
            Ok(())
        } else {
            Err(json!(found))
        }
    })
    .await;
}

/// The values of the series that begin with `name`.
fn metrics(daemon: &Daemon, name: &str) -> Vec<String> {
    let mut answer = String::new();
    let mut stream = TcpStream::connect(&daemon.address).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.0\r\nHost: it\r\n\r\n")
        .unwrap();
    stream.read_to_string(&mut answer).unwrap();
    let lines = answer.lines().filter(|line| line.starts_with(name));
    lines.map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn what_was_done_to_rows_and_checkpoints_is_named_and_forgotten_when_it_is_undone() {
    let database = directory().await;
    let (kept, gone) = (place(&database, 0xa1).await, place(&database, 0xa2).await);
    catch_up(&database, Model::Orders).await;
    catch_up(&database, Model::Workshops).await;
    let auditor = Daemon::start(
        &database.url_app(),
        "auditor",
        &[("ATLAS_AUDIT_INTERVAL_MS", "1000")],
    );
    eventually("a whole round", BOUND, || async {
        let pool = database.pool_app().await;
        let proved: i64 =
            sqlx::query_scalar("SELECT count(*) FROM ops.audits WHERE proved_since IS NOT NULL")
                .fetch_one(&pool)
                .await
                .unwrap();
        if proved == 4 { Ok(()) } else { Err(proved) }
    })
    .await;
    finds(&database, &[]).await;

    // A delivered row is deleted, a field is changed, a checkpoint is moved past an event.
    as_owner(
        &database,
        &format!(
            "CREATE TABLE public.before AS SELECT * FROM \"orders@1\".orders;
             DELETE FROM \"orders@1\".orders WHERE order_id = '{}';
             UPDATE \"orders@1\".orders SET title = 'Elm chair' WHERE order_id = '{}'",
            gone.key(),
            kept.key(),
        ),
    )
    .await;
    let skipped = place(&database, 0xa3).await;
    as_owner(
        &database,
        "UPDATE store.checkpoints SET position = 6 WHERE name = 'workshops@1'",
    )
    .await;
    let what = format!(
        "5 of 6 events were delivered, another digest: \
         00000000-0000-00a3-0000-000000000001 was skipped, version 1 of {skipped}, at 6"
    );
    finds(
        &database,
        &[
            [
                "orders",
                kept.key(),
                "orders title",
                r#"title is "Elm chair", not "Oak table""#,
            ],
            ["orders", gone.key(), "orders", "the row is missing"],
            ["store", "workshops@1", "", &what],
        ],
    )
    .await;
    eventually("the gauges", BOUND, || async {
        let found = [
            metrics(&auditor, "atlas_audit_drift{model=\"orders\"}"),
            metrics(&auditor, "atlas_audit_missing{reader=\"workshops@1\"}"),
        ];
        let expected = [
            vec!["atlas_audit_drift{model=\"orders\"} 2".to_owned()],
            vec!["atlas_audit_missing{reader=\"workshops@1\"} 1".to_owned()],
        ];
        if found == expected {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
    assert_eq!(
        metrics(&auditor, "atlas_audit_oldest_unproved_seconds{").len(),
        3
    );

    as_owner(
        &database,
        "DELETE FROM \"orders@1\".orders;
         INSERT INTO \"orders@1\".orders TABLE public.before;
         UPDATE store.checkpoints SET position = 5 WHERE name = 'workshops@1'",
    )
    .await;
    finds(&database, &[]).await;
}

/// Its lease is a second long.
#[tokio::test]
async fn one_audits_and_another_takes_over_where_it_was() {
    let database = directory().await;
    let owner = async || -> Option<String> {
        let held = "SELECT owner FROM ops.leases
                    WHERE name = 'auditor' AND expires_at > clock_timestamp()";
        sqlx::query_scalar(held)
            .fetch_optional(&database.pool_app().await)
            .await
            .unwrap()
    };
    let first = Daemon::start(&database.url_app(), "auditor", &[]);
    let of_first = eventually("an owner", BOUND, || async { owner().await.ok_or("none") }).await;
    let second = Daemon::start(&database.url_app(), "auditor", &[]);
    drop(first);
    eventually("another owner", BOUND, || async {
        match owner().await {
            Some(owner) if owner != of_first => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    drop(second);
}
