//! A private Redis: the machine's own binary, on 127.0.0.1 alone, in memory alone. Anybody on the
//! machine may use it: it is for development and tests.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::ServerError;
use crate::folders::{make_folder, remove_folder};
use crate::port::{Port, is_port_free};
use crate::process::{LAST_LINES, POLL, Process, Signal, last_lines};
use crate::tool::run_tool;

const READY_WITHIN: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(1);

/// How to run a [`PrivateRedis`].
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// The folder for its log; made where missing, and removed at the end.
    pub folder: PathBuf,
    /// Where to listen.
    pub port: Port,
}

/// A Redis server that is ours alone, keeps nothing, and dies with us. Dropping it kills it.
#[derive(Debug)]
pub struct PrivateRedis {
    folder: PathBuf,
    port: u16,
    process: Option<Process>,
}

impl PrivateRedis {
    /// Starts an empty server and waits until it answers.
    ///
    /// # Errors
    /// Any [`ServerError`]; nothing is left running then.
    pub fn start(options: RedisOptions) -> Result<Self, ServerError> {
        options.port.check()?;
        make_folder(&options.folder, 0o755)?;
        let mut server = Self {
            folder: options.folder,
            port: 0,
            process: None,
        };
        let mut outcome = Ok(());
        for _ in 0..options.port.tries() {
            server.port = options.port.choose()?;
            outcome = server.launch();
            if outcome.is_ok() || is_port_free(server.port) {
                break;
            }
        }
        outcome.map(|()| server)
    }

    /// The port of 127.0.0.1 that it listens on, the same after every restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Says something to it, such as `["FLUSHALL"]`, and returns its answer.
    ///
    /// # Errors
    /// [`ServerError::ToolFailed`] with redis-cli's words.
    pub fn say(&self, words: &[&str]) -> Result<String, ServerError> {
        let mut client = Command::new("redis-cli");
        client
            .args(["-e", "-p", &self.port.to_string()])
            .args(words);
        run_tool("redis-cli", client, "")
    }

    /// Ends it at once, as a crash would; what it held is lost.
    ///
    /// # Errors
    /// [`ServerError::Process`].
    pub fn kill(&mut self) -> Result<(), ServerError> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
        }
        Ok(())
    }

    /// Starts it again, empty, on the same port; kills it before that if it runs.
    ///
    /// # Errors
    /// Any [`ServerError`] of a start.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        self.kill()?;
        self.launch()
    }

    fn launch(&mut self) -> Result<(), ServerError> {
        let log = self.folder.join("redis.log");
        let mut command = Command::new("redis-server");
        command
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            // A replica that asks for everything gets it at once.
            .args(["--repl-diskless-sync-delay", "0"])
            .current_dir(&self.folder);
        let process = Process::spawn("redis-server", command, &log, Signal::KILL)?;
        let process = self.process.insert(process);

        let deadline = Instant::now() + READY_WITHIN;
        loop {
            if process.ended()?.is_some() || Instant::now() > deadline {
                self.process = None;
                return Err(ServerError::NotReady {
                    server: "Redis",
                    log: last_lines(&log, LAST_LINES),
                });
            }
            if answers(self.port) {
                return Ok(());
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        // Best effort: what is left lies under target/ and is in nobody's way.
        if self.kill().is_ok() {
            drop(remove_folder(&self.folder));
        }
    }
}

/// Whether the server at this port of 127.0.0.1 answers.
fn answers(port: u16) -> bool {
    let ask = || {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).map(|()| answer)
    };
    ask().is_ok_and(|answer| answer == *b"+PONG")
}
