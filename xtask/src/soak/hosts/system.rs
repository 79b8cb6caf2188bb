//! The system on its hosts: three with applications and Kafka, two with Postgres, one with the monitor
//! of these, and one with the balancer.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use dev_servers::{
    FailoverOptions, Host, HostNetwork, KafkaCluster, KafkaClusterOptions, PostgresPair, Process,
    reachable_folder, scratch_folder,
};

use super::applications::{self, Applications};
use crate::children;
use crate::command;
use crate::database;
use crate::failure::Failure;
use crate::http;
use crate::interrupt::Interrupt;
use crate::workspace;

/// From a start to readiness, on a machine that does much else.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// All of it. Dropping it ends every process, and then the hosts.
#[derive(Debug)]
pub(super) struct System {
    pub(super) applications: Applications,
    pub(super) kafka: KafkaCluster,
    pub(super) postgres: PostgresPair,
    network: HostNetwork,
}

/// What is on which host.
struct Places<'a> {
    /// Each with Kafka and a projector, the first two with the APIs too.
    applications: &'a [Host],
    postgres: [&'a Host; 2],
    monitor: &'a Host,
    balancer: &'a Host,
}

impl System {
    /// Starts everything, and waits until all of it is ready.
    pub(super) fn start(interrupt: &Interrupt) -> Result<Self, Failure> {
        let state = workspace::make_state()?;
        let network = HostNetwork::make(7)?;
        let places = Places::on(&network)?;
        let folder = scratch_folder(&reachable_folder(&state.join("hosts")));
        let postgres = PostgresPair::start(&FailoverOptions {
            folder: folder.clone(),
            monitor: places.monitor,
            nodes: places.postgres,
            roles: workspace::root().join("deploy/roles.sql"),
        })?;
        interrupt.check()?;
        make_database(&postgres)?;
        let kafka = KafkaCluster::start(&KafkaClusterOptions {
            cache: state.join("cache"),
            folder: scratch_folder(&state.join("kafka")),
            hosts: places.applications,
        })?;
        interrupt.check()?;
        let logs = logs()?;
        let applications = Applications::start(
            places.applications,
            places.balancer,
            &postgres.addresses(),
            &kafka.addresses(),
            &logs,
        )?;
        let mut system = Self {
            applications,
            kafka,
            postgres,
            network,
        };
        system.wait_until_ready(interrupt)?;
        Ok(system)
    }

    /// Where clients find it.
    pub(super) fn origin(&self) -> String {
        self.applications.origin.clone()
    }

    /// The host of one of each application.
    pub(super) fn first_host(&self) -> Result<&Host, Failure> {
        let host = self.network.hosts().first();
        host.ok_or_else(|| Failure::NotAsPromised("there is no host".to_owned()))
    }

    /// Waits until every application says that it is ready, and tells how long it took.
    pub(super) fn wait_until_ready(&mut self, interrupt: &Interrupt) -> Result<Duration, Failure> {
        let began = Instant::now();
        loop {
            let missing = self.not_ready();
            if missing.is_empty() {
                return Ok(began.elapsed());
            }
            self.check()?;
            if began.elapsed() > READY_WITHIN {
                return Err(Failure::NotAsPromised(format!(
                    "not ready within {} s: {}; logs: {}",
                    READY_WITHIN.as_secs(),
                    missing.join(", "),
                    logs()?.display(),
                )));
            }
            interrupt.pause()?;
        }
    }

    /// The applications that are not ready now.
    fn not_ready(&self) -> Vec<String> {
        let is_ready = |address: &SocketAddr| {
            http::status(*address, "/health/ready").is_ok_and(|status| status == 200)
        };
        let addresses = self.applications.addresses.iter();
        addresses
            .filter(|(_, address)| !is_ready(address))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// A failure if any process has ended.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        let applications = self.applications.processes.iter_mut();
        applications
            .chain(self.kafka.processes())
            .try_for_each(children::check)
    }
}

impl<'a> Places<'a> {
    fn on(network: &'a HostNetwork) -> Result<Self, Failure> {
        let [_, _, _, first, second, monitor, balancer] = network.hosts() else {
            let count = network.hosts().len();
            return Err(Failure::NotAsPromised(format!("{count} hosts")));
        };
        Ok(Self {
            applications: network.hosts().get(..3).unwrap_or_default(),
            postgres: [first, second],
            monitor,
            balancer,
        })
    }
}

/// The folder of the applications' logs.
fn logs() -> Result<PathBuf, Failure> {
    let logs = workspace::make_state()?.join("hosts/logs");
    fs::create_dir_all(&logs).map_err(Failure::file(&logs))?;
    Ok(logs)
}

/// The database, with the schema of this release, and the role that HAProxy looks as.
fn make_database(postgres: &PostgresPair) -> Result<(), Failure> {
    postgres.ask(
        "postgres",
        "CREATE ROLE atlas_probe LOGIN CONNECTION LIMIT 10",
    )?;
    postgres.ask(
        "postgres",
        "CREATE DATABASE atlas TEMPLATE atlas_template OWNER atlas_owner",
    )?;
    let [primary, _] = postgres.addresses();
    let mut migrate = Command::new(workspace::program("projector", false));
    applications::without_configuration(&mut migrate)
        .arg("migrate")
        .env(
            "ATLAS_DATABASE_URL",
            format!("postgres://atlas_owner@{primary}/{}", database::NAME),
        );
    command::run(migrate)
}

/// Starts a process on a host, with a log of its own.
pub(super) fn start_on(
    host: &Host,
    name: &str,
    program: &Path,
    logs: &Path,
    with: impl FnOnce(&mut Command),
) -> Result<Process, Failure> {
    let mut command = host.command(program);
    with(applications::without_configuration(&mut command));
    children::start(&format!("{name}-{}", host.address()), command, logs)
}
