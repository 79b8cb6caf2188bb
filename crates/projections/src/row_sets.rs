//! Sets of rows on their way into one statement.

/// One column of a set of rows.
pub(crate) fn column<'a, R, T>(rows: &'a [R], cell: impl FnMut(&'a R) -> T) -> Vec<T> {
    rows.iter().map(cell).collect()
}

/// Makes sure that every row was moved: one that was not is no longer at the version that it was
/// loaded at, so somebody else writes here, and the batch must not be kept.
pub(crate) fn all_moved(table: &str, expected: usize, moved: u64) -> Result<(), sqlx::Error> {
    if u64::try_from(expected) == Ok(moved) {
        return Ok(());
    }
    Err(sqlx::Error::Protocol(format!(
        "{moved} of {expected} rows of {table} were at the version that they had been loaded at"
    )))
}
