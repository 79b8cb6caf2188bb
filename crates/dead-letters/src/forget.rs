//! The bytes of what was closed long ago.

use sqlx::PgConnection;

/// Erases keys, headers and values of rows that were closed 90 days ago, of `limit` rows at most;
/// says of how many.
///
/// # Errors
/// What the database said.
pub async fn forget(connection: &mut PgConnection, limit: i64) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query!(
        "
        UPDATE ops.dead_letters SET
            key = NULL, value = NULL, header_names = NULL, header_values = NULL, has_bytes = false
        WHERE id = ANY (ARRAY(
            SELECT id FROM ops.dead_letters
            WHERE closed_at < now() - interval '90 days' AND closed_at IS NOT NULL AND has_bytes
            ORDER BY closed_at
            LIMIT $1
        ))
        ",
        limit,
    )
    .execute(connection)
    .await?;
    Ok(forgotten.rows_affected())
}
