//! Comparing the rows of two versions: page by page, or those of some streams.
//!
//! What a page comes to can be taken out of a sum again: so streams that have moved since are
//! compared anew, and the others are not.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use sqlx::types::Json;

use super::certificate::{Difference, Side, Table, shown};
use crate::Version;

/// Rows that differ which are told at most.
const TOLD: usize = 100;
/// Streams that are compared at once.
const PAGE: i32 = 2_000;
/// Streams that are named in one statement at most.
const NAMED: usize = 500;

/// What rows of two versions come to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Comparison {
    tables: BTreeMap<String, Sums>,
    differences: Vec<Difference>,
}

/// What the rows of one table come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    old_rows: i64,
    old_digest: i64,
    new_rows: i64,
    new_digest: i64,
    differing: i64,
}

/// The last stream of a page, as the columns of its key.
pub(super) type Key = Vec<String>;

/// Compares the next page of streams after `after`. The next page begins after the key that is
/// returned; none at the end.
pub(super) async fn page(
    connection: &mut PgConnection,
    (from, to): (Version, Version),
    after: Option<&Key>,
    into: &mut Comparison,
) -> Result<Option<Key>, sqlx::Error> {
    let (page, until) = compare(connection, (from, to), after, None, into.room()).await?;
    into.add(page);
    Ok(until)
}

/// Compares the rows of these streams.
pub(super) async fn streams(
    connection: &mut PgConnection,
    (from, to): (Version, Version),
    streams: &[String],
) -> Result<Comparison, sqlx::Error> {
    let mut found = Comparison::default();
    for some in streams.chunks(NAMED) {
        let room = found.room();
        let (page, _) = compare(connection, (from, to), None, Some(some), room).await?;
        found.add(page);
    }
    Ok(found)
}

async fn compare(
    connection: &mut PgConnection,
    (from, to): (Version, Version),
    after: Option<&Key>,
    streams: Option<&[String]>,
    room: usize,
) -> Result<(Comparison, Option<Key>), sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        SELECT until, name AS "name!", old_rows AS "old_rows!", old_digest AS "old_digest!",
               new_rows AS "new_rows!", new_digest AS "new_digest!", differing AS "differing!",
               differences AS "differences!: Json<Vec<Difference>>"
        FROM read.compare($1, $2, $3, $4, $5, $6, $7)
        "#,
        from.model.as_str(),
        from.version,
        to.version,
        after.map(Vec::as_slice),
        PAGE,
        streams,
        i32::try_from(room).unwrap_or_default(),
    )
    .fetch_all(connection)
    .await?;
    let mut until = None;
    let mut page = Comparison::default();
    for row in rows {
        until = row.until;
        let sums = Sums {
            old_rows: row.old_rows,
            old_digest: row.old_digest,
            new_rows: row.new_rows,
            new_digest: row.new_digest,
            differing: row.differing,
        };
        page.tables.insert(row.name, sums);
        page.differences.extend(row.differences.0);
    }
    Ok((page, until))
}

impl Comparison {
    fn add(&mut self, page: Self) {
        for (name, sums) in page.tables {
            self.tables.entry(name).or_default().combine(sums, 1);
        }
        self.differences.extend(page.differences);
        self.differences.truncate(TOLD);
    }

    /// Puts what streams come to now in the place of what they came to.
    pub(super) fn replace(&mut self, streams: &[String], was: Self, is: Self) {
        for (name, sums) in was.tables {
            self.tables.entry(name).or_default().combine(sums, -1);
        }
        self.differences
            .retain(|difference| !streams.contains(&difference.stream));
        self.add(is);
    }

    fn room(&self) -> usize {
        TOLD.saturating_sub(self.differences.len())
    }

    /// Rows of the new version that were compared.
    pub(super) fn rows(&self) -> i64 {
        self.tables.values().map(|sums| sums.new_rows).sum()
    }

    /// Rows that differ.
    pub(super) fn differing(&self) -> i64 {
        self.tables.values().map(|sums| sums.differing).sum()
    }

    /// The tables, and the rows that are told.
    pub(super) fn into_parts(self) -> (Vec<Table>, Vec<Difference>) {
        let tables = self.tables.into_iter().map(|(table, sums)| Table {
            table,
            old: Side {
                rows: sums.old_rows,
                digest: shown(sums.old_digest),
            },
            new: Side {
                rows: sums.new_rows,
                digest: shown(sums.new_digest),
            },
            differing: sums.differing,
        });
        (tables.collect(), self.differences)
    }
}

impl Sums {
    /// Adds others, or takes them out; the digest of XORs does both alike.
    const fn combine(&mut self, others: Self, sign: i64) {
        self.old_rows += sign * others.old_rows;
        self.old_digest ^= others.old_digest;
        self.new_rows += sign * others.new_rows;
        self.new_digest ^= others.new_digest;
        self.differing += sign * others.differing;
    }
}
