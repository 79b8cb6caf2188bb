//! What we need of a Postgres server, checked on a live connection: the schema of this release,
//! and settings that can be wrong in ways that lose events long after everything seemed to work.

use sqlx::PgConnection;

use crate::pool::BOUNDS;
use crate::schema::{self, Divergence};

/// One reason not to work on a server, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A bound that the connection asked for is not in force.
    #[error(
        "{setting} is {found} where the connection asked for {asked}: a pooler in transaction \
         mode drops connection options; connect to Postgres itself, or to a pooler in session mode"
    )]
    OptionDropped {
        /// The setting.
        setting: &'static str,
        /// What was asked for.
        asked: &'static str,
        /// What is in force.
        found: String,
    },
    /// Whoever answers does not take the bounds that a connection asks for.
    #[error(
        "the server does not take connection options ({0}): a pooler in transaction mode stands \
         before Postgres; connect to Postgres itself, or to a pooler in session mode"
    )]
    OptionsRefused(String),
    /// A prepared transaction would hold back every reader of the feed for as long as it lives.
    #[error("max_prepared_transactions is {0}: set it to 0 in postgresql.conf and restart")]
    PreparedTransactions(String),
    /// What was published could be lost by a crash.
    #[error("fsync is {0}: set it to on in postgresql.conf and reload")]
    NoFsync(String),
    /// What was published could be lost by a crash.
    #[error("synchronous_commit is off: set it to on for this database and role")]
    AsynchronousCommit,
    /// A position drawn long before it is used would be passed by every reader.
    #[error("sequence store.position caches {0} numbers: ALTER SEQUENCE store.position CACHE 1")]
    CachedPositions(i64),
    /// Whoever may take advisory locks can hold back every reader of the feed.
    #[error(
        "{user} may execute {functions} functions pg_*advisory*: connect as a role that is \
         neither owner nor superuser, to a database made from the template of deploy/roles.sql"
    )]
    AdvisoryLocks {
        /// The role that we are.
        user: String,
        /// How many of them.
        functions: i64,
    },
    /// The schema is not that of this release, nor a newer one.
    #[error(transparent)]
    Schema(#[from] Divergence),
}

/// The server was not found fit for work.
#[derive(Debug, thiserror::Error)]
pub enum ServerCheckError {
    /// It does not answer, which may pass.
    #[error("the database server cannot be asked for its settings")]
    Unreachable(#[source] sqlx::Error),
    /// It is set up in a way that loses events.
    #[error("the database server is not set up for Artisan Atlas: {}", list(.0))]
    Refused(Vec<Refusal>),
}

fn list(refusals: &[Refusal]) -> String {
    let texts: Vec<_> = refusals.iter().map(Refusal::to_string).collect();
    texts.join(" | ")
}

/// Whether connecting failed because somebody between us and Postgres does not take connection
/// options: asking again is of no use then.
pub(crate) fn options_refused(error: &sqlx::Error) -> Option<Refusal> {
    const PROTOCOL_VIOLATION: &str = "08P01";
    let database = error.as_database_error()?;
    let message = database.message();
    let refused = database.code().as_deref() == Some(PROTOCOL_VIOLATION)
        && message.contains("startup parameter");
    refused.then(|| Refusal::OptionsRefused(message.to_owned()))
}

/// Checks the schema, and the settings in force on a connection that was opened with
/// [`DatabaseConfig::connect_options`](crate::pool::DatabaseConfig::connect_options).
///
/// # Errors
/// Every reason not to work on this server, or that it could not be asked.
pub async fn check_server(connection: &mut PgConnection) -> Result<(), ServerCheckError> {
    let found = sqlx::query!(
        r#"SELECT
            current_setting('statement_timeout') AS "statement_timeout!",
            current_setting('lock_timeout') AS "lock_timeout!",
            current_setting('idle_in_transaction_session_timeout') AS "idle_timeout!",
            current_setting('max_prepared_transactions') AS "prepared!",
            current_setting('fsync') AS "fsync!",
            current_setting('synchronous_commit') AS "synchronous_commit!",
            current_user::text AS "user!",
            (SELECT s.seqcache
             FROM pg_catalog.pg_sequence s
             JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'store' AND c.relname = 'position') AS "cached_positions?",
            (SELECT count(*)
             FROM pg_catalog.pg_proc
             WHERE pronamespace = 'pg_catalog'::regnamespace
               AND proname LIKE 'pg\_%advisory\_%'
               AND has_function_privilege(oid, 'EXECUTE')) AS "advisory_functions!""#
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(ServerCheckError::Unreachable)?;
    let divergence = schema::compare(connection)
        .await
        .map_err(ServerCheckError::Unreachable)?;

    let in_force = [
        found.statement_timeout,
        found.lock_timeout,
        found.idle_timeout,
    ];
    let mut refusals: Vec<_> = BOUNDS
        .into_iter()
        .zip(in_force)
        .filter(|((_, asked), found)| asked != found)
        .map(|((setting, asked), found)| Refusal::OptionDropped {
            setting,
            asked,
            found,
        })
        .collect();
    if found.prepared != "0" {
        refusals.push(Refusal::PreparedTransactions(found.prepared));
    }
    if found.fsync != "on" {
        refusals.push(Refusal::NoFsync(found.fsync));
    }
    if found.synchronous_commit == "off" {
        refusals.push(Refusal::AsynchronousCommit);
    }
    if let Some(cached @ 2..) = found.cached_positions {
        refusals.push(Refusal::CachedPositions(cached));
    }
    if found.advisory_functions > 0 {
        refusals.push(Refusal::AdvisoryLocks {
            user: found.user,
            functions: found.advisory_functions,
        });
    }
    refusals.extend(divergence.map(Refusal::Schema));
    if refusals.is_empty() {
        Ok(())
    } else {
        Err(ServerCheckError::Refused(refusals))
    }
}
