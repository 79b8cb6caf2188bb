//! What a failure of the database means to us, by SQLSTATE and constraint name. The one place that
//! knows their classes.

use sqlx::Error;

/// The kinds of failure that are treated differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlFailure {
    /// A stream is at another version: refused before or at the insert.
    VersionConflict,
    /// 23505 elsewhere: the row is there already.
    Duplicate,
    /// Classes 22 and 23 else: the tables refuse these values, now and ever again.
    RefusedRow,
    /// 40001 or 40P01: the same again may pass.
    Retryable,
    /// 0A000: a cached plan that a migration has outdated.
    StalePlan,
    /// The server was not reached, or went away: what had been sent may have been done.
    Unreachable,
    /// The server gave up on the statement, which did nothing: a bound of ours passed, it lacks
    /// room, or it has just become a standby.
    GaveUp,
    /// Anything else; the statement was refused and did nothing.
    Other,
}

/// Sorts an error by what is to be done about it.
#[must_use]
pub fn classify(error: &Error) -> SqlFailure {
    let Error::Database(database) = error else {
        return if is_ours(error) {
            SqlFailure::Other
        } else {
            SqlFailure::Unreachable
        };
    };
    let code = database.code().unwrap_or_default();
    match code.as_ref() {
        "AT001" => SqlFailure::VersionConflict,
        "23505" if database.constraint() == Some("events_stream_version") => {
            SqlFailure::VersionConflict
        }
        "23505" => SqlFailure::Duplicate,
        "40001" | "40P01" => SqlFailure::Retryable,
        "0A000" => SqlFailure::StalePlan,
        // Shutdowns, and connections that the server refuses or ends.
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "53300" | "25P03" => {
            SqlFailure::Unreachable
        }
        other if other.starts_with("08") => SqlFailure::Unreachable,
        // Statement and lock timeouts, read-only servers, memory and disks that are full.
        "57014" | "55P03" | "25006" => SqlFailure::GaveUp,
        other if other.starts_with("53") => SqlFailure::GaveUp,
        other if other.starts_with("22") || other.starts_with("23") => SqlFailure::RefusedRow,
        _ => SqlFailure::Other,
    }
}

/// Whether a statement that failed has certainly done nothing: the server refused it, or it was
/// never sent. What we could not read of its answer may have been done.
#[must_use]
pub fn did_nothing(error: &Error) -> bool {
    matches!(error, Error::Database(_) | Error::Encode(_))
        && classify(error) != SqlFailure::Unreachable
}

/// Whether a bound of ours on time was passed: the same with less of it may pass.
#[must_use]
pub fn took_too_long(error: &Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("57014" | "55P03"))
}

/// Errors that arise on our side of the wire from what we or the schema got wrong.
fn is_ours(error: &Error) -> bool {
    matches!(
        error,
        Error::Configuration(_)
            | Error::InvalidArgument(_)
            | Error::RowNotFound
            | Error::TypeNotFound { .. }
            | Error::ColumnIndexOutOfBounds { .. }
            | Error::ColumnNotFound(_)
            | Error::ColumnDecode { .. }
            | Error::Encode(_)
            | Error::Decode(_)
            | Error::AnyDriverError(_)
            | Error::Migrate(_)
            | Error::InvalidSavePointStatement
    )
}

/// An error and everything that led to it, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}
