//! `xtask demo` tells the story, and leaves nothing behind when it is killed in the middle of it.

use std::array;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use dev_servers::{free_port, is_port_free};

use crate::db::wait_until_nobody_listens;

#[test]
fn a_busy_port_is_named_before_anything_starts() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let demo = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["demo", "--once"])
        .env("ATLAS_COMMAND_ADDR", &address)
        .output()
        .unwrap();
    let words = String::from_utf8(demo.stderr).unwrap();
    assert!(!demo.status.success());
    assert!(demo.stdout.is_empty());
    let named = format!("ATLAS_COMMAND_ADDR={address} is in use");
    assert!(words.contains(&named), "{words}");
}

/// The programs are built already where every test is run, as by `cargo xtask test`.
#[test]
fn a_crash_in_the_middle_leaves_no_process() {
    let ports: [u16; 5] = array::from_fn(|_| free_port().unwrap());
    let [command, query, projector, issuer, postgres] = ports;
    let mut demo = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("demo")
        .env("ATLAS_COMMAND_ADDR", format!("127.0.0.1:{command}"))
        .env("ATLAS_QUERY_ADDR", format!("127.0.0.1:{query}"))
        .env("ATLAS_PROJECTOR_ADDR", format!("127.0.0.1:{projector}"))
        .env("ATLAS_ISSUER_ADDR", format!("127.0.0.1:{issuer}"))
        .env("ATLAS_PG_PORT", postgres.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let story = BufReader::new(demo.stdout.take().unwrap());
    let mut lines = story.lines().map(Result::unwrap);
    let middle = lines.find(|line| line.starts_with(" 6. "));
    let listening = ports.map(|port| !is_port_free(port));
    demo.kill().unwrap();
    demo.wait().unwrap();

    assert!(middle.is_some(), "the story ended early");
    assert_eq!(listening, [true; 5]);
    ports.into_iter().for_each(wait_until_nobody_listens);
}
