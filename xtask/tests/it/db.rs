//! `xtask db` has the schema, and leaves nothing behind however it ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use dev_servers::{free_port, is_port_free};

const PATIENCE: Duration = Duration::from_secs(60);

/// It runs until Ctrl-C: a test that fails must not leave it behind.
struct Xtask(Child);

impl Drop for Xtask {
    fn drop(&mut self) {
        drop(self.0.kill().and_then(|()| self.0.wait()));
    }
}

/// Starts it on a free port, and returns it with the line that it prints when it is ready.
fn start() -> (Xtask, u16, String) {
    let port = free_port().unwrap();
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("db")
        .env("ATLAS_PG_PORT", port.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(xtask.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    (Xtask(xtask), port, line.trim_end().to_owned())
}

pub(crate) fn wait_until_nobody_listens(port: u16) {
    let deadline = Instant::now() + PATIENCE;
    while !is_port_free(port) {
        assert!(Instant::now() < deadline, "port {port} is still in use");
        thread::yield_now();
    }
}

#[test]
fn a_signal_ends_it_in_order() {
    let (mut xtask, port, line) = start();
    assert_eq!(
        line,
        format!("export DATABASE_URL=postgres://atlas_owner@127.0.0.1:{port}/atlas")
    );
    let kill = format!("kill -INT {}", xtask.0.id());
    let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
    assert!(sent.success());
    assert!(xtask.0.wait().unwrap().success());
    assert!(is_port_free(port));
}

#[test]
fn a_crash_takes_the_server_with_it() {
    let (mut xtask, port, _) = start();
    assert!(!is_port_free(port));
    xtask.0.kill().unwrap();
    xtask.0.wait().unwrap();
    wait_until_nobody_listens(port);
}

#[test]
fn a_busy_port_is_named() {
    let (_first, port, _) = start();
    let second = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("db")
        .env("ATLAS_PG_PORT", port.to_string())
        .output()
        .unwrap();
    let words = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success());
    assert!(
        words.contains(&format!("ATLAS_PG_PORT={port} is in use")),
        "{words}"
    );
}
