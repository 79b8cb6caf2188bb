//! A private nginx that compresses whatever passes: the gateway that weakens entity tags on the
//! way, for the test that clients can live with it.

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

/// How to run a [`PrivateNginx`].
#[derive(Debug, Clone)]
pub struct NginxOptions {
    /// The folder for its configuration, log and bodies; made where missing, and removed at the
    /// end.
    pub folder: PathBuf,
    /// The ports of 127.0.0.1 of the servers behind it.
    pub backends: Vec<u16>,
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
        let mut servers = String::new();
        let mut ports = Vec::new();
        for backend in &options.backends {
            let port = Port::Free.choose()?;
            ports.push(port);
            servers += &format!(
                "server {{ listen 127.0.0.1:{port}; \
                 location / {{ proxy_pass http://127.0.0.1:{backend}; }} }}\n"
            );
        }
        let settings = options.folder.join("nginx.conf");
        fs::write(&settings, configuration(&servers, options.compressed))
            .map_err(ServerError::folder(&settings))?;
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
            process: Process::spawn("nginx", command, &log, Signal::KILL)?,
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

    fn takes_connections(&self) -> bool {
        self.ports.iter().all(|port| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
            TcpStream::connect(address).is_ok()
        })
    }
}

/// One process does it all.
fn configuration(servers: &str, compressed: Compressed) -> String {
    let types = match compressed {
        Compressed::Everything => "gzip_types *;\n",
        Compressed::AsShipped => "",
    };
    format!(
        "daemon off;\n\
         master_process off;\n\
         pid nginx.pid;\n\
         events {{}}\n\
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
         {servers}}}\n"
    )
}

impl Drop for PrivateNginx {
    fn drop(&mut self) {
        // Best effort: what is left lies under target/ and is in nobody's way.
        if self.process.kill().is_ok() {
            drop(remove_folder(&self.folder));
        }
    }
}
