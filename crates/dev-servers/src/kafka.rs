//! Apache Kafka on this machine: one node without ZooKeeper, or a cluster of several, from its Maven
//! artifacts alone.

mod artifacts;
mod cluster;
mod node;
mod on_hosts;
mod probe;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::ServerError;
use crate::folders::{make_folder, remove_file, remove_folder};
use crate::port::{Port, is_port_free};
use crate::process::{LAST_LINES, POLL, Process, Signal, last_lines};
use crate::tool::run_tool;
pub use cluster::ClusterOptions;
use node::Node;
pub use on_hosts::{KafkaCluster, KafkaClusterOptions};

const READY_WITHIN: Duration = Duration::from_secs(120);
const STOPPED_WITHIN: Duration = Duration::from_secs(30);
/// A node for a demo and tests needs no more, and starts in two seconds with it.
const JVM: [&str; 2] = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// How to run a [`PrivateKafka`].
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// The folder that Kafka's program is kept in between runs; it is fetched there once.
    pub cache: PathBuf,
    /// The folder for the broker's data and log; made anew at the start and removed at the end.
    pub folder: PathBuf,
    /// Where to listen.
    pub port: Port,
}

/// A Kafka broker that is ours alone and dies with us. Dropping it kills it and removes its data.
#[derive(Debug)]
pub struct PrivateKafka {
    folder: PathBuf,
    class_path: PathBuf,
    node: Node,
    process: Option<Process>,
}

impl PrivateKafka {
    /// Fetches Kafka if the cache lacks it, starts an empty broker and waits until it answers.
    ///
    /// # Errors
    /// Any [`ServerError`]; nothing is left running then.
    pub fn start(options: KafkaOptions) -> Result<Self, ServerError> {
        options.port.check()?;
        let class_path = artifacts::fetch(&options.cache)?;
        let mut broker = Self {
            folder: options.folder,
            class_path,
            node: Node::default(),
            process: None,
        };
        let mut outcome = Ok(());
        for _ in 0..options.port.tries() {
            broker.node = Node::alone(options.port.choose()?, Port::Free.choose()?);
            let cluster = broker.random_id()?;
            outcome = broker.format(&cluster).and_then(|()| broker.launch());
            if outcome.is_ok() || is_port_free(broker.node.port) {
                break;
            }
        }
        outcome.map(|()| broker)
    }

    /// Where clients find it, as host and port; the same after every restart.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.node.port)
    }

    /// Stops it in order; [`PrivateKafka::restart`] starts it again.
    ///
    /// # Errors
    /// [`ServerError::Process`].
    pub fn stop(&mut self) -> Result<(), ServerError> {
        if let Some(mut process) = self.process.take() {
            process.stop(Signal::TERM, STOPPED_WITHIN)?;
        }
        Ok(())
    }

    /// Ends it at once, as a crash would.
    ///
    /// # Errors
    /// [`ServerError::Process`].
    pub fn kill(&mut self) -> Result<(), ServerError> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
        }
        Ok(())
    }

    /// Starts it again on the same port and data; stops it before that if it runs.
    ///
    /// # Errors
    /// Any [`ServerError`] of a start.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        self.stop()?;
        self.launch()
    }

    /// Freezes it: connections stay, answers do not come.
    ///
    /// # Errors
    /// [`ServerError::Process`].
    pub fn pause(&mut self) -> Result<(), ServerError> {
        self.signal(Signal::STOP)
    }

    /// Ends a [`PrivateKafka::pause`].
    ///
    /// # Errors
    /// [`ServerError::Process`].
    pub fn resume(&mut self) -> Result<(), ServerError> {
        self.signal(Signal::CONT)
    }

    /// The broker's process while it is started, for whoever watches over it.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// A command that runs one of Kafka's own tools, by its class, such as
    /// `org.apache.kafka.tools.TopicCommand`.
    #[must_use]
    pub fn tool(&self, class: &str) -> Command {
        let mut java = Command::new("java");
        java.arg("-cp").arg(self.class_path.join("*")).arg(class);
        java
    }

    fn signal(&mut self, signal: Signal) -> Result<(), ServerError> {
        match &mut self.process {
            Some(process) => Ok(process.signal(signal)?),
            None => Ok(()),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("kafka.log")
    }

    fn settings(&self) -> PathBuf {
        self.folder.join("server.properties")
    }

    /// The id of a cluster that nobody has.
    fn random_id(&self) -> Result<String, ServerError> {
        let mut random_id = self.tool("kafka.tools.StorageTool");
        random_id.arg("random-uuid");
        run_tool("Kafka's StorageTool", random_id, "")
    }

    /// Makes an empty data folder of this cluster.
    fn format(&self, cluster: &str) -> Result<(), ServerError> {
        remove_folder(&self.data())?;
        remove_file(&self.log())?;
        make_folder(&self.folder, 0o755)?;
        let settings = self.node.settings(&self.data().to_string_lossy());
        fs::write(self.settings(), settings).map_err(ServerError::folder(&self.settings()))?;
        let mut format = self.tool("kafka.tools.StorageTool");
        format
            .args(["format", "--cluster-id", cluster, "--config"])
            .arg(self.settings())
            .args(self.node.format_arguments());
        run_tool("Kafka's StorageTool", format, "").map(drop)
    }

    fn launch(&mut self) -> Result<(), ServerError> {
        self.spawn()?;
        self.wait(1)
    }

    fn spawn(&mut self) -> Result<(), ServerError> {
        let mut java = Command::new("java");
        java.args(self.node.heap())
            .args(JVM)
            .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
            .arg("-cp")
            .arg(self.class_path.join("*"))
            .arg("kafka.Kafka")
            .arg(self.settings());
        let process = Process::spawn("Apache Kafka", java, &self.log(), Signal::KILL)?;
        self.process = Some(process);
        Ok(())
    }

    /// Waits until it answers, and knows of so many brokers.
    fn wait(&mut self, brokers: i32) -> Result<(), ServerError> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let ended = match &mut self.process {
                Some(process) => process.ended()?.is_some(),
                None => true,
            };
            if ended || Instant::now() > deadline {
                self.process = None;
                return Err(ServerError::NotReady {
                    server: "Apache Kafka",
                    log: last_lines(&self.log(), LAST_LINES),
                });
            }
            if probe::knows_of(self.node.port) >= brokers {
                return Ok(());
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for PrivateKafka {
    fn drop(&mut self) {
        // Best effort: what is left lies under target/ and is in nobody's way.
        if self.kill().is_ok() {
            drop(remove_folder(&self.folder));
        }
    }
}
