//! A private Prometheus that asks the processes of a test, by rules that it is given.

use std::fmt::Write as _;
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

/// How to run a [`PrivatePrometheus`].
#[derive(Debug, Clone)]
pub struct PrometheusOptions {
    /// The folder for its configuration, log and data; made where missing, and removed at the end.
    pub folder: PathBuf,
    /// Files of rules.
    pub rules: Vec<PathBuf>,
    /// Whom it asks every second: the name of a job, and HOST:PORT.
    pub targets: Vec<(String, String)>,
}

/// A Prometheus that is ours alone and dies with us. Dropping it kills it.
#[derive(Debug)]
pub struct PrivatePrometheus {
    folder: PathBuf,
    port: u16,
    process: Process,
}

impl PrivatePrometheus {
    /// Starts one and waits until it takes connections.
    ///
    /// # Errors
    /// Any [`ServerError`]; nothing is left running then.
    pub fn start(options: &PrometheusOptions) -> Result<Self, ServerError> {
        make_folder(&options.folder, 0o755)?;
        let account = Account::for_servers();
        if let Some(Account { uid, gid }) = account {
            chown(&options.folder, Some(uid), Some(gid))
                .map_err(ServerError::folder(&options.folder))?;
        }
        // Its account may not enter the checkout: the rules are copied to where it may.
        let mut rules = Vec::new();
        for file in &options.rules {
            let name = file.file_name().unwrap_or_default();
            let copy = options.folder.join(name);
            fs::copy(file, &copy).map_err(ServerError::folder(file))?;
            rules.push(copy);
        }
        let settings = options.folder.join("prometheus.yml");
        fs::write(&settings, configuration(&rules, &options.targets))
            .map_err(ServerError::folder(&settings))?;
        let port = Port::Free.choose()?;
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", settings.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                options.folder.join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .current_dir(&options.folder);
        if let Some(Account { uid, gid }) = account {
            command.uid(uid).gid(gid);
        }
        let log = options.folder.join("prometheus.log");
        let mut prometheus = Self {
            folder: options.folder.clone(),
            port,
            process: Process::spawn("prometheus", command, &log, Signal::KILL)?,
        };
        let deadline = Instant::now() + READY_WITHIN;
        while !prometheus.takes_connections() {
            if prometheus.process.ended()?.is_some() || Instant::now() > deadline {
                return Err(ServerError::NotReady {
                    server: "prometheus",
                    log: last_lines(&log, LAST_LINES),
                });
            }
            thread::sleep(POLL);
        }
        Ok(prometheus)
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn takes_connections(&self) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        TcpStream::connect(address).is_ok()
    }
}

fn configuration(rules: &[PathBuf], targets: &[(String, String)]) -> String {
    let mut text = "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  \
                    evaluation_interval: 1s\nrule_files:\n"
        .to_owned();
    // A String takes everything.
    for file in rules {
        writeln!(text, "  - {}", file.display()).ok();
    }
    text.push_str("scrape_configs:\n");
    let mut jobs: Vec<&String> = targets.iter().map(|(job, _)| job).collect();
    jobs.sort();
    jobs.dedup();
    for job in jobs {
        let of_job = targets.iter().filter(|(name, _)| name == job);
        let addresses: Vec<&str> = of_job.map(|(_, address)| address.as_str()).collect();
        write!(
            text,
            "  - job_name: {job}\n    static_configs:\n      - targets: [{}]\n",
            addresses.join(", ")
        )
        .ok();
    }
    text
}

impl Drop for PrivatePrometheus {
    fn drop(&mut self) {
        // Best effort: what is left lies under target/ and is in nobody's way.
        if self.process.kill().is_ok() {
            drop(remove_folder(&self.folder));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_of_a_kind_are_one_job() {
        let target = |job: &str, address: &str| (job.to_owned(), address.to_owned());
        let targets = [
            target("projector", "a:1"),
            target("command-api", "b:2"),
            target("projector", "c:3"),
        ];
        let text = configuration(&[PathBuf::from("/r/one.yml")], &targets);
        let (_, jobs) = text.split_once("scrape_configs:\n").unwrap();
        assert_eq!(
            jobs,
            "  - job_name: command-api\n    static_configs:\n      - targets: [b:2]\n  \
             - job_name: projector\n    static_configs:\n      - targets: [a:1, c:3]\n"
        );
        assert!(text.contains("  - /r/one.yml\n"), "{text}");
    }
}
