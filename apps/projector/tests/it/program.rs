//! The built program, and what it said.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// What it printed, read as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// Runs the projector with nobody who would answer; nothing but the database is configured.
pub(crate) fn projector(database_url: &str, arguments: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_projector"))
        .args(arguments)
        .env_clear()
        .env("ATLAS_DATABASE_URL", database_url)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Said {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The daemon with some of its roles; it is killed when dropped.
pub(crate) struct Daemon {
    process: Child,
    /// Where it serves health and metrics.
    pub(crate) address: String,
}

impl Daemon {
    /// Starts one that reaches no Kafka.
    pub(crate) fn start(database_url: &str, roles: &str, variables: &[(&str, &str)]) -> Self {
        // Free now, and hardly taken in the moment until it listens there.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let process = Command::new(env!("CARGO_BIN_EXE_projector"))
            .args(["run", "--only", roles])
            .env_clear()
            .env("ATLAS_DATABASE_URL", database_url)
            .env("ATLAS_KAFKA_BROKERS", "127.0.0.1:1")
            .env("ATLAS_PROJECTOR_ADDR", &address)
            .env("ATLAS_LEASE_MS", "1000")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, address }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
