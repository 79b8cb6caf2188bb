//! Postgres on two hosts under Debian's pg_auto_failover: a primary, a synchronous standby, and on a
//! third host the monitor that judges them. Anybody on the hosts' network may connect as anyone.

mod node;

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::error::ServerError;
use crate::folders::{make_folder, remove_folder};
use crate::network::{Host, HostNetwork};
use crate::packages::DEBIANS_POSTGRES;
use crate::process::{LAST_LINES, POLL};
use crate::tool::run_tool;
use node::Node;

pub use node::{FailoverNode, State};

const SUPERUSER: &str = "postgres";
const READY_WITHIN: Duration = Duration::from_secs(90);
/// How the monitor judges, in milliseconds: by a look a second, after two more tries. A primary that
/// does not answer for so long is unhealthy, and its standby is promoted once it must have noticed
/// by itself that it is cut off.
const JUDGEMENT: &str = "pgautofailover.health_check_period = 1000\n\
     pgautofailover.health_check_timeout = 1000\n\
     pgautofailover.health_check_max_retries = 2\n\
     pgautofailover.health_check_retry_delay = 500\n\
     pgautofailover.node_considered_unhealthy_timeout = 5000\n\
     pgautofailover.primary_demote_timeout = 10000\n";
/// After so many seconds without monitor and standby a primary stops itself: less than the monitor
/// waits before it promotes the other.
const CUT_OFF_AFTER: &str = "8";

/// How to run a [`PostgresPair`].
#[derive(Debug, Clone)]
pub struct FailoverOptions<'a> {
    /// The folder for the clusters and logs; removed at the end.
    pub folder: PathBuf,
    /// Where the monitor runs.
    pub monitor: &'a Host,
    /// Where the servers run; the first is the primary at the start.
    pub nodes: [&'a Host; 2],
    /// The SQL that makes roles and the template database, run by psql as superuser.
    pub roles: PathBuf,
}

/// Two servers and their monitor, ours alone; they die with us.
#[derive(Debug)]
pub struct PostgresPair {
    folder: PathBuf,
    monitor: Node,
    nodes: [Node; 2],
}

impl PostgresPair {
    /// Makes both clusters, waits until one follows the other synchronously, and makes roles and the
    /// template database.
    ///
    /// # Errors
    /// Any [`ServerError`]; nothing is left running then.
    pub fn start(options: &FailoverOptions<'_>) -> Result<Self, ServerError> {
        let [first, second] = options.nodes;
        let node = |name: &'static str, host: &Host, port| {
            Node::new(name, host, port, options.folder.join(name))
        };
        // Their ports differ since the folder of their sockets is one.
        let mut pair = Self {
            folder: options.folder.clone(),
            monitor: node("monitor", options.monitor, 6_543),
            nodes: [node("first", first, 6_544), node("second", second, 6_545)],
        };
        pair.make_folders()?;
        pair.start_monitor()?;
        pair.start_nodes()?;
        let mut roles = psql(&pair.url(SUPERUSER, "postgres"));
        roles.arg("--file").arg(&options.roles);
        run_tool("psql", roles, "")?;
        Ok(pair)
    }

    /// The URL by which psql, and whoever uses its library, finds the primary.
    #[must_use]
    pub fn url(&self, role: &str, database: &str) -> String {
        self.url_of(role, database, "read-write")
    }

    /// Runs SQL as `role` at the standby, or else the primary, and returns its rows as
    /// [`PostgresPair::ask`] does.
    ///
    /// # Errors
    /// [`ServerError::ToolFailed`] with psql's words.
    pub fn ask_standby(
        &self,
        role: &str,
        database: &str,
        sql: &str,
    ) -> Result<String, ServerError> {
        ask(&self.url_of(role, database, "prefer-standby"), sql)
    }

    /// The servers' addresses, as host and port.
    #[must_use]
    pub fn addresses(&self) -> [String; 2] {
        self.nodes.each_ref().map(Node::address)
    }

    /// Runs SQL as superuser in a database of the primary, and returns its rows, columns separated by
    /// `|`.
    ///
    /// # Errors
    /// [`ServerError::ToolFailed`] with psql's words.
    pub fn ask(&self, database: &str, sql: &str) -> Result<String, ServerError> {
        ask(&self.url(SUPERUSER, database), sql)
    }

    /// What the monitor knows of the servers.
    ///
    /// # Errors
    /// [`ServerError::ToolFailed`] with psql's words.
    pub fn states(&self) -> Result<[State; 2], ServerError> {
        let rows = ask(
            &self.monitor.url("autoctl_node", "pg_auto_failover"),
            "SELECT nodename, reportedstate, goalstate FROM pgautofailover.node",
        )?;
        Ok(self.nodes.each_ref().map(|node| node.state_in(&rows)))
    }

    /// Ends everything on a server's host at once, as the loss of its power would.
    ///
    /// # Errors
    /// [`ServerError::Process`], and [`ServerError::HostInUse`] if something lives on.
    pub fn switch_off(&mut self, node: FailoverNode) -> Result<(), ServerError> {
        self.node(node).switch_off()
    }

    /// Starts a server again on its data, whatever they are worth by now: pg_auto_failover decides.
    ///
    /// # Errors
    /// [`ServerError::Process`].
    pub fn switch_on(&mut self, node: FailoverNode) -> Result<(), ServerError> {
        self.node(node).run()
    }

    fn node(&mut self, node: FailoverNode) -> &mut Node {
        let [first, second] = &mut self.nodes;
        match node {
            FailoverNode::First => first,
            FailoverNode::Second => second,
        }
    }

    fn url_of(&self, role: &str, database: &str, which: &str) -> String {
        let [first, second] = self.addresses();
        format!("postgres://{role}@{first},{second}/{database}?target_session_attrs={which}")
    }

    fn make_folders(&self) -> Result<(), ServerError> {
        remove_folder(&self.folder)?;
        for folder in [&self.folder]
            .into_iter()
            .chain([&self.monitor.folder])
            .chain(self.nodes.iter().map(|node| &node.folder))
        {
            make_own(folder)?;
        }
        Ok(())
    }

    fn start_monitor(&mut self) -> Result<(), ServerError> {
        let monitor = &mut self.monitor;
        monitor.create(&["monitor"])?;
        monitor.add_setting("postgresql.conf", JUDGEMENT)?;
        monitor.allow_network()?;
        monitor.run()?;
        let url = monitor.url("autoctl_node", "pg_auto_failover");
        let asked = || ask(&url, "SELECT count(*) FROM pgautofailover.formation").is_ok();
        wait(monitor, asked)
    }

    /// The second is made as a copy of the first, which has to run.
    fn start_nodes(&mut self) -> Result<(), ServerError> {
        let monitor = self.monitor.url("autoctl_node", "pg_auto_failover");
        let [first, second] = &mut self.nodes;
        let create = |node: &Node| {
            node.create(&[
                "postgres",
                "--monitor",
                &monitor,
                "--name",
                node.name,
                "--dbname",
                "postgres",
            ])?;
            node.configure("timeout.network_partition_timeout", CUT_OFF_AFTER)
        };
        create(first)?;
        first.add_setting("postgresql.conf", "max_connections = 300\n")?;
        first.allow_network()?;
        first.run()?;
        let url = first.url(SUPERUSER, "postgres");
        wait(first, || ask(&url, "SELECT 1").is_ok())?;
        create(second)?;
        second.run()?;
        let settled = || {
            let states = self.states();
            states.is_ok_and(|[first, second]| first.is("primary") && second.is("secondary"))
        };
        let [_, second] = &self.nodes;
        wait(second, settled)
    }
}

impl Drop for PostgresPair {
    fn drop(&mut self) {
        // Best effort: what is left lies in a folder of ours, and is in nobody's way.
        let nodes = self.nodes.iter_mut().chain([&mut self.monitor]);
        let off = nodes
            .map(Node::switch_off)
            .fold(true, |all, off| all & off.is_ok());
        if off {
            drop(remove_folder(&self.folder));
        }
    }
}

/// Makes a folder of the account that the servers run as.
fn make_own(folder: &Path) -> Result<(), ServerError> {
    make_folder(folder, 0o755)?;
    if let Some(account) = Account::for_servers() {
        if !account.reaches(folder) {
            return Err(ServerError::FolderClosed(folder.to_owned()));
        }
        chown(folder, Some(account.uid), Some(account.gid)).map_err(ServerError::folder(folder))?;
    }
    Ok(())
}

fn wait(node: &Node, is_ready: impl Fn() -> bool) -> Result<(), ServerError> {
    let deadline = Instant::now() + READY_WITHIN;
    while !is_ready() {
        if Instant::now() > deadline {
            return Err(ServerError::NotReady {
                server: "Postgres under pg_auto_failover",
                log: node.last_lines(LAST_LINES),
            });
        }
        thread::sleep(POLL);
    }
    Ok(())
}

fn ask(url: &str, sql: &str) -> Result<String, ServerError> {
    let mut psql = psql(url);
    psql.args(["--tuples-only", "--no-align", "--command", sql]);
    run_tool("psql", psql, "")
}

/// psql without the caller's environment; it does not wait long for a host that is gone.
fn psql(url: &str) -> Command {
    let mut psql = Command::new(Path::new(DEBIANS_POSTGRES).join("psql"));
    psql.env_clear()
        .env("LC_ALL", "C")
        .env("PATH", "/usr/bin:/bin")
        .env("PGCONNECT_TIMEOUT", "2")
        .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"])
        .arg(url);
    psql
}
