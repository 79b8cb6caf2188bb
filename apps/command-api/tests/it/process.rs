//! The process itself: it starts, serves, continues a trace, and stops when it is told to.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use kernel::Actor;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use test_support::{TestDatabase, eventually};

use crate::people::{COMMISSIONER, OAK, OPERATOR, SECRET, token};
use crate::scene::request;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// A running process, and where it listens. Its end is the test's.
struct Running {
    child: Child,
    url: String,
}

impl Running {
    async fn start(database_url: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_command-api"))
            .env_clear()
            .env("ATLAS_DATABASE_URL", database_url)
            .env("ATLAS_COMMAND_ADDR", "127.0.0.1:0")
            .env("ATLAS_JWT_SECRET", SECRET)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, mut addresses) = tokio::sync::mpsc::unbounded_channel();
        // Reads on until the end, so that the process never waits for its reader.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let line: Value = serde_json::from_str(&line).unwrap();
                if line["message"] == "listening" {
                    sender
                        .send(line["fields"]["address"].as_str().unwrap().to_owned())
                        .ok();
                }
            }
        });
        let address = tokio::time::timeout(Duration::from_secs(30), addresses.recv());
        let address = address.await.unwrap().unwrap();
        let url = format!("http://{address}");
        Self { child, url }
    }

    async fn stop(mut self) -> ExitStatus {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        eventually("the end of the process", Duration::from_secs(10), || {
            let status = self.child.try_wait().unwrap();
            async move { status.ok_or("running") }
        })
        .await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

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
    let process = Running::start(&database.url_app()).await;
    let client = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", process.url);
    eventually("ready", Duration::from_secs(10), || async {
        let response = client.get(url("/health/ready")).send().await.unwrap();
        if response.status().is_success() {
            Ok(())
        } else {
            Err(response.text().await.unwrap())
        }
    })
    .await;

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
