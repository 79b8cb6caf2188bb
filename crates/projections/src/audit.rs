//! Comparing rows with what the events say: streams are folded anew, by the rules that the read
//! models fold by, and their rows compared by key and field.
//!
//! Rows and checkpoint move together, so in one snapshot the rows are what the events up to the
//! checkpoint say, whatever is appended meanwhile; of a parked stream, those before the first that
//! waits. Streams are taken in the order of their keys, those that have rows and no events too.

use std::collections::BTreeSet;
use std::fmt;

use event_store::{Position, StoredEvent, StreamId, load, parked, parked_page};
use sqlx::PgConnection;

use crate::{Model, Snapshot, bonus, orders, workshops};

/// How many differences of a table are told at once.
pub(crate) const MOST_DIFFERENCES: i64 = 200;

/// A row that is not what the events say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The stream that the row is derived from.
    pub stream: StreamId,
    /// The table; that of the read model's first rows where the stream cannot be folded.
    pub table: &'static str,
    /// The row's key within the stream's rows; empty where there is one such row.
    pub key: String,
    /// What is different.
    pub what: Differs,
}

/// What is different about a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Differs {
    /// It is not there.
    Missing,
    /// It should not be there.
    Surplus,
    /// One of its fields.
    Field {
        /// The column.
        name: String,
        /// What the events say; none for null. Cut where it is long.
        expected: Option<String>,
        /// What the row says; none for null. Cut where it is long.
        actual: Option<String>,
    },
    /// What it should be cannot be said: the events cannot be read, or cannot be folded.
    Unknown {
        /// Why.
        why: String,
    },
}

/// What came of a page of streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// How many streams were folded.
    pub streams: usize,
    /// What was found.
    pub differences: Vec<Difference>,
    /// The key of the last stream of the page; none after the last page.
    pub last: Option<String>,
}

impl Model {
    /// Compares the rows of at most `limit` streams after the key `after`, or somewhat more where
    /// rows have no stream.
    ///
    /// # Errors
    /// What the database said.
    pub async fn compare(
        self,
        snapshot: &mut Snapshot,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Compared, sqlx::Error> {
        let scope = Scope::of(self, snapshot).await?;
        let after = after.unwrap_or_default();
        let stored = scope.streams(snapshot, after, limit).await?;
        let rows = match self {
            Self::Orders => orders::audit::keys(snapshot, after, limit).await?,
            Self::Workshops => workshops::audit::keys(snapshot, after, limit).await?,
            Self::Bonus => bonus::audit::keys(snapshot, after, limit).await?,
        };
        // Beyond the end of a page that is full there may be more.
        let full = [&stored, &rows]
            .into_iter()
            .filter(|keys| i64::try_from(keys.len()) == Ok(limit));
        let last = full.filter_map(|keys| keys.last()).min().cloned();
        let keys: BTreeSet<String> = stored
            .into_iter()
            .chain(rows)
            .filter(|key| last.as_ref().is_none_or(|last| key <= last))
            .collect();
        let differences = match self {
            Self::Orders => orders::audit::compare(snapshot, &scope, &keys).await?,
            Self::Workshops => workshops::audit::compare(snapshot, &scope, &keys).await?,
            Self::Bonus => bonus::audit::compare(snapshot, &scope, &keys).await?,
        };
        Ok(Compared {
            streams: keys.len(),
            differences,
            last,
        })
    }

    /// About how many streams it has rows of, as the server estimates it; 0 where it does not know.
    ///
    /// # Errors
    /// What the database said.
    pub async fn size(self, snapshot: &mut Snapshot) -> Result<i64, sqlx::Error> {
        let table = match self {
            Self::Orders => "orders",
            Self::Workshops => "workshops",
            Self::Bonus => "bonus_accounts",
        };
        let estimate = sqlx::query_scalar!(
            "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass($1)",
            table,
        )
        .fetch_optional(&mut **snapshot)
        .await?;
        Ok(estimate.flatten().unwrap_or(0))
    }
}

/// What a snapshot shows of the events: those that the version's reader was delivered, and took.
pub(crate) struct Scope {
    model: Model,
    reader: String,
    to: Position,
    parks: bool,
}

impl Scope {
    async fn of(model: Model, snapshot: &mut Snapshot) -> Result<Self, sqlx::Error> {
        let to = snapshot.freshness().token.position;
        let reader = snapshot.version().to_owned();
        let parks = !parked_page(snapshot, &reader, None, 1).await?.is_empty();
        Ok(Self {
            model,
            reader,
            to,
            parks,
        })
    }

    /// The stream with a key.
    pub(crate) fn stream(&self, key: &str) -> StreamId {
        StreamId::from_parts(self.model.stream_kind(), key.to_owned())
    }

    /// The keys of the streams after `after` that were begun by then.
    async fn streams(
        &self,
        connection: &mut PgConnection,
        after: &str,
        limit: i64,
    ) -> Result<Vec<String>, sqlx::Error> {
        sqlx::query_scalar!(
            "SELECT aggregate_id FROM store.events
             WHERE aggregate_type = $1 AND aggregate_id > $2 AND sequence = 1 AND position <= $3
             ORDER BY aggregate_id
             LIMIT $4",
            self.model.stream_kind(),
            after,
            self.to.get(),
            limit,
        )
        .fetch_all(connection)
        .await
    }

    /// The events of a stream that the rows rest on; why they cannot be had, where its numbers have
    /// a hole.
    pub(crate) async fn events(
        &self,
        connection: &mut PgConnection,
        stream: &StreamId,
    ) -> Result<Result<Vec<StoredEvent>, String>, sqlx::Error> {
        let waits = if self.parks {
            parked(connection, &self.reader, stream).await?
        } else {
            None
        };
        let loaded = match load(connection, std::slice::from_ref(stream)).await {
            Ok(loaded) => loaded,
            Err(sqlx::Error::Decode(why)) => return Ok(Err(why.to_string())),
            Err(error) => return Err(error),
        };
        let events = loaded.into_iter().flat_map(|stream| stream.events);
        let taken = events.filter(|event| {
            let waits = waits.as_ref();
            event.position <= self.to && waits.is_none_or(|it| event.version < it.version)
        });
        Ok(Ok(taken.collect()))
    }
}

/// Streams whose events could be folded, with what they come to, and the others.
pub(crate) struct Folded<'a, T> {
    pub(crate) keys: Vec<&'a str>,
    pub(crate) come_to: Vec<T>,
    pub(crate) unknown: Vec<Difference>,
}

impl Scope {
    /// What the events of each of these streams come to, which are rows of `table` first of all.
    pub(crate) async fn fold_each<'a, T>(
        &self,
        connection: &mut PgConnection,
        keys: &'a BTreeSet<String>,
        table: &'static str,
        fold: impl Fn(&[StoredEvent]) -> Result<T, String>,
    ) -> Result<Folded<'a, T>, sqlx::Error> {
        let mut folded = Folded {
            keys: Vec::with_capacity(keys.len()),
            come_to: Vec::with_capacity(keys.len()),
            unknown: Vec::new(),
        };
        for key in keys {
            let stream = self.stream(key);
            let events = self.events(connection, &stream).await?;
            match events.and_then(|events| fold(&events)) {
                Ok(come_to) => {
                    folded.keys.push(key);
                    folded.come_to.push(come_to);
                }
                Err(why) => folded.unknown.push(Difference::unknown(stream, table, why)),
            }
        }
        Ok(folded)
    }
}

/// What a row differs in, as the statement of [`differences!`] says it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) stream: String,
    pub(crate) key: String,
    pub(crate) is_expected: bool,
    pub(crate) is_there: bool,
    pub(crate) field: Option<String>,
    pub(crate) expected: Option<String>,
    pub(crate) actual: Option<String>,
}

/// The differences between expected rows, as a JSON array of objects with the table's columns, and
/// those that a condition on `$3` finds in the table. Values are compared as the table keeps them.
macro_rules! differences {
    ($connection:expr, $table:literal, $stream:literal, $key:literal, $on:literal, $which:literal,
     $expected:expr, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            $crate::audit::Found,
            "SELECT " + $stream + r#" AS "stream!", "# + $key + r#" AS "key!",
                    (e.first_key IS NOT NULL) AS "is_expected!",
                    (a.first_key IS NOT NULL) AS "is_there!",
                    d.field, d.expected, d.actual
             FROM (SELECT r AS row, true AS first_key, r.*
                   FROM jsonb_populate_recordset(NULL::"# + $table + ", $1) r) e
             FULL JOIN (SELECT r AS row, true AS first_key, r.*
                        FROM " + $table + " r WHERE " + $which + ") a ON " + $on + r#"
             LEFT JOIN LATERAL (
                 SELECT x.key AS field, left(x.value #>> '{}', 200) AS expected,
                        left(y.value #>> '{}', 200) AS actual
                 FROM jsonb_each(to_jsonb(e.row)) x
                 JOIN jsonb_each(to_jsonb(a.row)) y USING (key)
                 WHERE x.value <> y.value
             ) d ON true
             WHERE e.row IS DISTINCT FROM a.row
             ORDER BY 1, 2, 5
             LIMIT $2"#,
            $expected,
            $crate::audit::MOST_DIFFERENCES,
            $($argument),+
        )
        .fetch_all($connection)
        .await
    };
}
pub(crate) use differences;

impl Found {
    /// The difference that it tells.
    pub(crate) fn told(self, scope: &Scope, table: &'static str) -> Difference {
        let what = match (self.is_expected, self.is_there, self.field) {
            (true, false, _) => Differs::Missing,
            (false, _, _) => Differs::Surplus,
            (true, true, name) => Differs::Field {
                name: name.unwrap_or_default(),
                expected: self.expected,
                actual: self.actual,
            },
        };
        Difference {
            stream: scope.stream(&self.stream),
            table,
            key: self.key,
            what,
        }
    }
}

impl Difference {
    /// A stream whose rows cannot be said.
    pub(crate) fn unknown(stream: StreamId, table: &'static str, why: String) -> Self {
        Self {
            stream,
            table,
            key: String::new(),
            what: Differs::Unknown { why },
        }
    }

    /// The column that differs; none where it is not one column.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match &self.what {
            Differs::Field { name, .. } => Some(name),
            Differs::Missing | Differs::Surplus | Differs::Unknown { .. } => None,
        }
    }
}

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the row is missing"),
            Self::Surplus => f.write_str("no event gives this row"),
            Self::Field {
                name,
                expected,
                actual,
            } => {
                let shown = |value: &Option<String>| match value {
                    Some(value) => format!("{value:?}"),
                    None => "null".to_owned(),
                };
                let (expected, actual) = (shown(expected), shown(actual));
                write!(f, "{name} is {actual}, not {expected}")
            }
            Self::Unknown { why } => write!(f, "the events cannot be folded: {why}"),
        }
    }
}
