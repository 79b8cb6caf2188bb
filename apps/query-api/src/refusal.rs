//! Why a read has no answer, and what that looks like to a client.

use std::error::Error;

use bonus_store::WholeLedgerError;
use event_store::failure::{SqlFailure, classify};
use http_edge::{Code, Problem};
use projections::bonus::UnknownPolicy;
use projections::orders::OrderError;

use crate::reading::lagging;

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The database failed.
    #[error("the read model was not read")]
    Database(#[from] sqlx::Error),
    /// The order holds an event that this release does not know.
    #[error("the order cannot be told by this release")]
    Unreadable(#[source] Box<dyn Error + Send + Sync>),
    /// The event that the client asks for waits.
    #[error("the read model has passed over an event that the answer would show")]
    Lagging,
    /// The account is of a policy that this release does not know.
    #[error("the account cannot be told by this release")]
    UnknownPolicy(#[from] UnknownPolicy),
    /// The whole ledger was not read to its end.
    #[error("the ledger was not read to its end")]
    Ledger(#[source] WholeLedgerError),
}

impl From<WholeLedgerError> for ReadError {
    fn from(error: WholeLedgerError) -> Self {
        match error {
            WholeLedgerError::Database(error) if classify(&error) != SqlFailure::GaveUp => {
                Self::Database(error)
            }
            error @ (WholeLedgerError::Database(_)
            | WholeLedgerError::Garbled(_)
            | WholeLedgerError::Overflow { .. }) => Self::Ledger(error),
        }
    }
}

impl From<OrderError> for ReadError {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Database(error) => Self::Database(error),
            unreadable @ OrderError::Unreadable { .. } => Self::Unreadable(unreadable.into()),
        }
    }
}

impl ReadError {
    /// A statement prepared before a migration: the same again may pass.
    pub(crate) fn is_stale_plan(&self) -> bool {
        match self {
            Self::Database(error) => classify(error) == SqlFailure::StalePlan,
            Self::Unreadable(_) | Self::Lagging | Self::UnknownPolicy(_) | Self::Ledger(_) => false,
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Database(error) if is_unavailable(&error) => Self::store_unavailable(error),
            ReadError::Database(error) => Self::internal(error),
            ReadError::Unreadable(source) => Self::new(
                Code::UnreadableEvent,
                "the order holds an event that this release does not know; try again when the \
                 newer release has been rolled out",
            )
            .caused_by(source),
            ReadError::Lagging => lagging(),
            ReadError::Ledger(source @ WholeLedgerError::Database(_)) => Self::new(
                Code::Timeout,
                "the ledger is too large to be read while you wait; compare the policies with \
                 projector policy diff",
            )
            .caused_by(source),
            ReadError::Ledger(source) => Self::internal(source),
            ReadError::UnknownPolicy(source) => Self::new(
                Code::UnreadableEvent,
                "the account is of a policy that this release does not know; try again when the \
                 newer release has been rolled out",
            )
            .caused_by(source),
        }
    }
}

/// Whether the server was out of reach or gave the statement up, so that the same may pass later.
fn is_unavailable(error: &sqlx::Error) -> bool {
    match classify(error) {
        SqlFailure::Retryable | SqlFailure::Unreachable | SqlFailure::GaveUp => true,
        SqlFailure::VersionConflict
        | SqlFailure::Duplicate
        | SqlFailure::RefusedRow
        | SqlFailure::StalePlan
        | SqlFailure::Other => false,
    }
}
