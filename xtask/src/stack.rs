//! The whole system as child processes: Postgres, a broker, the projector and the two APIs.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;
use dev_servers::packages::{self, Need};
use dev_servers::{Port, PrivatePostgres, Process, Shutdown, Signal};

use crate::build;
use crate::caller;
use crate::children;
use crate::command;
use crate::database;
use crate::failure::Failure;
use crate::http;
use crate::interrupt::Interrupt;
use crate::issuer;
use crate::people::Person;
use crate::token::DEVELOPMENT_SECRET;
use crate::web;
use crate::workspace;

const READY_WITHIN: Duration = Duration::from_secs(60);
/// More than an application gives itself to finish and to drop its work, and to say so.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// What to start.
#[derive(Debug, Args)]
pub(crate) struct StackOptions {
    /// Keeps the database in this folder over restarts; else each start is empty. Needs --kafka:
    /// the broker in memory would have forgotten what the database remembers.
    #[arg(long, value_name = "DIR", requires = "kafka")]
    pub(crate) data: Option<PathBuf>,
    /// Uses this Kafka instead of the broker in memory.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) kafka: Option<String>,
    /// Builds and runs optimised programs.
    #[arg(long)]
    pub(crate) release: bool,
}

impl Addresses {
    /// The origins of the pages, by both names of this machine.
    fn origins(self) -> Vec<String> {
        let port = self.query.port();
        vec![
            format!("http://{}", self.query),
            format!("http://localhost:{port}"),
        ]
    }
}

/// A system that can be started: its programs are built and its addresses free.
#[derive(Debug)]
pub(crate) struct Plan {
    options: StackOptions,
    state: PathBuf,
    addresses: Addresses,
    postgres: Port,
    /// Whom one can be by the development issuer, which is started if there is anybody.
    people: Vec<Person>,
}

/// Where the applications listen.
#[derive(Debug, Clone, Copy)]
struct Addresses {
    command: SocketAddr,
    query: SocketAddr,
    projector: SocketAddr,
    issuer: Option<SocketAddr>,
}

impl Plan {
    /// Installs what is missing and builds, unless an address is taken. `state` is the folder for
    /// logs and configuration: systems that run at once have folders of their own. Runs before
    /// [`Interrupt::listen`]: a signal ends us and the build at once. With `people` there is an
    /// issuer, by which they sign in.
    pub(crate) fn make(
        options: StackOptions,
        state: PathBuf,
        people: Vec<Person>,
    ) -> Result<Self, Failure> {
        let issuer = || free_address(issuer::ADDRESS, issuer::PORT);
        let addresses = Addresses {
            command: free_address("ATLAS_COMMAND_ADDR", 8_080)?,
            query: free_address("ATLAS_QUERY_ADDR", 8_081)?,
            projector: free_address("ATLAS_PROJECTOR_ADDR", 8_082)?,
            issuer: (!people.is_empty()).then(issuer).transpose()?,
        };
        let postgres = database::free_port()?;
        packages::ensure(&[Need::Compilers, Need::Postgres])?;
        // First: an optimised program has them inside.
        web::build_where_possible();
        build::programs(options.release)?;
        Ok(Self {
            options,
            state,
            addresses,
            postgres,
            people,
        })
    }

    /// Whether people can sign in on the pages.
    pub(crate) fn has_issuer(&self) -> bool {
        self.addresses.issuer.is_some()
    }
}

/// The running system. Dropping it ends every process.
#[derive(Debug)]
pub(crate) struct Stack {
    state: PathBuf,
    addresses: Addresses,
    kafka: String,
    release: bool,
    /// The variables that the processes are configured with.
    configuration: BTreeMap<String, String>,
    /// In the order in which they were started.
    processes: Vec<Process>,
    postgres: PrivatePostgres,
}

impl Stack {
    /// Starts everything, and waits until all of it is ready.
    pub(crate) fn start(plan: &Plan, interrupt: &Interrupt) -> Result<Self, Failure> {
        let postgres = database::start(plan.options.data.as_deref(), plan.postgres)?;
        let Addresses {
            command,
            query,
            projector,
            issuer,
        } = plan.addresses;
        let mut configuration = configuration();
        for (name, value) in [
            (
                "ATLAS_DATABASE_URL",
                postgres.url("atlas_app", database::NAME),
            ),
            ("ATLAS_COMMAND_ADDR", command.to_string()),
            ("ATLAS_QUERY_ADDR", query.to_string()),
            ("ATLAS_PROJECTOR_ADDR", projector.to_string()),
            ("ATLAS_PAGES_ORIGINS", plan.addresses.origins().join(",")),
            ("ATLAS_PAGES_COMMAND_URL", format!("http://{command}")),
        ] {
            configuration.insert(name.to_owned(), value);
        }
        if let Some(address) = issuer {
            configuration.remove("ATLAS_JWT_SECRET");
            configuration.extend(issuer::configuration(address));
        }
        let mut stack = Self {
            state: plan.state.clone(),
            addresses: plan.addresses,
            kafka: String::new(),
            release: plan.options.release,
            configuration,
            processes: Vec::new(),
            postgres,
        };
        stack.start_processes(plan, interrupt)?;
        Ok(stack)
    }

    /// The line that says where everything is, for people and scripts.
    pub(crate) fn ready_line(&self) -> String {
        let Addresses {
            command,
            query,
            projector,
            ..
        } = self.addresses;
        let kafka = &self.kafka;
        let database = self.postgres.url("atlas_owner", database::NAME);
        format!(
            "ready command=http://{command} query=http://{query} projector=http://{projector} \
             kafka={kafka} database={database}"
        )
    }

    pub(crate) fn command_url(&self) -> String {
        format!("http://{}", self.addresses.command)
    }

    pub(crate) fn query_url(&self) -> String {
        format!("http://{}", self.addresses.query)
    }

    pub(crate) fn projector_url(&self) -> String {
        format!("http://{}", self.addresses.projector)
    }

    /// The broker's host and port.
    pub(crate) fn kafka(&self) -> &str {
        &self.kafka
    }

    pub(crate) fn postgres(&self) -> &PrivatePostgres {
        &self.postgres
    }

    /// A program of the same build as the running ones.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        workspace::program(name, self.release)
    }

    /// The folder of its logs.
    pub(crate) fn logs(&self) -> PathBuf {
        self.state.join("logs")
    }

    /// Writes the configuration to `env`, beside the logs, as lines that a shell takes, for a second
    /// instance and for the projector's commands. Addresses are left out: each instance has its own.
    pub(crate) fn write_environment(&self) -> Result<(), Failure> {
        let lines: String = self
            .configuration
            .iter()
            .filter(|(name, _)| !name.ends_with("_ADDR"))
            .map(|(name, value)| format!("export {name}='{}'\n", value.replace('\'', r"'\''")))
            .collect();
        let owner = self.postgres.url("atlas_owner", database::NAME);
        let hint = format!(
            "# For the applications. What changes the schema wants its owner:\n\
             #   ATLAS_DATABASE_URL={owner} target/debug/projector migrate\n"
        );
        let file = self.state.join("env");
        fs::write(&file, hint + &lines).map_err(Failure::file(&file))
    }

    /// Stays until we are asked to end; a process that ends before is a failure.
    pub(crate) fn watch(&mut self, interrupt: &Interrupt) -> Result<(), Failure> {
        loop {
            self.check()?;
            interrupt.pause()?;
        }
    }

    /// Ends every process in order, giving each the time to finish its work.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        for process in self.processes.iter_mut().rev() {
            process.stop(Signal::TERM, STOPPED_WITHIN)?;
        }
        self.postgres.stop(Shutdown::Fast)?;
        Ok(())
    }

    fn start_processes(&mut self, plan: &Plan, interrupt: &Interrupt) -> Result<(), Failure> {
        let options = &plan.options;
        let logs = self.logs();
        fs::create_dir_all(&logs).map_err(Failure::file(&logs))?;

        match &options.kafka {
            Some(address) => self.kafka.clone_from(address),
            None => {
                let program = Command::new(workspace::program("dev-broker", options.release));
                let mut broker = children::start("dev-broker", program, &logs)?;
                self.kafka = broker_address(&mut broker, interrupt)?;
                self.processes.push(broker);
            }
        }
        let brokers = ("ATLAS_KAFKA_BROKERS".to_owned(), self.kafka.clone());
        self.configuration.extend([brokers]);
        self.migrate(options.release)?;
        if let Some(address) = self.addresses.issuer {
            let origins = self.addresses.origins();
            let issuer = issuer::start(address, &origins, &plan.people, options.release, &logs)?;
            self.processes.push(issuer);
            self.wait_until_answered(address, "/jwks", interrupt)?;
        }

        for (name, arguments, address) in [
            ("projector", Some("run"), self.addresses.projector),
            ("query-api", None, self.addresses.query),
            ("command-api", None, self.addresses.command),
        ] {
            let mut program = Command::new(workspace::program(name, options.release));
            program.args(arguments).envs(&self.configuration);
            self.processes.push(children::start(name, program, &logs)?);
            self.wait_until_answered(address, "/health/ready", interrupt)?;
        }
        Ok(())
    }

    fn migrate(&self, release: bool) -> Result<(), Failure> {
        let mut projector = Command::new(workspace::program("projector", release));
        projector
            .arg("migrate")
            .envs(&self.configuration)
            .env(
                "ATLAS_DATABASE_URL",
                self.postgres.url("atlas_owner", database::NAME),
            )
            .stdout(io::stderr());
        command::step("migrate", "the tables become those of this release", || {
            command::run(projector)
        })
    }

    /// Waits for the process that was started last.
    fn wait_until_answered(
        &mut self,
        address: SocketAddr,
        path: &str,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + READY_WITHIN;
        // A refused connection and a 503 both mean: not yet.
        while http::status(address, path).ok() != Some(200) {
            self.check()?;
            if Instant::now() > deadline
                && let Some(process) = self.processes.last()
            {
                return Err(children::not_ready(process, READY_WITHIN));
            }
            interrupt.pause()?;
        }
        Ok(())
    }

    /// A failure if any process has ended.
    pub(crate) fn check(&mut self) -> Result<(), Failure> {
        let processes = self.processes.iter_mut();
        for process in processes.chain(self.postgres.process()) {
            children::check(process)?;
        }
        Ok(())
    }
}

/// An address from the caller's variable, or the default port, on which nobody listens.
fn free_address(variable: &'static str, default_port: u16) -> Result<SocketAddr, Failure> {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, default_port)).to_string();
    let value = caller::variable(variable).unwrap_or(default);
    let address = match value.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => address,
        _ => {
            return Err(Failure::BadVariable {
                variable,
                value,
                expected: "an IP address and a port, such as 127.0.0.1:8080",
            });
        }
    };
    match TcpListener::bind(address) {
        Ok(_) => Ok(address),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(Failure::AddressInUse { variable, value })
        }
        Err(source) => Err(Failure::Address {
            variable,
            value,
            source,
        }),
    }
}

/// The broker says on its standard output where it listens.
fn broker_address(broker: &mut Process, interrupt: &Interrupt) -> Result<String, Failure> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        let said = broker.last_log_lines(usize::MAX);
        let mut lines = said.lines();
        if let Some(address) = lines.find_map(|line| line.strip_prefix("ready kafka=")) {
            return Ok(address.to_owned());
        }
        children::check(broker)?;
        if Instant::now() > deadline {
            return Err(children::not_ready(broker, READY_WITHIN));
        }
        interrupt.pause()?;
    }
}

/// Our defaults, and over them what the caller says. What we start ourselves is set later and
/// counts most: a shell that still has the environment of an earlier `up` does no harm.
fn configuration() -> BTreeMap<String, String> {
    let defaults = [
        ("ATLAS_PROFILE", "development"),
        ("ATLAS_JWT_SECRET", DEVELOPMENT_SECRET),
    ];
    let mut configuration: BTreeMap<_, _> = defaults
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    configuration.extend(caller::configuration());
    configuration
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An application that is stopped under load is not killed while it still finishes.
    #[test]
    fn an_application_has_all_of_its_time_to_stop() {
        let lifecycle = include_str!("../../crates/service-runtime/src/lifecycle.rs");
        let bounds = lifecycle.lines().filter_map(|line| {
            let (_, bound) = line.split_once("_BOUND: Duration = Duration::from_secs(")?;
            bound.split(')').next()?.parse::<u64>().ok()
        });
        let seconds: u64 = bounds.sum();
        assert!(seconds >= 20, "the bounds are no longer where they were");
        assert!(STOPPED_WITHIN > Duration::from_secs(seconds + 5));
    }
}
