//! Several hosts on one machine: network namespaces, each with an address and a cable to one bridge.
//! What runs on a host has process ids of its own, so that all of it ends when the process does that
//! we started there: a host that loses its power. It takes root.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::geteuid;

use crate::account::Account;
use crate::error::ServerError;
use crate::process::POLL;
use crate::tool::run_tool;

const BRIDGE: &str = "atlas-hosts";
const NAMESPACE: &str = "atlas-host-";
/// The first three numbers of every address; the bridge is .1, and hosts begin at .11.
const NETWORK: [u8; 3] = [10, 214, 7];
const FIRST_HOST: u8 = 11;
/// How long the processes of a host that was switched off may take to be gone.
const OFF_WITHIN: Duration = Duration::from_secs(10);

/// A machine of its own, as far as processes and the network can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    namespace: String,
    address: Ipv4Addr,
}

impl Host {
    /// Its address, which this machine reaches too.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// A command that runs a program there as root, with whatever arguments and environment are added
    /// to it. If it is killed, everything that it started dies with it.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = self.enter();
        command.arg("--kill-child=KILL").arg(program);
        command
    }

    /// The same as the account that servers run as.
    #[must_use]
    pub fn command_of_servers(&self, program: &Path) -> Command {
        let mut command = self.enter();
        // A change of user takes the parent's death signal away: it is set behind it.
        command.args(["setpriv", "--pdeathsig=KILL"]);
        if let Some(Account { uid, gid }) = Account::for_servers() {
            command
                .args(["--clear-groups".to_owned(), format!("--reuid={uid}")])
                .arg(format!("--regid={gid}"));
        }
        command.arg(program);
        command
    }

    /// Pulls its cable: what was sent is lost without a word, and nobody is told.
    ///
    /// # Errors
    /// [`ServerError::ToolFailed`] with the words of `ip`.
    pub fn cut_off(&self) -> Result<(), ServerError> {
        ip(&["link", "set", &self.namespace, "down"])
    }

    /// Plugs it in again.
    ///
    /// # Errors
    /// [`ServerError::ToolFailed`] with the words of `ip`.
    pub fn join(&self) -> Result<(), ServerError> {
        ip(&["link", "set", &self.namespace, "up"])
    }

    /// Waits until none of its processes is left, once they were killed.
    ///
    /// # Errors
    /// [`ServerError::HostInUse`] if they stay.
    pub fn wait_until_off(&self) -> Result<(), ServerError> {
        let deadline = Instant::now() + OFF_WITHIN;
        while has_processes(&self.namespace)? {
            if Instant::now() > deadline {
                return Err(ServerError::HostInUse(self.namespace.clone()));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// One that needs not be there.
    #[cfg(test)]
    pub(crate) fn at(address: Ipv4Addr) -> Self {
        Self {
            namespace: "nowhere".to_owned(),
            address,
        }
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).args([
            "unshare",
            "--pid",
            "--fork",
            "--mount-proc",
        ]);
        command
    }

    fn connect(&self) -> Result<(), ServerError> {
        let name = self.namespace.as_str();
        let address = format!("{}/24", self.address);
        ip(&["netns", "add", name])?;
        ip(&[
            "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name,
        ])?;
        ip(&["link", "set", name, "master", BRIDGE, "up"])?;
        ip(&["-n", name, "address", "add", &address, "dev", "eth0"])?;
        ip(&["-n", name, "link", "set", "eth0", "up"])?;
        ip(&["-n", name, "link", "set", "lo", "up"])
    }
}

/// Hosts that are ours alone. Dropping it removes them; what runs on them is to be ended before.
#[derive(Debug)]
pub struct HostNetwork {
    hosts: Vec<Host>,
}

impl HostNetwork {
    /// Whether we may make any.
    ///
    /// # Errors
    /// [`ServerError::NotRoot`].
    pub fn may_be_made() -> Result<(), ServerError> {
        if geteuid().is_root() {
            Ok(())
        } else {
            Err(ServerError::NotRoot)
        }
    }

    /// Makes so many hosts, named after letters, and removes what a killed run left behind.
    ///
    /// # Errors
    /// [`ServerError::HostInUse`] if another run goes on, and whatever `ip` complains of.
    pub fn make(count: u8) -> Result<Self, ServerError> {
        sweep()?;
        let hosts = (0..count).map(|number| Host {
            namespace: format!("{NAMESPACE}{}", char::from(b'a' + number % 26)),
            address: address(FIRST_HOST.saturating_add(number)),
        });
        let network = Self {
            hosts: hosts.collect(),
        };
        ip(&["link", "add", BRIDGE, "type", "bridge"])?;
        let bridge = format!("{}/24", address(1));
        ip(&["address", "add", &bridge, "dev", BRIDGE])?;
        ip(&["link", "set", BRIDGE, "up"])?;
        network.hosts.iter().try_for_each(Host::connect)?;
        Ok(network)
    }

    /// The hosts, in order.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The addresses of all of them, as Postgres and others write such a thing.
    #[must_use]
    pub fn range() -> String {
        format!("{}/24", address(0))
    }
}

impl Drop for HostNetwork {
    fn drop(&mut self) {
        // Best effort: the next run removes what is left.
        for host in &self.hosts {
            drop(remove(&host.namespace));
        }
        drop(ip(&["link", "delete", BRIDGE]));
    }
}

/// Removes what a run left that could not clean up.
fn sweep() -> Result<(), ServerError> {
    let mut list = Command::new("ip");
    list.args(["netns", "list"]);
    let listed = run_tool("ip", list, "")?;
    let names = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    for name in names.filter(|name| name.starts_with(NAMESPACE)) {
        if has_processes(name)? {
            return Err(ServerError::HostInUse(name.to_owned()));
        }
        remove(name)?;
    }
    if Path::new("/sys/class/net").join(BRIDGE).exists() {
        ip(&["link", "delete", BRIDGE])?;
    }
    Ok(())
}

/// The namespace, and first its cable, which would outlive it for a moment.
fn remove(namespace: &str) -> Result<(), ServerError> {
    if Path::new("/sys/class/net").join(namespace).exists() {
        ip(&["link", "delete", namespace])?;
    }
    ip(&["netns", "delete", namespace])
}

fn has_processes(namespace: &str) -> Result<bool, ServerError> {
    let mut pids = Command::new("ip");
    pids.args(["netns", "pids", namespace]);
    Ok(!run_tool("ip", pids, "")?.is_empty())
}

fn address(last: u8) -> Ipv4Addr {
    let [first, second, third] = NETWORK;
    Ipv4Addr::new(first, second, third, last)
}

fn ip(arguments: &[&str]) -> Result<(), ServerError> {
    let mut ip = Command::new("ip");
    ip.args(arguments);
    run_tool("ip", ip, "").map(drop)
}
