//! Apache Kafka starts, freezes, crashes and comes back with what it has.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use dev_servers::{KafkaOptions, Port, PrivateKafka};

fn start() -> PrivateKafka {
    PrivateKafka::start(KafkaOptions {
        cache: crate::workspace().join("target/atlas/cache"),
        folder: crate::scratch(),
        port: Port::Free,
    })
    .unwrap()
}

fn topics(broker: &PrivateKafka, arguments: &[&str]) -> String {
    let mut tool: Command = broker.tool("org.apache.kafka.tools.TopicCommand");
    tool.args(["--bootstrap-server", &broker.address()]);
    let output = tool.args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_topic_survives_a_crash_and_a_restart_on_the_same_port() {
    let mut broker = start();
    let address = broker.address();
    topics(&broker, &["--create", "--topic", "kept"]);

    broker.pause().unwrap();
    let frozen = TcpStream::connect(address.parse::<SocketAddr>().unwrap());
    assert!(frozen.is_ok(), "the system still takes connections");
    broker.resume().unwrap();

    broker.kill().unwrap();
    broker.restart().unwrap();
    assert_eq!(broker.address(), address);
    assert_eq!(topics(&broker, &["--list"]), "kept");

    broker.stop().unwrap();
    assert!(TcpStream::connect(address).is_err());
}
