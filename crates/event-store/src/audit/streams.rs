//! Whether the events of every stream are numbered from 1 without a hole.

use sqlx::PgConnection;

use crate::{StreamId, Version};

/// Events that one statement looks at.
const PAGE: i64 = 100_000;
/// How many broken streams are named.
pub const BROKEN_SHOWN: usize = 100;

/// An audit of all streams, in the order of their names.
#[derive(Debug)]
pub struct StreamAudit {
    last: (StreamId, Version),
    events: i64,
    broken: Vec<BrokenStream>,
}

/// A stream with a hole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenStream {
    /// The stream.
    pub stream: StreamId,
    /// The version before the hole; [`Version::NONE`] where the first event is missing.
    pub before: Version,
    /// The version after it.
    pub after: Version,
}

impl StreamAudit {
    /// At the first stream.
    #[must_use]
    pub fn begin() -> Self {
        Self {
            last: (StreamId::from_parts("", ""), Version::NONE),
            events: 0,
            broken: Vec::new(),
        }
    }

    /// How many events were looked at.
    #[must_use]
    pub const fn done(&self) -> i64 {
        self.events
    }

    /// The holes that were found, the first [`BROKEN_SHOWN`] of them.
    #[must_use]
    pub fn broken(&self) -> &[BrokenStream] {
        &self.broken
    }

    /// Looks at a page of events; whether there is more to look at.
    ///
    /// # Errors
    /// What the database said.
    pub async fn step(&mut self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let (stream, version) = &self.last;
        let rows = sqlx::query!(
            r#"
            WITH page AS MATERIALIZED (
                SELECT e.aggregate_type, e.aggregate_id, e.sequence,
                       lag(e.sequence, 1, CASE
                           WHEN e.aggregate_type = $1 AND e.aggregate_id = $2 THEN $3 ELSE 0 END)
                       OVER (PARTITION BY e.aggregate_type, e.aggregate_id ORDER BY e.sequence)
                           AS before
                FROM (
                    SELECT aggregate_type, aggregate_id, sequence FROM store.events
                    WHERE (aggregate_type, aggregate_id, sequence) > ($1, $2, $3)
                    ORDER BY aggregate_type, aggregate_id, sequence
                    LIMIT $4
                ) e
            ), last AS (
                SELECT aggregate_type, aggregate_id, sequence, true AS is_last, before FROM page
                ORDER BY aggregate_type DESC, aggregate_id DESC, sequence DESC
                LIMIT 1
            ), broken AS (
                SELECT aggregate_type, aggregate_id, sequence, false AS is_last, before FROM page
                WHERE sequence <> before + 1
                ORDER BY aggregate_type, aggregate_id, sequence
                LIMIT $5
            )
            SELECT aggregate_type AS "kind!", aggregate_id AS "key!", sequence AS "sequence!",
                   before AS "before!", is_last AS "is_last!",
                   (SELECT count(*) FROM page) AS "events!"
            FROM (TABLE broken UNION ALL TABLE last) found
            "#,
            stream.kind(),
            stream.key(),
            version.get(),
            PAGE,
            i64::try_from(BROKEN_SHOWN).unwrap_or(i64::MAX),
        )
        .fetch_all(connection)
        .await?;
        let mut more = false;
        for row in rows {
            let stream = StreamId::from_parts(row.kind, row.key);
            let version = Version::new(row.sequence);
            if row.is_last {
                self.events += row.events;
                self.last = (stream, version);
                more = row.events == PAGE;
            } else if self.broken.len() < BROKEN_SHOWN {
                self.broken.push(BrokenStream {
                    stream,
                    before: Version::new(row.before),
                    after: version,
                });
            }
        }
        Ok(more)
    }
}
