//! One server under pg_auto_failover, or its monitor: a cluster, and the keeper that runs it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{HostNetwork, make_own};
use crate::error::ServerError;
use crate::folders::remove_folder;
use crate::network::Host;
use crate::packages::DEBIANS_POSTGRES;
use crate::process::{Process, Signal};
use crate::tool::run_tool;

/// One of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailoverNode {
    /// The primary at the start.
    First,
    /// The standby at the start.
    Second,
}

/// What the monitor says of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// What it last reported to be; empty while it is unknown.
    pub reported: String,
    /// What it is to become.
    pub goal: String,
}

impl State {
    /// Whether it is this, and is to stay so.
    #[must_use]
    pub fn is(&self, state: &str) -> bool {
        self.reported == state && self.goal == state
    }
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: &'static str,
    pub(super) folder: PathBuf,
    host: Host,
    port: u16,
    process: Option<Process>,
}

impl Node {
    pub(super) fn new(name: &'static str, host: &Host, port: u16, folder: PathBuf) -> Self {
        Self {
            name,
            folder,
            host: host.clone(),
            port,
            process: None,
        }
    }

    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.host.address(), self.port)
    }

    pub(super) fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@{}/{database}", self.address())
    }

    /// Makes its cluster, and makes it known to the monitor.
    pub(super) fn create(&self, arguments: &[&str]) -> Result<(), ServerError> {
        let mut create = self.pg_autoctl("create");
        create
            .args(arguments)
            .arg("--pgdata")
            .arg(self.cluster())
            .args(["--pgport", &self.port.to_string(), "--hostname"])
            .arg(self.host.address().to_string())
            .args(["--auth", "trust", "--no-ssl"]);
        run_tool("pg_autoctl", create, "").map(drop)
    }

    /// Sets one of the keeper's own settings.
    pub(super) fn configure(&self, setting: &str, value: &str) -> Result<(), ServerError> {
        let mut config = self.pg_autoctl("config");
        config
            .args(["set", "--pgdata"])
            .arg(self.cluster())
            .args([setting, value]);
        run_tool("pg_autoctl", config, "").map(drop)
    }

    /// Adds lines to a file of the cluster's settings, which is read at the next start.
    pub(super) fn add_setting(&self, file: &str, lines: &str) -> Result<(), ServerError> {
        let file = self.cluster().join(file);
        let opened = OpenOptions::new().append(true).open(&file);
        opened
            .and_then(|mut opened| opened.write_all(lines.as_bytes()))
            .map_err(ServerError::folder(&file))
    }

    /// Whoever is on the hosts' network may connect.
    pub(super) fn allow_network(&self) -> Result<(), ServerError> {
        let range = HostNetwork::range();
        self.add_setting("pg_hba.conf", &format!("host all all {range} trust\n"))
    }

    /// Runs the keeper, which runs Postgres. What it left of an earlier run is gone, as it is after a
    /// start of the host: its pidfile would name the first process of the host, which is the new keeper.
    pub(super) fn run(&mut self) -> Result<(), ServerError> {
        let volatile = self.volatile();
        remove_folder(&volatile)?;
        make_own(&volatile)?;
        let mut run = self.pg_autoctl("run");
        run.arg("--pgdata").arg(self.cluster());
        let log = self.folder.join("pg_autoctl.log");
        let process = Process::spawn(self.name, run, &log, Signal::KILL)?;
        self.process = Some(process);
        Ok(())
    }

    pub(super) fn switch_off(&mut self) -> Result<(), ServerError> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
            self.host.wait_until_off()?;
        }
        Ok(())
    }

    pub(super) fn last_lines(&self, lines: usize) -> String {
        let log = self.process.as_ref();
        log.map_or_else(String::new, |process| process.last_log_lines(lines))
    }

    /// Its own among the rows `name|reported|goal`.
    pub(super) fn state_in(&self, rows: &str) -> State {
        let mine = rows.lines().find_map(|row| {
            let (reported, goal) = row
                .strip_prefix(self.name)?
                .strip_prefix('|')?
                .split_once('|')?;
            Some(State {
                reported: reported.to_owned(),
                goal: goal.to_owned(),
            })
        });
        mine.unwrap_or(State {
            reported: String::new(),
            goal: String::new(),
        })
    }

    fn cluster(&self) -> PathBuf {
        self.folder.join("cluster")
    }

    /// Where the keeper puts its pidfile: on a host it is in memory.
    fn volatile(&self) -> PathBuf {
        self.folder.join("run")
    }

    /// pg_autoctl on the host, with a home of its own for what it remembers.
    fn pg_autoctl(&self, subcommand: &str) -> Command {
        let mut command = self
            .host
            .command_of_servers(Path::new("/usr/bin/pg_autoctl"));
        let path = format!("{DEBIANS_POSTGRES}:/usr/sbin:/usr/bin:/sbin:/bin");
        command
            .arg(subcommand)
            .env_clear()
            .env("PATH", path)
            .env("LC_ALL", "C")
            .env("HOME", &self.folder)
            .env("XDG_CONFIG_HOME", self.folder.join("config"))
            .env("XDG_DATA_HOME", self.folder.join("share"))
            .env("XDG_RUNTIME_DIR", self.volatile())
            .current_dir(&self.folder);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_servers_state_is_found_by_its_whole_name() {
        let rows = "second|secondary|prepare_promotion\nsecondary|primary|primary";
        let host = Host::at(Ipv4Addr::LOCALHOST);
        let state = |name| Node::new(name, &host, 1, PathBuf::new()).state_in(rows);
        assert_eq!(state("second").goal, "prepare_promotion");
        assert!(!state("second").is("secondary"));
        assert!(state("secondary").is("primary"));
        assert_eq!(state("first").reported, "");
    }
}
