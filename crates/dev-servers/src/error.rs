//! Why a private server cannot be had.

use std::io;
use std::path::{Path, PathBuf};

use crate::process::ProcessError;

/// Why a private server could not be started or controlled.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// There are no Postgres server binaries.
    #[error("no Postgres server binaries in PG_BIN, PATH or /usr/lib/postgresql/*/bin")]
    NoBinaries,
    /// The port is taken.
    #[error("port {0} of 127.0.0.1 is in use; end what listens there, or choose another port")]
    PortInUse(u16),
    /// No free port was found.
    #[error("no free port on 127.0.0.1")]
    NoPort(#[source] io::Error),
    /// Another server works in the folder.
    #[error("{} is in use by the server with process id {pid}", folder.display())]
    FolderInUse {
        /// The folder.
        folder: PathBuf,
        /// The other server's process id.
        pid: u32,
    },
    /// Only root may make network namespaces.
    #[error("hosts are network namespaces, which only root may make: run this as root")]
    NotRoot,
    /// Processes live on a host of a [`HostNetwork`](crate::HostNetwork).
    #[error("the host {0} has processes; end the run that they are of")]
    HostInUse(String),
    /// Root's folders are closed to the account that the server runs as.
    #[error(
        "{} is closed to the account that Postgres runs as; choose a folder that others may enter",
        .0.display()
    )]
    FolderClosed(PathBuf),
    /// A file or folder could not be made, read or removed.
    #[error("cannot use {}", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// One of the server's own tools could not be run.
    #[error("cannot run {tool}")]
    ToolNotRun {
        /// Its name.
        tool: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// One of the server's own tools failed.
    #[error("{tool} failed: {output}")]
    ToolFailed {
        /// Its name.
        tool: &'static str,
        /// What it printed.
        output: String,
    },
    /// The server ended, or did not answer in time, while it was started.
    #[error("{server} did not start; its last words:\n{log}")]
    NotReady {
        /// Which server.
        server: &'static str,
        /// The end of its log.
        log: String,
    },
    /// The server's process could not be controlled.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

impl ServerError {
    /// What [`ServerError::Folder`] is made of.
    pub(crate) fn folder(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Folder { path, source }
    }
}
