//! Which redrive has which rows in hand. A claim ends with its lease, so that what a killed redrive
//! had in hand can be taken up.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;

/// How long a claim outlives whoever has it, in seconds.
const LEASE: f64 = 30.0;

/// A row, as the redrive that claims it sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub id: Uuid,
    /// Whether it still waits for its event to be handled.
    pub is_open: bool,
    /// Whether this redrive has it in hand.
    pub is_ours: bool,
    /// How often its redrive came back.
    pub returned: i32,
}

/// A row that was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// How often its redrive came back.
    pub returned: i32,
    /// Whether another redrive had it in hand, and is gone: it may have sent it.
    pub was_in_hand: bool,
}

/// Claims the oldest of the rows that are open and free, `limit` of them at most, unless an older one
/// of the same key is in another's hand: messages of one key are sent in order.
///
/// # Errors
/// What the database said.
pub async fn claim(
    connection: &mut PgConnection,
    run: Uuid,
    ids: &[Uuid],
    limit: i64,
) -> Result<BTreeMap<Uuid, Claimed>, sqlx::Error> {
    let claimed = sqlx::query!(
        r#"
        WITH free AS MATERIALIZED (
            SELECT d.id, d.claimed_by IS NOT NULL AND d.claimed_by <> $1 AS was_in_hand
            FROM ops.dead_letters d
            WHERE d.id = ANY ($2) AND d.closed_at IS NULL AND d.has_bytes
              AND (d.claimed_by IS NULL OR d.claimed_by = $1
                   OR d.claimed_until < clock_timestamp())
              AND NOT EXISTS (
                SELECT FROM ops.dead_letters o
                WHERE o.topic = d.topic AND o.key_hash = d.key_hash AND o.id < d.id
                  AND o.closed_at IS NULL AND o.claimed_by <> $1
                  AND o.claimed_until > clock_timestamp()
              )
            ORDER BY d.id
            LIMIT $4
            FOR UPDATE
        )
        UPDATE ops.dead_letters d
        SET claimed_by = $1, claimed_until = clock_timestamp() + make_interval(secs => $3)
        WHERE d.id = ANY (ARRAY(SELECT id FROM free))
        RETURNING d.id, d.returned,
                  (SELECT free.was_in_hand FROM free WHERE free.id = d.id) AS "was_in_hand!"
        "#,
        run,
        ids,
        LEASE,
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(claimed
        .into_iter()
        .map(|row| {
            let claimed = Claimed {
                returned: row.returned,
                was_in_hand: row.was_in_hand,
            };
            (row.id, claimed)
        })
        .collect())
}

/// How the rows stand; the claims of those that are in hand are renewed.
///
/// # Errors
/// What the database said.
pub async fn look(
    connection: &mut PgConnection,
    run: Uuid,
    ids: &[Uuid],
) -> Result<Vec<Standing>, sqlx::Error> {
    sqlx::query!(
        "
        UPDATE ops.dead_letters
        SET claimed_until = clock_timestamp() + make_interval(secs => $3::float8)
        WHERE id = ANY (ARRAY(
            SELECT id FROM ops.dead_letters
            WHERE id = ANY ($2) AND claimed_by = $1 AND closed_at IS NULL
              AND claimed_until < clock_timestamp() + make_interval(secs => $3::float8 / 2)
            ORDER BY id
            FOR UPDATE
        ))
        ",
        run,
        ids,
        LEASE,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query_as!(
        Standing,
        r#"
        SELECT id, closed_at IS NULL AS "is_open!",
               claimed_by IS NOT DISTINCT FROM $1 AS "is_ours!", returned
        FROM ops.dead_letters
        WHERE id = ANY ($2)
        "#,
        run,
        ids,
    )
    .fetch_all(connection)
    .await
}

/// Lets go of rows.
///
/// # Errors
/// What the database said.
pub async fn release(
    connection: &mut PgConnection,
    run: Uuid,
    ids: &[Uuid],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "
        UPDATE ops.dead_letters SET claimed_by = NULL, claimed_until = NULL
        WHERE id = ANY (ARRAY(
            SELECT id FROM ops.dead_letters
            WHERE id = ANY ($2) AND claimed_by = $1
            ORDER BY id
            FOR UPDATE
        ))
        ",
        run,
        ids,
    )
    .execute(connection)
    .await
    .map(drop)
}
