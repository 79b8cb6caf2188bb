//! A private Postgres: a cluster of the machine's own binaries, on 127.0.0.1 alone, with our roles
//! and template database. Anybody on the machine may connect as anyone: it is for development.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::error::ServerError;
use crate::folders::{make_folder, remove_file, remove_folder};
use crate::packages::search_path;
use crate::port::{Port, is_port_free};
use crate::process::{LAST_LINES, POLL, Process, Signal, last_lines};
use crate::tool::run_tool;

const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(30);
/// How long the server of a parent that was killed may take to leave the folder.
const LEFT_WITHIN: Duration = Duration::from_secs(10);
/// Enough for a test run's pools and for a demo under load.
const MAX_CONNECTIONS: u32 = 300;
const SUPERUSER: &str = "postgres";
const HOST: &str = "127.0.0.1";
/// Its first line is the server's process id, its eighth the server's state.
const LOCK_FILE: &str = "postmaster.pid";

/// How to run a [`PrivatePostgres`].
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// The folder for the cluster and its log; made where missing.
    pub folder: PathBuf,
    /// Where to listen.
    pub port: Port,
    /// Whether the folder's cluster outlives the server. If not, it is made anew at the start and
    /// removed at the end.
    pub keep: bool,
    /// The folder of the server's binaries; looked for where `None`.
    pub binaries: Option<PathBuf>,
    /// The SQL that makes roles and the template database, run by psql as superuser.
    pub roles: PathBuf,
}

/// How to stop a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Ends sessions, then writes everything down.
    Fast,
    /// Ends at once and writes nothing down; the next start recovers as after a crash.
    Immediate,
}

/// A Postgres server that is ours alone and dies with us. Dropping it stops it.
#[derive(Debug)]
pub struct PrivatePostgres {
    options: PostgresOptions,
    binaries: PathBuf,
    account: Option<Account>,
    port: u16,
    process: Option<Process>,
}

impl PrivatePostgres {
    /// Makes a cluster where there is none, starts the server, waits until it answers, and makes
    /// roles and the template database.
    ///
    /// # Errors
    /// Any [`ServerError`]; nothing is left running then.
    pub fn start(options: PostgresOptions) -> Result<Self, ServerError> {
        let binaries = match &options.binaries {
            Some(folder) => folder.clone(),
            None => find_binaries().ok_or(ServerError::NoBinaries)?,
        };
        options.port.check()?;
        let mut server = Self {
            options,
            binaries,
            account: Account::for_servers(),
            port: 0,
            process: None,
        };
        server.wait_for_folder()?;
        if !server.options.keep {
            server.remove_cluster()?;
        }
        server.make_cluster()?;
        server.launch_on_a_port()?;
        server.run_roles()?;
        Ok(server)
    }

    /// The port of 127.0.0.1 that it listens on, the same after every restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database, for a role. There are no passwords.
    #[must_use]
    pub fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@{HOST}:{}/{database}", self.port)
    }

    /// The URL with which a superuser enters the server.
    #[must_use]
    pub fn superuser_url(&self) -> String {
        self.url(SUPERUSER, "postgres")
    }

    /// Makes a database as a copy of our template, unless there is one of that name.
    ///
    /// # Errors
    /// [`ServerError::ToolFailed`] with psql's words.
    pub fn create_database(&self, name: &str) -> Result<(), ServerError> {
        let mut psql = self.psql(&self.superuser_url());
        psql.args(["--set", &format!("name={name}"), "--file", "-"]);
        let sql = "SELECT format('CREATE DATABASE %I TEMPLATE atlas_template OWNER atlas_owner', \
                   :'name') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name')\n\
                   \\gexec\n";
        run_tool("psql", psql, sql).map(drop)
    }

    /// Runs a file of SQL with psql, in one transaction.
    ///
    /// # Errors
    /// [`ServerError::ToolFailed`] with psql's words.
    pub fn run_file(&self, role: &str, database: &str, file: &Path) -> Result<(), ServerError> {
        let mut psql = self.psql(&self.url(role, database));
        psql.arg("--single-transaction").arg("--file").arg(file);
        run_tool("psql", psql, "").map(drop)
    }

    /// Stops the server; [`PrivatePostgres::restart`] starts it again.
    ///
    /// # Errors
    /// [`ServerError::Process`].
    pub fn stop(&mut self, shutdown: Shutdown) -> Result<(), ServerError> {
        let signal = match shutdown {
            Shutdown::Fast => Signal::INT,
            Shutdown::Immediate => Signal::QUIT,
        };
        if let Some(mut process) = self.process.take() {
            process.stop(signal, STOPPED_WITHIN)?;
        }
        Ok(())
    }

    /// Starts a stopped server again, or stops and starts a running one, on the same port and data.
    ///
    /// # Errors
    /// Any [`ServerError`] of a start.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        self.stop(Shutdown::Fast)?;
        self.launch()
    }

    /// The server's process while it is started, for whoever watches over it.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    fn cluster(&self) -> PathBuf {
        self.options.folder.join("cluster")
    }

    fn log(&self) -> PathBuf {
        self.options.folder.join("postgres.log")
    }

    /// The server of a killed parent takes a moment to leave.
    fn wait_for_folder(&self) -> Result<(), ServerError> {
        let lock = self.cluster().join(LOCK_FILE);
        let deadline = Instant::now() + LEFT_WITHIN;
        while let Some(pid) = living_server(&lock) {
            if Instant::now() > deadline {
                return Err(ServerError::FolderInUse {
                    folder: self.options.folder.clone(),
                    pid,
                });
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    fn remove_cluster(&self) -> Result<(), ServerError> {
        remove_folder(&self.cluster())?;
        remove_file(&self.log())
    }

    /// Makes the cluster beside its place and moves it there when it is whole.
    fn make_cluster(&self) -> Result<(), ServerError> {
        let cluster = self.cluster();
        if cluster.is_dir() {
            return Ok(());
        }
        make_folder(&self.options.folder, 0o755)?;
        if self
            .account
            .is_some_and(|account| !account.reaches(&self.options.folder))
        {
            return Err(ServerError::FolderClosed(self.options.folder.clone()));
        }
        let unfinished = self.options.folder.join("cluster.new");
        remove_folder(&unfinished)?;
        make_folder(&unfinished, 0o700)?;
        if let Some(Account { uid, gid }) = self.account {
            chown(&unfinished, Some(uid), Some(gid)).map_err(ServerError::folder(&unfinished))?;
        }
        let mut initdb = self.tool("initdb");
        self.run_as_account(&mut initdb);
        initdb
            .args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .arg(format!("--username={SUPERUSER}"))
            .arg("--pgdata")
            .arg(&unfinished)
            .current_dir(&unfinished);
        run_tool("initdb", initdb, "")?;
        fs::rename(&unfinished, &cluster).map_err(ServerError::folder(&cluster))
    }

    /// A free port may be taken by somebody else before the server has it.
    fn launch_on_a_port(&mut self) -> Result<(), ServerError> {
        let mut outcome = Ok(());
        for _ in 0..self.options.port.tries() {
            self.port = self.options.port.choose()?;
            outcome = self.launch();
            if outcome.is_ok() || is_port_free(self.port) {
                break;
            }
        }
        outcome
    }

    fn launch(&mut self) -> Result<(), ServerError> {
        let cluster = self.cluster();
        let mut command = self.tool("postgres");
        self.run_as_account(&mut command);
        command.arg("-D").arg(&cluster).current_dir(&cluster);
        for setting in [
            format!("listen_addresses={HOST}"),
            format!("port={}", self.port),
            "unix_socket_directories=".to_owned(),
            format!("max_connections={MAX_CONNECTIONS}"),
            "fsync=on".to_owned(),
        ] {
            command.arg("-c").arg(setting);
        }
        // Unlike SIGKILL, SIGQUIT lets the server take its lock file and shared memory with it.
        let process = Process::spawn("postgres", command, &self.log(), Signal::QUIT)?;
        let process = self.process.insert(process);

        let lock = cluster.join(LOCK_FILE);
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let ended = process.ended()?.is_some();
            if ended || Instant::now() > deadline {
                self.process = None;
                return Err(ServerError::NotReady {
                    server: "Postgres",
                    log: last_lines(&self.log(), LAST_LINES),
                });
            }
            if is_ready(&lock, process.id()) {
                return Ok(());
            }
            thread::sleep(POLL);
        }
    }

    fn run_roles(&self) -> Result<(), ServerError> {
        let mut psql = self.psql(&self.superuser_url());
        psql.arg("--file").arg(&self.options.roles);
        run_tool("psql", psql, "").map(drop)
    }

    fn psql(&self, url: &str) -> Command {
        let mut psql = self.tool("psql");
        psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"])
            .arg(url);
        psql
    }

    /// A tool without the caller's environment: `PGOPTIONS` and the like would change what it does.
    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(self.binaries.join(name));
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", "/usr/bin:/bin");
        command
    }

    fn run_as_account(&self, command: &mut Command) {
        if let Some(Account { uid, gid }) = self.account {
            command.uid(uid).gid(gid);
        }
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        let shutdown = if self.options.keep {
            Shutdown::Fast
        } else {
            Shutdown::Immediate
        };
        // Best effort: should it fail, the next start in this folder says why.
        if self.stop(shutdown).is_ok() && !self.options.keep {
            drop(self.remove_cluster());
            drop(fs::remove_dir(&self.options.folder)); // if nothing else is in it
        }
    }
}

/// Whether the lock file says that the server with this process id takes connections.
fn is_ready(lock: &Path, pid: u32) -> bool {
    let text = fs::read_to_string(lock).unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(&pid.to_string()) && lines.nth(6) == Some("ready")
}

/// The folder of the server's binaries: the first in PATH, or else Debian's newest.
pub(crate) fn find_binaries() -> Option<PathBuf> {
    search_path()
        .into_iter()
        .chain(newest_debian_binaries())
        .find_map(|folder| server_folder(&folder))
}

/// PostgreSQL's own tester of interleavings, which comes with the server's packages: of the server
/// that we would run, or else of Debian's newest.
#[must_use]
pub fn isolation_tester() -> Option<PathBuf> {
    let binaries = find_binaries().into_iter().chain(newest_debian_binaries());
    binaries
        .filter_map(|folder| {
            let server = folder.parent()?;
            Some(server.join("lib/pgxs/src/test/isolation/isolationtester"))
        })
        .find(|tester| tester.is_file())
}

/// The folder that the server's program lies in once links are followed, if the tools are there.
fn server_folder(folder: &Path) -> Option<PathBuf> {
    let server = fs::canonicalize(folder.join("postgres")).ok()?;
    let folder = server.parent()?;
    let complete = ["initdb", "psql"]
        .iter()
        .all(|tool| folder.join(tool).is_file());
    complete.then(|| folder.to_owned())
}

fn newest_debian_binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter_map(|folder| {
            let version: u32 = folder.file_name().and_then(OsStr::to_str)?.parse().ok()?;
            Some((version, folder.join("bin")))
        })
        .max()
        .map(|(_, binaries)| binaries)
}

/// The process that holds a cluster's lock file, if it lives and is a Postgres.
fn living_server(lock: &Path) -> Option<u32> {
    let text = fs::read_to_string(lock).ok()?;
    let pid = text.lines().next()?.trim().parse().ok()?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    (name.trim() == "postgres").then_some(pid)
}
