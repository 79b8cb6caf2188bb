//! A private PgBouncer in transaction mode: the pooler that must be refused, for the test that it
//! is.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::error::ServerError;
use crate::folders::{make_folder, remove_folder};
use crate::port::Port;
use crate::process::{LAST_LINES, POLL, Process, Signal, last_lines};

const READY_WITHIN: Duration = Duration::from_secs(30);

/// How to run a [`PrivatePgBouncer`].
#[derive(Debug, Clone)]
pub struct PgBouncerOptions {
    /// The folder for its configuration and log; made where missing, and removed at the end.
    pub folder: PathBuf,
    /// The port of 127.0.0.1 of the Postgres behind it.
    pub postgres: u16,
    /// Who may connect.
    pub user: &'static str,
    /// What connections may ask for and are not given, separated by commas.
    pub ignored: &'static str,
}

/// A pooler that is ours alone and dies with us. Dropping it kills it.
#[derive(Debug)]
pub struct PrivatePgBouncer {
    folder: PathBuf,
    port: u16,
    process: Process,
}

impl PrivatePgBouncer {
    /// Starts one and waits until it takes connections.
    ///
    /// # Errors
    /// Any [`ServerError`]; nothing is left running then.
    pub fn start(options: &PgBouncerOptions) -> Result<Self, ServerError> {
        make_folder(&options.folder, 0o755)?;
        let port = Port::Free.choose()?;
        let file = |name: &str, text: String| {
            let file = options.folder.join(name);
            fs::write(&file, text).map_err(ServerError::folder(&file))?;
            Ok::<_, ServerError>(file)
        };
        let users = file("users.txt", format!("\"{}\" \"\"\n", options.user))?;
        let settings = format!(
            "[databases]\n\
             * = host=127.0.0.1 port={}\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir =\n\
             auth_type = trust\n\
             auth_file = {}\n\
             pool_mode = transaction\n\
             ignore_startup_parameters = {}\n",
            options.postgres,
            users.display(),
            options.ignored
        );
        let settings = file("pgbouncer.ini", settings)?;
        let mut command = Command::new("pgbouncer");
        command.arg(settings).current_dir(&options.folder);
        if let Some(Account { uid, gid }) = Account::for_servers() {
            command.uid(uid).gid(gid);
        }
        let log = options.folder.join("pgbouncer.log");
        let mut bouncer = Self {
            folder: options.folder.clone(),
            port,
            process: Process::spawn("pgbouncer", command, &log, Signal::KILL)?,
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let deadline = Instant::now() + READY_WITHIN;
        while TcpStream::connect(address).is_err() {
            if bouncer.process.ended()?.is_some() || Instant::now() > deadline {
                return Err(ServerError::NotReady {
                    server: "PgBouncer",
                    log: last_lines(&log, LAST_LINES),
                });
            }
            thread::sleep(POLL);
        }
        Ok(bouncer)
    }

    /// The port of 127.0.0.1 that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for PrivatePgBouncer {
    fn drop(&mut self) {
        // Best effort: what is left lies under target/ and is in nobody's way.
        if self.process.kill().is_ok() {
            drop(remove_folder(&self.folder));
        }
    }
}
