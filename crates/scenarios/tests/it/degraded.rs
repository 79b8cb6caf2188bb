//! A projector that cannot go on with a part of its work is degraded: it says so, and goes on with
//! the rest.

use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use test_support::eventually;

use crate::commission::Party;
use crate::kafka;
use crate::system::System;

const BOUND: Duration = Duration::from_secs(60);

/// Waits until the projector is in this state, with everything answering but Kafka, perhaps.
async fn readiness_is(system: &System, status: &str, kafka: Option<&str>) {
    let mut expected = json!({
        "status": status,
        "dependencies": [
            {"name": "postgres", "required": true, "ok": true},
            {"name": "schema", "required": true, "ok": true},
            {"name": "orders", "required": true, "ok": true},
            {"name": "workshops", "required": true, "ok": true},
            {"name": "bonus", "required": true, "ok": true},
            {"name": "relay", "required": false, "ok": true},
            {"name": "kafka", "required": false, "ok": kafka.is_none()},
            {"name": "acts", "required": false, "ok": true},
        ],
    });
    if let Some(detail) = kafka {
        expected["dependencies"][6]["detail"] = json!(detail);
    }
    eventually("its readiness", BOUND, || async {
        let answer = reqwest::get(system.projector.url("/health/ready")).await;
        let answer = answer.unwrap();
        let status = answer.status();
        let found: Value = answer.json().await.unwrap();
        if status == 200 && found == expected {
            Ok(())
        } else {
            Err(format!("{status} {found}"))
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_takes_nothing_degrades_the_projector_and_stops_no_read_model() {
    let broker = kafka::start().await;
    let system = System::start(&broker.address()).await;
    let client = Client::new();
    let operator = Party::new("operator", &client);
    let commissioner = Party::new("commissioner", &client);
    let workshops = [Party::new("workshop", &client)];
    let commands = &system.commands[0];
    operator.register(commands, &workshops).await;
    readiness_is(&system, "ready", None).await;

    let owner = system.database.pool_owner().await;
    sqlx::raw_sql("REVOKE INSERT ON bonus.ledger FROM atlas_app")
        .execute(&owner)
        .await
        .unwrap();
    let placed = commissioner.place(commands, &workshops).await;
    let waiting = "1 partitions wait until their messages can be handled";
    readiness_is(&system, "degraded", Some(waiting)).await;
    eventually("the order to be read", BOUND, || async {
        let path = format!("/v1/orders/{placed}");
        match commissioner.get(&system.query, &path, &[]).await {
            answer if answer.status.is_success() => Ok(()),
            answer => Err(answer.status),
        }
    })
    .await;

    sqlx::raw_sql("GRANT INSERT ON bonus.ledger TO atlas_app")
        .execute(&owner)
        .await
        .unwrap();
    readiness_is(&system, "ready", None).await;
    let given_up: i64 = sqlx::query_scalar("SELECT count(*) FROM ops.dead_letters")
        .fetch_one(&owner)
        .await
        .unwrap();
    assert_eq!(given_up, 0);
}
