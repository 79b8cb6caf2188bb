//! The process itself: it starts, serves, and stops when it is told to.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use test_support::{TestDatabase, eventually};

use crate::people::{OPERATOR, SECRET, token};

/// A running process, and where it listens. Its end is the test's.
struct Running {
    child: Child,
    url: String,
}

impl Running {
    async fn start(database_url: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_query-api"))
            .env_clear()
            .env("ATLAS_DATABASE_URL", database_url)
            .env("ATLAS_QUERY_ADDR", "127.0.0.1:0")
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
                    let address = line["fields"]["address"].as_str().unwrap();
                    sender.send(address.to_owned()).ok();
                }
            }
        });
        let address = tokio::time::timeout(Duration::from_secs(30), addresses.recv());
        let address = address.await.unwrap().unwrap();
        Self {
            child,
            url: format!("http://{address}"),
        }
    }

    async fn stop(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
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

    let orders = client.get(url("/v1/orders")).bearer_auth(token(OPERATOR));
    let orders = orders.send().await.unwrap();
    assert_eq!(orders.status(), 200);
    assert_eq!(
        orders.json::<Value>().await.unwrap(),
        json!({"items": [], "nextCursor": null})
    );
    let metrics = client.get(url("/metrics")).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("atlas_http_request_seconds"), "{metrics}");
    let status = process.stop().await;
    assert!(status.success(), "{status}");
}

#[test]
fn a_process_without_configuration_says_all_that_is_missing() {
    let output = Command::new(env!("CARGO_BIN_EXE_query-api"))
        .env_clear()
        .env("ATLAS_MIN_POSITION_WAIT_MS", "soon")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    for name in [
        "ATLAS_DATABASE_URL",
        "ATLAS_JWT_SECRET",
        "ATLAS_MIN_POSITION_WAIT_MS",
    ] {
        assert!(said.contains(name), "{said}");
    }
}
