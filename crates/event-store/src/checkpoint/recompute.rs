//! What the table of events says of a checkpoint: count and digest, page by page, and the marks that
//! keep what was found.

use sqlx::PgConnection;

use super::Checkpoint;
use crate::{Position, StreamId};

/// Events that one statement hashes at most. The table may be large, and statements have a time
/// limit.
pub(crate) const PAGE: i64 = 100_000;

/// What the table of events says that a checkpoint has to be which counts the events after `since`
/// up to `position`.
///
/// # Errors
/// What the database said.
pub async fn recompute(
    connection: &mut PgConnection,
    since: Position,
    position: Position,
) -> Result<Checkpoint, sqlx::Error> {
    let mut checkpoint = Checkpoint::at(since);
    while let Some(next) = recompute_page(connection, checkpoint, position, None).await? {
        checkpoint = next;
    }
    Ok(checkpoint)
}

/// Last position, count and digest of a page; the caller says of which events.
macro_rules! page {
    ($connection:expr, $which:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query!(
            r#"
            SELECT max(page.position) AS last, count(*) AS "delivered!",
                   coalesce(sum(('x' || encode(substr(sha256(uuid_send(page.event_id)), 1, 8),
                                               'hex'))::bit(64)::bigint::numeric)
                            % 18446744073709551616, 0)::text AS "digest!"
            FROM (
                SELECT e.position, e.event_id FROM store.events e
                WHERE e.position > $1 AND e.position <= $2 "# + $which + r#"
                ORDER BY e.position
                LIMIT $3
            ) page
            "#,
            $($argument),+
        )
        .map(|row| (row.last, row.delivered, row.digest))
        .fetch_one($connection)
        .await
    };
}

/// The checkpoint one page after `from`, as far as `position`, of all events or of those of one
/// stream; none at its end. The table may be large, and statements have a time limit.
pub(crate) async fn recompute_page(
    connection: &mut PgConnection,
    from: Checkpoint,
    position: Position,
    stream: Option<&StreamId>,
) -> Result<Option<Checkpoint>, sqlx::Error> {
    let (last, delivered, digest) = match stream {
        None => page!(connection, "", from.position.get(), position.get(), PAGE)?,
        Some(stream) => page!(
            connection,
            "AND e.aggregate_type = $4 AND e.aggregate_id = $5",
            from.position.get(),
            position.get(),
            PAGE,
            stream.kind(),
            stream.key(),
        )?,
    };
    let Some(last) = last else {
        return Ok(None);
    };
    Ok(Some(Checkpoint {
        position: Position::new(last),
        delivered: from.delivered + delivered,
        digest: from.digest.wrapping_add(modulo_2_64(&digest)?),
    }))
}

/// A sum that the database has reduced modulo 2^64, sign kept, as the wrapped 64-bit number.
fn modulo_2_64(text: &str) -> Result<i64, sqlx::Error> {
    let number: i128 = text
        .parse()
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let wrapped = number.rem_euclid(1 << 64);
    u64::try_from(wrapped)
        .map(u64::cast_signed)
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// The last point of the store's history at or before `position` that was verified in the
/// generation; the beginning if none was.
pub(crate) async fn nearest_mark(
    connection: &mut PgConnection,
    generation: i64,
    position: Position,
) -> Result<Checkpoint, sqlx::Error> {
    let found = sqlx::query!(
        r#"
        SELECT position, delivered, digest FROM store.marks
        WHERE generation = $1 AND position <= $2
        ORDER BY position DESC
        LIMIT 1
        "#,
        generation,
        position.get(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.map_or(Checkpoint::default(), |row| Checkpoint {
        position: Position::new(row.position),
        delivered: row.delivered,
        digest: row.digest,
    }))
}

/// Keeps what was found in the generation.
pub(crate) async fn mark(
    connection: &mut PgConnection,
    generation: i64,
    found: Checkpoint,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        INSERT INTO store.marks (generation, position, delivered, digest)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING
        "#,
        generation,
        found.position.get(),
        found.delivered,
        found.digest,
    )
    .execute(connection)
    .await
    .map(drop)
}
