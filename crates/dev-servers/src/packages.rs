//! What the machine lacks, installed by apt where we may: as root, or by sudo without a password.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::geteuid;

use crate::postgres::{find_binaries, isolation_tester};

/// Something that building or running Artisan Atlas needs from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A C and C++ compiler with make, for the parts of our dependencies that are not Rust.
    Compilers,
    /// Postgres's server binaries.
    Postgres,
    /// PostgreSQL's own tester of interleavings.
    IsolationTester,
    /// Redis's server and its command line client.
    Redis,
    /// PgBouncer, the pooler that processes must refuse.
    PgBouncer,
    /// nginx, the gateway that compresses and balances.
    Nginx,
    /// Postgres under pg_auto_failover, and HAProxy, which leads to the primary.
    Failover,
    /// The tools that make hosts of network namespaces.
    Hosts,
    /// curl, which probes what runs in images.
    Curl,
    /// Java and Maven, which run and fetch Apache Kafka.
    Kafka,
    /// Prometheus, and the tool that tries its rules.
    Prometheus,
    /// Debian's Chromium, in which the pages are tested.
    Chromium,
    /// Java's compiler, for what is to be run from its source.
    JavaCompiler,
    /// strace, which has system calls take longer.
    Strace,
    /// Python's virtual environments, for tools that come as Python packages.
    Python,
}

impl Need {
    /// Debian's packages that fill it and are not there.
    fn missing_packages(self, path: &[PathBuf]) -> Vec<&'static str> {
        let lacks = |program: &str| !path.iter().any(|folder| folder.join(program).is_file());
        let mut packages = Vec::new();
        let mut add = |missing: bool, package| {
            if missing {
                packages.push(package);
            }
        };
        match self {
            Self::Compilers => {
                add(lacks("cc"), "gcc");
                add(lacks("c++"), "g++");
                add(lacks("make"), "make");
                add(!Path::new("/usr/include/stdio.h").is_file(), "libc6-dev");
            }
            Self::Postgres => add(find_binaries().is_none(), "postgresql"),
            // The client's package of the server's own version has it: both come with `postgresql`.
            Self::IsolationTester => {
                let lacks_postgres = find_binaries().is_none();
                add(
                    !lacks_postgres && isolation_tester().is_none(),
                    "postgresql-client",
                );
            }
            Self::Redis => add(lacks("redis-server"), "redis-server"),
            Self::PgBouncer => add(lacks("pgbouncer"), "pgbouncer"),
            Self::Curl => add(lacks("curl"), "curl"),
            Self::Nginx => add(lacks("nginx"), "nginx"),
            Self::Failover => {
                let server = Path::new(DEBIANS_POSTGRES).join("postgres");
                add(!server.is_file(), "postgresql");
                add(!has_auto_failover(), "postgresql-15-auto-failover");
                add(lacks("haproxy"), "haproxy");
            }
            Self::Hosts => {
                add(lacks("ip"), "iproute2");
                add(lacks("setpriv") || lacks("unshare"), "util-linux");
            }
            Self::Kafka => {
                add(lacks("java"), "default-jre-headless");
                add(lacks("mvn"), "maven");
            }
            Self::Prometheus => {
                add(lacks("promtool") || lacks("prometheus"), "prometheus");
            }
            Self::Chromium => add(lacks("chromium"), "chromium"),
            Self::JavaCompiler => add(lacks("javac"), "default-jdk-headless"),
            Self::Strace => add(lacks("strace"), "strace"),
            Self::Python => add(!has_python_environments(), "python3-venv"),
        }
        packages
    }
}

/// Why the machine still lacks something.
#[derive(Debug, thiserror::Error)]
pub enum PackagesError {
    /// Somebody else must install these.
    #[error("please install what is missing, as root:\n{}", by_hand(.0))]
    NotAllowed(Vec<&'static str>),
    /// Installing failed.
    #[error("installing {} failed ({status}); what apt-get said is above", packages.join(" "))]
    Failed {
        /// What was to be installed.
        packages: Vec<&'static str>,
        /// How the installation ended.
        status: ExitStatus,
    },
    /// The installation could not be run.
    #[error("cannot run the installation of packages")]
    NotRun(#[source] io::Error),
}

/// Packages whose servers Debian starts for the whole machine, now and at every boot.
const SERVERS: [&str; 6] = [
    "haproxy",
    "nginx",
    "pgbouncer",
    "postgresql",
    "prometheus",
    "redis-server",
];

/// The line that somebody else has to run, and what undoes that servers of the machine are started.
fn by_hand(packages: &[&str]) -> String {
    let mut line = format!(
        "apt-get update && apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    );
    let servers: Vec<_> = packages
        .iter()
        .copied()
        .filter(|package| SERVERS.contains(package))
        .collect();
    if !servers.is_empty() {
        // Nothing here uses them: each command starts servers of its own.
        line += &format!(" && systemctl disable --now {}", servers.join(" "));
    }
    line
}

/// Installs its arguments. What Debian's packages of servers do beside that is not wanted: start
/// one for the whole machine, now and at every boot, and, postgresql, make a cluster. They are told
/// not to start for as long as the installation runs, where the machine has no such rules of its
/// own; and what they enabled for the next boot is disabled, with systemd and without.
const INSTALL: &str = r#"
set -eu
export DEBIAN_FRONTEND=noninteractive
starts=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.d/artisan-atlas.conf
ours=
trap 'rm -f "$clusters" $ours' EXIT
trap 'exit 1' INT TERM
if [ ! -e "$starts" ]; then
    ours=$starts
    printf '#!/bin/sh\nexit 101\n' > "$starts"
    chmod +x "$starts"
fi
case " $* " in *" postgresql "*)
    mkdir -p "${clusters%/*}"
    echo 'create_main_cluster = false' > "$clusters"
esac
apt-get -q update
apt-get -q install -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"
for server in haproxy nginx pgbouncer postgresql prometheus redis-server; do
    case " $* " in *" $server "*)
        update-rc.d "$server" disable || :
    esac
done
"#;

/// Makes sure that `needs` are filled, and installs what is missing. What apt says goes to standard
/// error.
///
/// # Errors
/// [`PackagesError::NotAllowed`] where we may not install, or there is no apt.
pub fn ensure(needs: &[Need]) -> Result<(), PackagesError> {
    let path = search_path();
    let missing: Vec<_> = needs
        .iter()
        .flat_map(|need| need.missing_packages(&path))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").is_file() {
        return Err(PackagesError::NotAllowed(missing));
    }
    let Some(mut install) = root_shell() else {
        return Err(PackagesError::NotAllowed(missing));
    };
    eprintln!("installing {}", missing.join(" "));
    let status = install
        .args(["-c", INSTALL, "install"])
        .args(&missing)
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .status()
        .map_err(PackagesError::NotRun)?;
    if status.success() {
        return Ok(());
    }
    Err(PackagesError::Failed {
        packages: missing,
        status,
    })
}

/// A shell with root's rights, if we may have one without being asked for a password.
fn root_shell() -> Option<Command> {
    if geteuid().is_root() {
        return Some(Command::new("sh"));
    }
    let mut probe = Command::new("sudo");
    probe.args(["-n", "true"]).stdin(Stdio::null());
    let output = probe.output().ok()?;
    output.status.success().then(|| {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "sh"]);
        sudo
    })
}

/// The server that Debian 12 has pg_auto_failover for.
pub(crate) const DEBIANS_POSTGRES: &str = "/usr/lib/postgresql/15/bin";

fn has_auto_failover() -> bool {
    let extension = "/usr/share/postgresql/15/extension/pgautofailover.control";
    Path::new("/usr/bin/pg_autoctl").is_file() && Path::new(extension).is_file()
}

fn has_python_environments() -> bool {
    let mut python = Command::new("python3");
    python.args(["-c", "import ensurepip, venv"]);
    python.output().is_ok_and(|output| output.status.success())
}

pub(crate) fn search_path() -> Vec<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "PATH describes the machine; it is no configuration of ours"
    )]
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_installs_and_leaves_no_server_for_the_next_boot() {
        assert_eq!(
            by_hand(&["gcc", "make"]),
            "apt-get update && apt-get install -y --no-install-recommends gcc make"
        );
        assert_eq!(
            by_hand(&["gcc", "redis-server", "nginx"]),
            "apt-get update && apt-get install -y --no-install-recommends gcc redis-server nginx \
             && systemctl disable --now redis-server nginx"
        );
    }

    #[test]
    fn whatever_a_package_enables_is_disabled_after_an_installation() {
        let (_, disabled) = INSTALL.split_once("for server in ").unwrap();
        let (disabled, _) = disabled.split_once(';').unwrap();
        assert_eq!(disabled.split(' ').collect::<Vec<_>>(), SERVERS);
    }
}
