//! What holds the watermark, and with it every reader of the feed: an append that does not end.

use std::time::Duration;

use sqlx::PgConnection;

/// From when on an append that is under way counts as a stall.
const LONGEST_APPEND: Duration = Duration::from_secs(1);

/// An append that holds the watermark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    /// The server process that it runs in, for `pg_terminate_backend`.
    pub pid: i32,
    /// The age of its transaction.
    pub age: Duration,
    /// What that process runs, or ran last.
    pub query: String,
}

/// The append that holds the watermark, once its transaction is older than a second.
///
/// # Errors
/// What the database said.
pub async fn stall(connection: &mut PgConnection) -> Result<Option<Stall>, sqlx::Error> {
    let found = sqlx::query!(
        r#"
        SELECT a.pid AS "pid!", coalesce(a.query, '') AS "query!",
               extract(epoch FROM clock_timestamp() - a.xact_start)::double precision AS "age!"
        FROM pg_locks l
        JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'advisory'
          AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
          AND l.objsubid = 1
          AND l.classid::bigint >> 16 = store.lock_namespace()
          AND a.xact_start < clock_timestamp() - make_interval(secs => $1)
        ORDER BY l.classid::bigint & 65535, l.objid::bigint, a.xact_start
        LIMIT 1
        "#,
        LONGEST_APPEND.as_secs_f64(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.map(|row| Stall {
        pid: row.pid,
        age: Duration::try_from_secs_f64(row.age).unwrap_or_default(),
        query: row.query,
    }))
}
