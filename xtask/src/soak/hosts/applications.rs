//! The applications on their hosts, what leads them to the primary, and the balancer before them.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use dev_servers::{Host, Process, scratch_folder};

use super::system::start_on;
use crate::caller;
use crate::database;
use crate::failure::Failure;
use crate::token::DEVELOPMENT_SECRET;
use crate::workspace;

const COMMAND_PORT: u16 = 8_080;
const QUERY_PORT: u16 = 8_081;
const PROJECTOR_PORT: u16 = 8_082;
/// So many of the hosts have the APIs too.
const WITH_APIS: usize = 2;

/// All that were started.
#[derive(Debug)]
pub(super) struct Applications {
    /// In which nobody is forgotten: applications, HAProxies and the balancer.
    pub(super) processes: Vec<Process>,
    /// Where each application says how it is.
    pub(super) addresses: Vec<(String, SocketAddr)>,
    /// Where clients find the APIs.
    pub(super) origin: String,
}

impl Applications {
    /// Starts them, and waits for none.
    pub(super) fn start(
        hosts: &[Host],
        balancer: &Host,
        postgres: &[String; 2],
        brokers: &str,
        logs: &Path,
    ) -> Result<Self, Failure> {
        let mut all = Self {
            processes: Vec::new(),
            addresses: Vec::new(),
            origin: format!("http://{}", balancer.address()),
        };
        let apis = hosts.get(..WITH_APIS).unwrap_or_default();
        for host in hosts {
            all.processes.push(start_haproxy(host, postgres, logs)?);
            let has_apis = apis.contains(host);
            let programs = [
                ("projector", "ATLAS_PROJECTOR_ADDR", PROJECTOR_PORT, true),
                ("query-api", "ATLAS_QUERY_ADDR", QUERY_PORT, has_apis),
                ("command-api", "ATLAS_COMMAND_ADDR", COMMAND_PORT, has_apis),
            ];
            for (name, variable, port, _) in programs.into_iter().filter(|it| it.3) {
                let address = SocketAddr::from((host.address(), port));
                let program = workspace::program(name, false);
                let process = start_on(host, name, &program, logs, |command| {
                    command
                        .args((name == "projector").then_some("run"))
                        .env(variable, address.to_string())
                        .env("ATLAS_KAFKA_BROKERS", brokers);
                    configure(command);
                })?;
                all.processes.push(process);
                all.addresses
                    .push((format!("{name} at {address}"), address));
            }
        }
        all.processes.push(start_balancer(balancer, apis, logs)?);
        Ok(all)
    }
}

/// A command without what the caller's environment says to applications.
pub(super) fn without_configuration(command: &mut Command) -> &mut Command {
    for (name, _) in caller::configuration() {
        command.env_remove(name);
    }
    command
}

/// What an application on a host is told: the primary is always at the same address, beside it.
pub(super) fn configure(command: &mut Command) {
    command
        .env(
            "ATLAS_DATABASE_URL",
            format!("postgres://atlas_app@127.0.0.1:5432/{}", database::NAME),
        )
        .env("ATLAS_PROFILE", "development")
        .env("ATLAS_JWT_SECRET", DEVELOPMENT_SECRET)
        .env("ATLAS_RATE_PLACE_PER_MINUTE", "0")
        .env("ATLAS_RATE_ALL_PER_MINUTE", "0");
}

/// HAProxy as it is deployed.
fn start_haproxy(host: &Host, postgres: &[String; 2], logs: &Path) -> Result<Process, Failure> {
    let [first, second] = postgres;
    let program = Path::new("/usr/sbin/haproxy");
    start_on(host, "haproxy", program, logs, |haproxy| {
        haproxy
            .arg("-f")
            .arg(workspace::root().join("deploy/postgres/haproxy.cfg"))
            .env("POSTGRES_FIRST", first)
            .env("POSTGRES_SECOND", second);
    })
}

/// nginx as it is deployed, before these APIs.
fn start_balancer(host: &Host, apis: &[Host], logs: &Path) -> Result<Process, Failure> {
    let folder = scratch_folder(&workspace::make_state()?.join("nginx"));
    fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    let upstream = |name: &str, port: u16| {
        let server = |api: &Host| {
            let address = api.address();
            format!("server {address}:{port} max_fails=1 fail_timeout=2s;\n")
        };
        let servers: String = apis.iter().map(server).collect();
        format!("upstream {name} {{\n{servers}keepalive 32;\n}}\n")
    };
    let upstreams = upstream("commands", COMMAND_PORT) + &upstream("queries", QUERY_PORT);
    let file = folder.join("upstreams.conf");
    fs::write(&file, upstreams).map_err(Failure::file(&file))?;
    let settings = folder.join("nginx.conf");
    fs::copy(workspace::root().join("deploy/nginx/nginx.conf"), &settings)
        .map_err(Failure::file(&settings))?;
    start_on(host, "nginx", Path::new("/usr/sbin/nginx"), logs, |nginx| {
        nginx
            .args(["-e", "stderr", "-p"])
            .arg(&folder)
            .arg("-c")
            .arg(&settings);
    })
}

#[cfg(test)]
mod tests {
    const CHECK: &str = include_str!("../../../../deploy/postgres/haproxy.cfg");

    /// The bytes that HAProxy's check sends.
    fn sent() -> Vec<u8> {
        let lines = CHECK
            .lines()
            .filter_map(|line| line.trim().strip_prefix("tcp-check send-binary "));
        let digits: Vec<char> = lines.flat_map(str::chars).collect();
        let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16);
        digits.chunks(2).map(|pair| byte(pair).unwrap()).collect()
    }

    /// A length counts itself and what follows it.
    fn cut(message: &[u8]) -> (&[u8], &[u8]) {
        let (length, _) = message.split_first_chunk::<4>().unwrap();
        message.split_at(usize::try_from(u32::from_be_bytes(*length)).unwrap())
    }

    #[test]
    fn haproxy_asks_as_postgres_wants_to_be_asked() {
        let sent = sent();
        let (start_up, rest) = cut(&sent);
        assert!(start_up.ends_with(b"user\0atlas_probe\0database\0postgres\0\0"));
        let (kind, rest) = rest.split_first().unwrap();
        let (query, rest) = cut(rest);
        assert_eq!(*kind, b'Q');
        assert_eq!(query.get(4..), Some(&b"SELECT pg_is_in_recovery()\0"[..]));
        assert_eq!(rest, b"");
    }
}
