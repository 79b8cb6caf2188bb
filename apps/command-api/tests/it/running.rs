//! The process as a child of the test.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use reqwest::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use test_support::eventually;

/// How long the process may take for what it is waited for.
const BOUND: Duration = Duration::from_secs(30);

/// A running process, and where it listens. Its end is the test's.
pub(crate) struct Running {
    child: Child,
    pub(crate) url: String,
}

impl Running {
    /// Starts the process with these variables beside those that say where everything is.
    pub(crate) async fn start(database_url: &str, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_command-api"))
            .env_clear()
            .env("ATLAS_DATABASE_URL", database_url)
            .env("ATLAS_COMMAND_ADDR", "127.0.0.1:0")
            .envs(variables.iter().copied())
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

    /// Waits until it says that it is ready.
    pub(crate) async fn is_ready(&self) {
        eventually("ready", BOUND, || async {
            let (status, body) = self.readiness().await;
            if status == 200 { Ok(()) } else { Err(body) }
        })
        .await;
    }

    /// Waits until it says exactly this of its readiness.
    pub(crate) async fn readiness_is(&self, expected: Value) {
        eventually("its readiness", BOUND, || async {
            let (_, body) = self.readiness().await;
            if body == expected { Ok(()) } else { Err(body) }
        })
        .await;
    }

    /// Waits until it says that its Redis is fit; or is not, and why.
    pub(crate) async fn redis_is(&self, ok: bool) {
        let expected = json!({
            "status": if ok { "ready" } else { "degraded" },
            "dependencies": [
                {"name": "postgres", "required": true, "ok": true},
                {"name": "schema", "required": true, "ok": true},
                {"name": "redis", "required": false, "ok": ok},
            ],
        });
        eventually("what it says of Redis", BOUND, || async {
            let (_, mut body) = self.readiness().await;
            let said = body.clone();
            let redis = body["dependencies"][2].as_object_mut();
            let detail = redis.and_then(|redis| redis.remove("detail"));
            if body == expected && detail.is_none() == ok {
                Ok(())
            } else {
                Err(said)
            }
        })
        .await;
    }

    async fn readiness(&self) -> (StatusCode, Value) {
        let response = reqwest::get(format!("{}/health/ready", self.url))
            .await
            .unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// Tells it to stop, and waits for its end.
    pub(crate) async fn stop(self) -> ExitStatus {
        self.terminate();
        self.ended().await
    }

    /// Tells it to stop.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) async fn ended(mut self) -> ExitStatus {
        eventually("the end of the process", BOUND, || {
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
