//! The broker and the printer as their users see them: as processes.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const TOPIC: &str = "atlas.order-events.v1";
const PATIENCE: Duration = Duration::from_secs(20);

fn dev_broker() -> Command {
    Command::new(env!("CARGO_BIN_EXE_dev-broker"))
}

/// A running broker, and where it listens.
struct Broker {
    process: Child,
    address: String,
}

impl Broker {
    fn start() -> Self {
        let mut process = dev_broker().stdout(Stdio::piped()).spawn().unwrap();
        let address = ready_line(process.stdout.take().unwrap());
        Self { process, address }
    }

    fn tail(&self, arguments: &[&str]) -> Output {
        dev_broker()
            .args(["tail", "--brokers", &self.address])
            .args(arguments)
            .output()
            .unwrap()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn ready_line(stdout: ChildStdout) -> String {
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    line.trim_end()
        .strip_prefix("ready kafka=")
        .unwrap_or_else(|| panic!("unexpected first line {line:?}"))
        .to_owned()
}

fn produce(address: &str, key: &str, values: &[&str]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .create()
        .unwrap();
    for value in values {
        let headers = OwnedHeaders::new().insert(Header {
            key: "ce_id",
            value: Some("1"),
        });
        producer
            .send(
                BaseRecord::to(TOPIC)
                    .key(key)
                    .payload(*value)
                    .headers(headers),
            )
            .map_err(|(error, _)| error)
            .unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Runs what blocks in a thread of its own, for as long as patience lasts.
fn within_patience<T: Send + 'static>(blocks: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, outcome) = mpsc::channel();
    std::thread::spawn(move || done.send(blocks()));
    outcome.recv_timeout(PATIENCE).ok()
}

#[test]
fn what_was_produced_is_printed_in_order_and_then_the_printer_stops() {
    let broker = Broker::start();
    produce(
        &broker.address,
        "k",
        &[r#"{"n":1}"#, r#"{"n":2}"#, "no JSON"],
    );

    let printed = lines(&broker.tail(&[
        "--topic",
        TOPIC,
        "--from-beginning",
        "--until-idle",
        "--timeout",
        "20",
    ]));

    let values: Vec<_> = printed.iter().map(|line| line["value"].clone()).collect();
    assert_eq!(values, [json!({"n": 1}), json!({"n": 2}), json!("no JSON")]);
    assert_eq!(printed[1]["topic"], TOPIC);
    assert_eq!(printed[1]["key"], "k");
    assert_eq!(printed[1]["offset"], 1);
    assert_eq!(printed[1]["headers"], json!({"ce_id": "1"}));
}

#[test]
fn a_count_ends_the_printer_and_a_timeout_short_of_it_fails() {
    let broker = Broker::start();
    produce(&broker.address, "k", &["1", "2"]);
    let from_beginning = ["--topic", TOPIC, "--from-beginning", "--timeout"];

    let one = broker.tail(&[&from_beginning[..], &["20", "--count", "1"]].concat());
    assert_eq!(lines(&one).len(), 1);

    let three = broker.tail(&[&from_beginning[..], &["5", "--count", "3"]].concat());
    assert_eq!(three.status.code(), Some(1));
    let message = String::from_utf8_lossy(&three.stderr);
    assert!(message.contains("2 messages"), "{message}");
}

#[test]
fn every_topic_is_there_and_empty() {
    let broker = Broker::start();
    for topic in [
        TOPIC,
        "atlas.order-events.v1.dlq",
        "atlas.bonus-events.v1",
        "atlas.bonus-events.v1.dlq",
    ] {
        let arguments = [
            "--topic",
            topic,
            "--from-beginning",
            "--until-idle",
            "--timeout",
            "20",
        ];
        assert_eq!(
            lines(&broker.tail(&arguments)),
            Vec::<Value>::new(),
            "{topic}"
        );
    }
}

#[test]
fn it_ends_when_told_to() {
    let mut process = dev_broker().stdout(Stdio::piped()).spawn().unwrap();
    ready_line(process.stdout.take().unwrap());
    kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
    let status = within_patience(move || process.wait().unwrap()).expect("it goes on");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn it_ends_with_the_process_that_started_it() {
    // A shell starts the broker, passes its line on, and ends when its standard input does. The
    // broker holds the shell's standard error, which is at its end only when the broker is too.
    let script = format!(
        "{} & exec >&-; read unused; exit 0",
        env!("CARGO_BIN_EXE_dev-broker")
    );
    let mut shell = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    ready_line(shell.stdout.take().unwrap());

    drop(shell.stdin.take());
    shell.wait().unwrap();
    let mut stderr = shell.stderr.take().unwrap();
    within_patience(move || stderr.read_to_end(&mut Vec::new()).unwrap())
        .expect("the broker outlived its parent");
}
