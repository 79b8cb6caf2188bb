//! The stored answers of idempotency keys: how the old ones go.

use std::time::Duration;

use sqlx::PgConnection;

/// How long a stored answer is kept at least.
pub const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Deletes at most `limit` stored answers older than [`KEPT`]; returns how many.
///
/// # Errors
/// What the database said.
pub async fn delete_expired(connection: &mut PgConnection, limit: i64) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        r#"
        DELETE FROM store.idempotency_keys
        WHERE (scope, key) IN (
            SELECT scope, key FROM store.idempotency_keys
            WHERE created_at < now() - make_interval(secs => $1)
            ORDER BY created_at
            LIMIT $2
        )
        "#,
        KEPT.as_secs_f64(),
        limit,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
