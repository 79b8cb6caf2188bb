//! Why a command did not do what it was asked to, and the exit code that says so.

use std::error::Error;
use std::fmt;

use event_store::failure::{SqlFailure, classify};
use service_runtime::chain;

use crate::cli::Exit;

/// Why a command did not do what it was asked to: a line for people, and an exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    may_pass: bool,
    line: String,
}

impl Failure {
    /// It failed.
    pub(crate) fn failed(error: impl Error) -> Self {
        Self::new(Exit::Failed, chain(&error))
    }

    /// A rule refuses it; `line` says which, and what to do.
    pub(crate) fn refused(line: impl Into<String>) -> Self {
        Self::new(Exit::Refused, line)
    }

    /// Nobody agreed to it.
    pub(crate) fn declined() -> Self {
        Self::new(Exit::Failed, "nothing was done")
    }

    /// One whose exit code the caller knows.
    pub(crate) fn new(exit: Exit, line: impl Into<String>) -> Self {
        Self {
            exit,
            may_pass: matches!(exit, Exit::Unreachable),
            line: line.into(),
        }
    }

    /// The same, which was brought about by what others did at that moment.
    pub(crate) fn that_may_pass(self) -> Self {
        Self {
            may_pass: true,
            ..self
        }
    }

    /// The same, told as the end of what was tried.
    pub(crate) fn during(mut self, what: &str) -> Self {
        self.line = format!("{what}: {}", self.line);
        self
    }

    /// Whether the same may succeed soon: the store or the broker was out of reach, or others were in
    /// the way.
    pub(crate) fn may_pass(&self) -> bool {
        self.may_pass
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let line = chain(&error);
        match classify(&error) {
            SqlFailure::Unreachable => Self::new(Exit::Unreachable, line),
            SqlFailure::VersionConflict
            | SqlFailure::Duplicate
            | SqlFailure::Retryable
            | SqlFailure::StalePlan
            | SqlFailure::GaveUp => Self::new(Exit::Failed, line).that_may_pass(),
            SqlFailure::RefusedRow | SqlFailure::Other => Self::new(Exit::Failed, line),
        }
    }
}
