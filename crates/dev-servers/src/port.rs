//! Ports of 127.0.0.1 for servers of ours.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};

use crate::error::ServerError;

/// Which port to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// This one, or an error when it is taken.
    Fixed(u16),
    /// Any that is free.
    Free,
}

impl Port {
    /// A clear error where a fixed port is taken.
    pub(crate) fn check(self) -> Result<(), ServerError> {
        match self {
            Self::Fixed(port) if !is_port_free(port) => Err(ServerError::PortInUse(port)),
            Self::Fixed(_) | Self::Free => Ok(()),
        }
    }

    /// The port to try.
    pub(crate) fn choose(self) -> Result<u16, ServerError> {
        match self {
            Self::Fixed(port) => Ok(port),
            Self::Free => free_port().map_err(ServerError::NoPort),
        }
    }

    /// How often it is worth trying, should somebody else be faster.
    pub(crate) fn tries(self) -> u32 {
        match self {
            Self::Fixed(_) => 1,
            Self::Free => 5,
        }
    }
}

/// Whether a server could listen on this port of 127.0.0.1 now.
#[must_use]
pub fn is_port_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A port of 127.0.0.1 that nobody listens on, below those that the system hands to outgoing
/// connections: a server that is stopped and started again finds its port free.
///
/// # Errors
/// The last failure to bind, when every port that was tried is taken.
pub fn free_port() -> io::Result<u16> {
    const FIRST: u64 = 15_000;
    const COUNT: u64 = 17_000;
    let start = RandomState::new().hash_one(0);
    let mut failure = io::Error::from(io::ErrorKind::AddrInUse);
    for step in 0..200 {
        let port = FIRST + start.wrapping_add(step) % COUNT;
        let Ok(port) = u16::try_from(port) else {
            continue;
        };
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
