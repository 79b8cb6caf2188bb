//! The process itself: it starts, serves, continues a trace, and stops when it is told to.

use std::process::Command;

use kernel::Actor;
use serde_json::{Value, json};
use test_support::TestDatabase;

use crate::people::{COMMISSIONER, OAK, OPERATOR, SECRET, published_keys, published_token, token};
use crate::running::Running;
use crate::scene::request;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

async fn send(request: reqwest::RequestBuilder, actor: Actor, body: &Value) -> Value {
    let request = request.bearer_auth(token(actor)).json(body);
    let response = request.header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"));
    let response = response.send().await.unwrap();
    assert!(response.status().is_success(), "{response:?}");
    response.json().await.unwrap()
}

#[tokio::test]
async fn the_process_serves_and_stops_when_told() {
    let database = TestDatabase::create().await;
    let secret = ("ATLAS_JWT_SECRET", SECRET);
    let process = Running::start(&database.url_app(), &[secret]).await;
    let client = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", process.url);
    process.is_ready().await;

    let workshop = format!("/v1/workshops/{}", OAK.id);
    let entry = json!({"name": "Oak", "acceptsCommissions": true});
    send(client.put(url(&workshop)), OPERATOR, &entry).await;
    let placed = send(
        client.post(url("/v1/orders")),
        COMMISSIONER,
        &request(&[OAK]),
    )
    .await;
    let order_id = placed["orderId"].as_str().unwrap().parse().unwrap();
    let pool = database.pool_app().await;
    let mut connection = pool.acquire().await.unwrap();
    let stream = event_store::StreamId::order(order_id);
    let streams = event_store::load(&mut connection, &[stream]).await.unwrap();
    let metadata = streams[0].events[0].metadata().unwrap();
    let traceparent = metadata.traceparent.unwrap();
    assert!(
        traceparent.starts_with(&format!("00-{TRACE}-")),
        "{traceparent}"
    );

    let metrics = client
        .get(url("/metrics"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(metrics.contains("atlas_append_seconds"), "{metrics}");
    let status = process.stop().await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn a_configuration_with_faults_is_refused_with_all_of_them() {
    let output = Command::new(env!("CARGO_BIN_EXE_command-api"))
        .env_clear()
        .env("ATLAS_COMMAND_ADDR", "here")
        .env("ATLAS_REQUEST_TIMEOUT_MS", "soon")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    for name in [
        "ATLAS_COMMAND_ADDR",
        "ATLAS_REQUEST_TIMEOUT_MS",
        "ATLAS_DATABASE_URL",
        "ATLAS_JWT_SECRET",
    ] {
        assert!(text.contains(name), "{name} is not named in: {text}");
    }
}

#[tokio::test]
async fn a_process_without_keys_is_not_ready_and_puts_tokens_off() {
    let database = TestDatabase::create().await;
    let file = std::env::temp_dir().join(format!("atlas-jwks-{}.json", std::process::id()));
    let keys = ("ATLAS_JWT_JWKS", file.to_str().unwrap());
    let production = ("ATLAS_PROFILE", "production");
    let process = Running::start(&database.url_app(), &[keys, production]).await;
    process
        .readiness_is(json!({
            "status": "unready",
            "dependencies": [
                {"name": "postgres", "required": true, "ok": true},
                {"name": "schema", "required": true, "ok": true},
                {
                    "name": "keys", "required": true, "ok": false,
                    "detail": "the file of published keys cannot be read: No such file or \
                               directory (os error 2)",
                },
            ],
        }))
        .await;
    let ask = async || {
        let workshop = format!("{}/v1/workshops/{}", process.url, OAK.id);
        let request = reqwest::Client::new().put(workshop);
        let request = request.bearer_auth(published_token(OPERATOR));
        let entry = json!({"name": "Oak", "acceptsCommissions": true});
        request.json(&entry).send().await.unwrap()
    };
    let put_off = ask().await;
    assert_eq!(put_off.status(), 503);
    let problem: Value = put_off.json().await.unwrap();
    assert_eq!(problem["code"], "KEYS_UNAVAILABLE");

    std::fs::write(&file, published_keys().to_string()).unwrap();
    process.is_ready().await;
    std::fs::remove_file(file).unwrap();
    assert_eq!(ask().await.status(), 201);
    assert!(process.stop().await.success());
}
