//! Rows that an operator gives up.

use sqlx::PgConnection;
use uuid::Uuid;

/// Closes those of the rows that are open and that no redrive has in hand; says how many. The ids
/// ascend.
///
/// # Errors
/// What the database said.
pub async fn discard(connection: &mut PgConnection, ids: &[Uuid]) -> Result<u64, sqlx::Error> {
    let discarded = sqlx::query!(
        "
        WITH open AS MATERIALIZED (
            SELECT id FROM ops.dead_letters
            WHERE id = ANY ($1) AND closed_at IS NULL
              AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
            ORDER BY id
            FOR UPDATE
        )
        UPDATE ops.dead_letters d SET
            closed_as = 'discarded', closed_at = clock_timestamp(), claimed_by = NULL,
            claimed_until = NULL
        WHERE d.id = ANY (ARRAY(SELECT id FROM open))
        ",
        ids,
    )
    .execute(connection)
    .await?;
    Ok(discarded.rows_affected())
}
