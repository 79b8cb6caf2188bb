//! Why a command of xtask failed.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use dev_servers::packages::PackagesError;
use dev_servers::{ProcessError, ServerError};

use crate::demo::DemoError;

/// Why a command failed; its text says what to do where we know it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Packages(#[from] PackagesError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error(transparent)]
    Demo(#[from] DemoError),
    #[error("cannot run {command}")]
    NotRun {
        command: String,
        #[source]
        source: io::Error,
    },
    #[error("{command} failed ({status})")]
    Failed { command: String, status: ExitStatus },
    #[error("{command} said {said:?}, not {expected:?}")]
    Misread {
        command: String,
        said: String,
        expected: String,
    },
    #[error("{name} ended ({status}); its whole log is {}, its last lines:\n{last_lines}", log.display())]
    Ended {
        name: String,
        status: ExitStatus,
        log: PathBuf,
        last_lines: String,
    },
    #[error("{name} was not ready after {seconds} s; its log is {}, its last lines:\n{last_lines}", log.display())]
    NotReady {
        name: String,
        seconds: u64,
        log: PathBuf,
        last_lines: String,
    },
    #[error("{variable}={value} is in use; end what listens there, or set {variable} to another")]
    AddressInUse {
        variable: &'static str,
        value: String,
    },
    #[error("cannot listen on {variable}={value}")]
    Address {
        variable: &'static str,
        value: String,
        #[source]
        source: io::Error,
    },
    #[error("{variable}={value} is not {expected}")]
    BadVariable {
        variable: &'static str,
        value: String,
        expected: &'static str,
    },
    #[error("cannot use {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    #[error("cannot listen for Ctrl-C")]
    Signals(#[source] io::Error),
    #[error("interrupted")]
    Interrupted,
    #[error(".sqlx does not match the queries: run cargo xtask db prepare, and commit\n{}", .0.join("\n"))]
    StaleQueries(Vec<String>),
    #[error("tidy found {0} faults")]
    Untidy(usize),
    #[error("the output of cargo metadata was not understood")]
    Metadata(#[source] serde_json::Error),
    /// Whoever fails with it has said why.
    #[error("it failed, see above")]
    Told,
    #[error("not as promised: {0}")]
    NotAsPromised(String),
    #[error("the development issuer did not sign a token")]
    Issuer(#[source] Box<ureq::Error>),
    #[error("the secret cannot sign a token")]
    Secret,
}

impl Failure {
    /// What [`Failure::File`] is made of.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// An error and what lies behind it, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
