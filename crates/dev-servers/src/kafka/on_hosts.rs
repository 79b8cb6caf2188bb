//! Apache Kafka on several hosts: each node is broker and controller, and a write counts once two
//! nodes have it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{artifacts, probe};
use crate::error::ServerError;
use crate::folders::{make_folder, remove_folder};
use crate::network::Host;
use crate::process::{LAST_LINES, POLL, Process, Signal};
use crate::tool::run_tool;

const READY_WITHIN: Duration = Duration::from_secs(180);
const BROKER_PORT: u16 = 9_092;
const CONTROLLER_PORT: u16 = 9_093;
/// Three of them share one machine, each as process 1 of its host: their performance data would share
/// one file.
const JVM: [&str; 5] = [
    "-XX:-UsePerfData",
    "-Xms256m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
];

/// How to run a [`KafkaCluster`].
#[derive(Debug, Clone)]
pub struct KafkaClusterOptions<'a> {
    /// The folder that Kafka's program is kept in between runs; it is fetched there once.
    pub cache: PathBuf,
    /// The folder for the nodes' data and logs; removed at the end.
    pub folder: PathBuf,
    /// A node runs on each.
    pub hosts: &'a [Host],
}

/// A cluster that is ours alone and dies with us.
#[derive(Debug)]
pub struct KafkaCluster {
    folder: PathBuf,
    brokers: Vec<SocketAddr>,
    processes: Vec<Process>,
}

impl KafkaCluster {
    /// Fetches Kafka if the cache lacks it, starts an empty cluster and waits until each node knows
    /// all of them.
    ///
    /// # Errors
    /// Any [`ServerError`]; nothing is left running then.
    pub fn start(options: &KafkaClusterOptions<'_>) -> Result<Self, ServerError> {
        let class_path = artifacts::fetch(&options.cache)?.join("*");
        make_folder(&options.folder, 0o755)?;
        let mut random_id = java(&class_path, "kafka.tools.StorageTool");
        random_id.arg("random-uuid");
        let cluster = run_tool("Kafka's StorageTool", random_id, "")?;
        let address = |host: &Host| SocketAddr::from((host.address(), BROKER_PORT));
        let mut kafka = Self {
            folder: options.folder.clone(),
            brokers: options.hosts.iter().map(address).collect(),
            processes: Vec::new(),
        };
        for (id, host) in (1..).zip(options.hosts) {
            let settings = options.folder.join(format!("{id}.properties"));
            let data = options.folder.join(format!("{id}.data"));
            let text = settings_of(id, host, options.hosts, &data);
            fs::write(&settings, text).map_err(ServerError::folder(&settings))?;
            let mut format = java(&class_path, "kafka.tools.StorageTool");
            format
                .args(["format", "--cluster-id", &cluster, "--config"])
                .arg(&settings);
            run_tool("Kafka's StorageTool", format, "")?;
            kafka.launch(id, host, &class_path, &settings)?;
        }
        kafka.wait_until_ready()?;
        Ok(kafka)
    }

    /// Where clients find it: every node as host and port, separated by commas.
    #[must_use]
    pub fn addresses(&self) -> String {
        let brokers: Vec<_> = self.brokers.iter().map(SocketAddr::to_string).collect();
        brokers.join(",")
    }

    /// Whether each node knows all of them now.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let all = self.brokers.len();
        let mut brokers = self.brokers.iter();
        brokers.all(|broker| probe::count_brokers(*broker).ok() == Some(all))
    }

    /// The nodes' processes, for whoever watches over them.
    pub fn processes(&mut self) -> &mut [Process] {
        &mut self.processes
    }

    fn launch(
        &mut self,
        id: u32,
        host: &Host,
        class_path: &Path,
        settings: &Path,
    ) -> Result<(), ServerError> {
        let mut java = host.command(Path::new("java"));
        java.args(JVM)
            .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
            .arg("-cp")
            .arg(class_path)
            .arg("kafka.Kafka")
            .arg(settings);
        let log = self.folder.join(format!("{id}.log"));
        let name = format!("Apache Kafka {id}");
        let process = Process::spawn(&name, java, &log, Signal::KILL)?;
        self.processes.push(process);
        Ok(())
    }

    fn wait_until_ready(&mut self) -> Result<(), ServerError> {
        let deadline = Instant::now() + READY_WITHIN;
        let all = self.brokers.len();
        for (broker, process) in self.brokers.iter().zip(&mut self.processes) {
            while probe::count_brokers(*broker).ok() != Some(all) {
                if process.ended()?.is_some() || Instant::now() > deadline {
                    return Err(ServerError::NotReady {
                        server: "Apache Kafka",
                        log: process.last_log_lines(LAST_LINES),
                    });
                }
                thread::sleep(POLL);
            }
        }
        Ok(())
    }
}

impl Drop for KafkaCluster {
    fn drop(&mut self) {
        self.processes.clear();
        // Best effort: what is left lies under target/ and is in nobody's way.
        drop(remove_folder(&self.folder));
    }
}

fn java(class_path: &Path, class: &str) -> Command {
    let mut java = Command::new("java");
    java.arg("-cp").arg(class_path).arg(class);
    java
}

fn settings_of(id: u32, host: &Host, hosts: &[Host], data: &Path) -> String {
    let address = host.address();
    let voters: Vec<_> = (1..)
        .zip(hosts)
        .map(|(id, host): (u32, _)| format!("{id}@{}:{CONTROLLER_PORT}", host.address()))
        .collect();
    let copies = hosts.len();
    let kept_by = copies.saturating_sub(1).max(1);
    format!(
        "process.roles=broker,controller\n\
         node.id={id}\n\
         listeners=PLAINTEXT://{address}:{BROKER_PORT},CONTROLLER://{address}:{CONTROLLER_PORT}\n\
         advertised.listeners=PLAINTEXT://{address}:{BROKER_PORT}\n\
         controller.listener.names=CONTROLLER\n\
         controller.quorum.voters={}\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
         log.dirs={}\n\
         auto.create.topics.enable=false\n\
         group.initial.rebalance.delay.ms=0\n\
         default.replication.factor={copies}\n\
         min.insync.replicas={kept_by}\n\
         offsets.topic.replication.factor={copies}\n\
         offsets.topic.num.partitions=4\n\
         transaction.state.log.replication.factor={copies}\n\
         transaction.state.log.min.isr={kept_by}\n\
         transaction.state.log.num.partitions=4\n",
        voters.join(","),
        data.display(),
    )
}
