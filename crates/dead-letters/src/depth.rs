//! How much waits for an operator, and for how long.

use sqlx::PgConnection;

/// How many rows are counted: beyond that their number says nothing new.
const COUNTED: i64 = 100_000;

/// The open dead letters of one topic and code.
#[derive(Debug, Clone, PartialEq)]
pub struct Depth {
    /// Where the messages lay first.
    pub topic: String,
    /// What is wrong with them, in a word.
    pub code: String,
    /// How many there are.
    pub count: i64,
    /// How long ago the oldest of them failed first, in seconds.
    pub oldest_seconds: f64,
}

/// How many dead letters are open, by topic and code.
///
/// # Errors
/// What the database said.
pub async fn depths(connection: &mut PgConnection) -> Result<Vec<Depth>, sqlx::Error> {
    sqlx::query_as!(
        Depth,
        r#"
        SELECT topic AS "topic!", code AS "code!", count(*) AS "count!",
               greatest(extract(epoch FROM clock_timestamp() - min(first_failed_at)), 0)
                   ::double precision AS "oldest_seconds!"
        FROM (
            SELECT topic, code, first_failed_at FROM ops.dead_letters
            WHERE closed_at IS NULL
            ORDER BY id
            LIMIT $1
        ) open
        GROUP BY topic, code
        "#,
        COUNTED,
    )
    .fetch_all(connection)
    .await
}
