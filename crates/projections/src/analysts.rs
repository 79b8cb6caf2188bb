//! The sessions of analysts: who holds up a change, and what has outlived its limits.
//!
//! They read the views of the schema `analytics`, which stand on those of `read`: the views of the
//! versions that are served.

use std::time::Duration;

use sqlx::PgConnection;

/// A session of the database in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Its server process.
    pub pid: i32,
    /// How long its transaction has been open, in seconds.
    pub seconds: i64,
}

/// Who has read views of served versions for longest, in a transaction that goes on.
///
/// # Errors
/// What the database said.
pub(crate) async fn reading(connection: &mut PgConnection) -> Result<Option<Session>, sqlx::Error> {
    sqlx::query_as!(
        Session,
        r#"
        SELECT a.pid AS "pid!",
               extract(epoch FROM clock_timestamp() - a.xact_start)::bigint AS "seconds!"
        FROM pg_locks l
        JOIN pg_class c ON c.oid = l.relation
        JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'relation' AND l.granted AND a.datname = current_database()
          AND c.relkind = 'v' AND c.relnamespace = 'read'::regnamespace
          AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
        ORDER BY a.xact_start
        LIMIT 1
        "#
    )
    .fetch_optional(connection)
    .await
}

/// Ends the sessions of analysts whose transaction has been open for longer than `limit`, `most` of
/// them, the oldest first: their role has limits, which a session may set otherwise. Those that were
/// ended.
///
/// # Errors
/// What the database said.
pub async fn end_overrunning(
    connection: &mut PgConnection,
    limit: Duration,
    most: i64,
) -> Result<Vec<Session>, sqlx::Error> {
    sqlx::query_as!(
        Session,
        r#"
        SELECT o.pid AS "pid!", o.seconds AS "seconds!"
        FROM (
            SELECT a.pid,
                   extract(epoch FROM clock_timestamp() - a.xact_start)::bigint AS seconds
            FROM pg_stat_activity a
            WHERE a.datname = current_database() AND a.usename = 'atlas_analyst'
              AND a.xact_start < clock_timestamp() - make_interval(secs => $1)
            ORDER BY a.xact_start
            LIMIT $2
        ) o
        WHERE pg_terminate_backend(o.pid)
        "#,
        limit.as_secs_f64(),
        most,
    )
    .fetch_all(connection)
    .await
}
