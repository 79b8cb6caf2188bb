//! Reads the columns that hold one of a few words.

use chrono::{DateTime, Utc};
use kernel::{Actor, Role};
use uuid::Uuid;

use super::view::DisputeView;

/// Reads a column that holds one of a few words.
pub(super) fn read_word<W>(word: &str, column: &'static str) -> Result<W, sqlx::Error>
where
    W: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    word.parse()
        .map_err(|error: W::Err| sqlx::Error::ColumnDecode {
            index: column.to_owned(),
            source: Box::new(error),
        })
}

/// Reads the two columns that name somebody.
pub(super) fn read_actor(role: &str, id: Uuid, column: &'static str) -> Result<Actor, sqlx::Error> {
    Ok(Actor::new(read_word::<Role>(role, column)?, id))
}

/// Reads the columns of a dispute; they are all null or none is.
pub(super) fn read_dispute(
    role: Option<String>,
    id: Option<Uuid>,
    reason: Option<String>,
    opened_at: Option<DateTime<Utc>>,
    from: Option<String>,
) -> Result<Option<DisputeView>, sqlx::Error> {
    let Some(((role, id), (reason, (opened_at, from)))) =
        role.zip(id).zip(reason.zip(opened_at.zip(from)))
    else {
        return Ok(None);
    };
    Ok(Some(DisputeView {
        opened_by: read_actor(&role, id, "dispute_by_role")?.into(),
        reason,
        opened_at,
        from: read_word(&from, "dispute_from")?,
    }))
}
