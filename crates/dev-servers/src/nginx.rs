//! A private nginx that compresses whatever passes and shares it out among the servers behind it: the
//! gateway that weakens entity tags on the way, and the balancer that is told who is ready.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::chown;
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
const SETTINGS: &str = "nginx.conf";

/// How to run a [`PrivateNginx`].
#[derive(Debug, Clone)]
pub struct NginxOptions {
    /// The folder for its configuration, log and bodies; made where missing, and removed at the
    /// end.
    pub folder: PathBuf,
    /// For each port that it listens on: the ports of 127.0.0.1 of the servers behind it.
    pub backends: Vec<Vec<u16>>,
    /// What it compresses.
    pub compressed: Compressed,
}

/// What a gateway compresses, for everybody who takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compressed {
    /// Whatever passes.
    Everything,
    /// What nginx compresses where nobody says more than that it should.
    AsShipped,
}

/// A gateway that is ours alone and dies with us. Dropping it kills it.
#[derive(Debug)]
pub struct PrivateNginx {
    folder: PathBuf,
    ports: Vec<u16>,
    compressed: Compressed,
    process: Process,
}

impl PrivateNginx {
    /// Starts one and waits until it takes connections.
    ///
    /// # Errors
    /// Any [`ServerError`]; nothing is left running then.
    pub fn start(options: &NginxOptions) -> Result<Self, ServerError> {
        make_folder(&options.folder, 0o755)?;
        let account = Account::for_servers();
        if let Some(Account { uid, gid }) = account {
            chown(&options.folder, Some(uid), Some(gid))
                .map_err(ServerError::folder(&options.folder))?;
        }
        let mut ports = Vec::new();
        for _ in &options.backends {
            ports.push(Port::Free.choose()?);
        }
        let settings = options.folder.join(SETTINGS);
        let text = configuration(&ports, &options.backends, options.compressed);
        fs::write(&settings, text).map_err(ServerError::folder(&settings))?;
        let mut command = Command::new("nginx");
        command
            .args(["-e", "stderr", "-p"])
            .arg(&options.folder)
            .arg("-c")
            .arg(&settings)
            .current_dir(&options.folder);
        if let Some(Account { uid, gid }) = account {
            command.uid(uid).gid(gid);
        }
        let log = options.folder.join("nginx.log");
        let mut nginx = Self {
            folder: options.folder.clone(),
            ports,
            compressed: options.compressed,
            // Killed it would leave its worker behind.
            process: Process::spawn("nginx", command, &log, Signal::TERM)?,
        };
        let deadline = Instant::now() + READY_WITHIN;
        while !nginx.takes_connections() {
            if nginx.process.ended()?.is_some() || Instant::now() > deadline {
                return Err(ServerError::NotReady {
                    server: "nginx",
                    log: last_lines(&log, LAST_LINES),
                });
            }
            thread::sleep(POLL);
        }
        Ok(nginx)
    }

    /// The ports of 127.0.0.1 that it listens on, in the order of the servers behind them.
    #[must_use]
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// Shares out among these servers from now on, as many lists as at the start: it reads its
    /// configuration again, and finishes by the old one what is under way.
    ///
    /// # Errors
    /// Any [`ServerError`].
    pub fn share_among(&mut self, backends: &[Vec<u16>]) -> Result<(), ServerError> {
        let settings = self.folder.join(SETTINGS);
        fs::write(
            &settings,
            configuration(&self.ports, backends, self.compressed),
        )
        .map_err(ServerError::folder(&settings))?;
        Ok(self.process.signal(Signal::HUP)?)
    }

    fn takes_connections(&self) -> bool {
        self.ports.iter().all(|port| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
            TcpStream::connect(address).is_ok()
        })
    }
}

/// Connections to servers are kept, for less
/// time than our servers keep theirs; nothing is ever sent to two of them.
fn configuration(ports: &[u16], backends: &[Vec<u16>], compressed: Compressed) -> String {
    let types = match compressed {
        Compressed::Everything => "gzip_types *;\n",
        Compressed::AsShipped => "",
    };
    let mut servers = String::new();
    for (port, backends) in ports.iter().zip(backends) {
        let backends: Vec<String> = backends
            .iter()
            .map(|backend| format!("server 127.0.0.1:{backend};"))
            .collect();
        servers += &format!(
            "upstream of-{port} {{ {} keepalive 16; keepalive_timeout 60s; }}\n\
             server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://of-{port}; }} }}\n",
            backends.join(" ")
        );
    }
    format!(
        "daemon off;\n\
         worker_processes 1;\n\
         pid nginx.pid;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n\
         access_log off;\n\
         client_body_temp_path body;\n\
         proxy_temp_path proxy;\n\
         fastcgi_temp_path fastcgi;\n\
         uwsgi_temp_path uwsgi;\n\
         scgi_temp_path scgi;\n\
         gzip on;\n\
         {types}\
         gzip_proxied any;\n\
         proxy_http_version 1.1;\n\
         proxy_set_header Connection \"\";\n\
         proxy_set_header Host $http_host;\n\
         proxy_next_upstream off;\n\
         {servers}}}\n"
    )
}

impl Drop for PrivateNginx {
    fn drop(&mut self) {
        // Best effort: what is left lies under target/ and is in nobody's way.
        if self.process.stop(Signal::TERM, READY_WITHIN).is_ok() {
            drop(remove_folder(&self.folder));
        }
    }
}
