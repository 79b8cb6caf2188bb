//! Rows as operators ask for them: lists, groups of what is open, and one row whole.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Headers;

/// How many bytes of a key a list has.
pub const LISTED_KEY: u16 = 1024;
/// How many rows one statement selects.
const SELECTED: i64 = 10_000;

/// Which rows are meant; those that every part given agrees to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of this code.
    pub code: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// From this topic.
    pub topic: Option<String>,
    /// Of this event type.
    pub ce_type: Option<String>,
    /// Of this group.
    pub group: Option<String>,
    /// That failed first before this.
    pub before: Option<DateTime<Utc>>,
    /// That failed first after this.
    pub after: Option<DateTime<Utc>>,
    /// One of these.
    pub ids: Option<Vec<Uuid>>,
}

/// Whether what a row is about was handled or given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Neither.
    Open,
    /// One of the two.
    Closed,
}

/// A row in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What is said of it.
    pub summary: Summary,
    /// The message's key, if it has one; its first [`LISTED_KEY`] bytes.
    pub key: Option<Vec<u8>>,
    /// How many bytes the key has.
    pub key_length: i32,
    /// How and when it was closed, if it was.
    pub closed: Option<(String, DateTime<Utc>)>,
}

/// What is said of a row everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its id.
    pub id: Uuid,
    /// The consumer group that gave it up.
    pub consumer: String,
    /// Where the message lay first.
    pub topic: String,
    /// Where the message lay first.
    pub partition: i32,
    /// Where the message lay first.
    pub offset: i64,
    /// The event's id, if it has one.
    pub ce_id: Option<Uuid>,
    /// The event's type, if it has one; foreign text.
    pub ce_type: Option<String>,
    /// Its group.
    pub group: String,
    /// What is wrong, in a word.
    pub code: String,
    /// Of which kind that is.
    pub kind: String,
    /// What is wrong, in a sentence; may hold foreign text.
    pub detail: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it failed first.
    pub first_failed_at: DateTime<Utc>,
    /// When it failed last.
    pub last_failed_at: DateTime<Utc>,
}

/// A group of open rows: of the same code, type and cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// What they have in common.
    pub key: GroupKey,
    /// How many there are.
    pub count: i64,
    /// When the first of them failed first.
    pub first_failed_at: DateTime<Utc>,
    /// When the last of them failed last.
    pub last_failed_at: DateTime<Utc>,
}

/// What the rows of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupKey {
    /// What is wrong, in a word.
    pub code: String,
    /// Of which kind that is.
    pub kind: String,
    /// The event type, if there is one; foreign text.
    pub ce_type: Option<String>,
    /// What is wrong, in a sentence without particulars.
    pub cause: String,
}

/// A row whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// What a list says of it.
    pub summary: Summary,
    /// The message's key, if it has one.
    pub key: Option<Vec<u8>>,
    /// The message's headers, in order, each with its value if it has one.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The message's value, if it has one.
    pub value: Option<Vec<u8>>,
    /// Whether key, headers and value are still kept.
    pub has_bytes: bool,
    /// The dead letter that the message claimed to be sent again for, where it was another's.
    pub redrive_of: Option<Uuid>,
    /// How often its redrive came back.
    pub returned: i32,
    /// How and when it was closed, if it was.
    pub closed: Option<(String, DateTime<Utc>)>,
}

/// A row that was selected, as a redrive needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// Its id; the smaller, the older.
    pub id: Uuid,
    /// The group that gave it up.
    pub consumer: String,
    /// Where it came from.
    pub topic: String,
    /// Stands for its key, if it has one.
    pub key_hash: Option<Vec<u8>>,
    /// Its group.
    pub group: String,
    /// How often its redrive has come back so far.
    pub returned: i32,
}

macro_rules! selected {
    ($query:ident!($($type:ty,)? $head:literal), $selection:expr, $tail:literal,
     $($more:expr),* $(,)?) => {
        selected!($query!($($type,)? $head), "closed_at IS NULL", $selection, $tail, $($more),*)
    };
    ($query:ident!($($type:ty,)? $head:literal), $state:literal, $selection:expr, $tail:literal,
     $($more:expr),* $(,)?) => {
        sqlx::$query!(
            $($type,)?
            $head + " FROM ops.dead_letters
            WHERE " + $state + "
              AND ($1::text IS NULL OR code = $1)
              AND ($2::text IS NULL OR kind = $2)
              AND ($3::text IS NULL OR topic = $3)
              AND ($4::text IS NULL OR ce_type = $4)
              AND ($5::text IS NULL OR group_id = $5)
              AND ($6::timestamptz IS NULL OR first_failed_at < $6)
              AND ($7::timestamptz IS NULL OR first_failed_at > $7)
              AND ($8::uuid[] IS NULL OR id = ANY ($8)) " + $tail,
            $selection.code,
            $selection.kind,
            $selection.topic,
            $selection.ce_type,
            $selection.group,
            $selection.before,
            $selection.after,
            $selection.ids.as_deref(),
            $($more),*
        )
    };
}

/// The state is in the text of the statement, so that the index of what is open serves it.
macro_rules! page_in {
    ($state:literal, $connection:expr, $selection:expr, $before:expr, $limit:expr) => {
        selected!(
            query!(
                r#"SELECT id, consumer, topic, partition, "offset", ce_id, ce_type,
                      group_id AS "group", code, kind, detail, attempts, first_failed_at,
                      last_failed_at, substr(key, 1, $11) AS key,
                      octet_length(key) AS key_length, closed_as, closed_at"#
            ),
            $state,
            $selection,
            "AND id < $9 ORDER BY id DESC LIMIT $10",
            $before,
            $limit,
            i32::from(LISTED_KEY),
        )
        .map(|row| Listed {
            summary: Summary {
                id: row.id,
                consumer: row.consumer,
                topic: row.topic,
                partition: row.partition,
                offset: row.offset,
                ce_id: row.ce_id,
                ce_type: row.ce_type,
                group: row.group,
                code: row.code,
                kind: row.kind,
                detail: row.detail,
                attempts: row.attempts,
                first_failed_at: row.first_failed_at,
                last_failed_at: row.last_failed_at,
            },
            key: row.key,
            key_length: row.key_length.unwrap_or_default(),
            closed: row.closed_as.zip(row.closed_at),
        })
        .fetch_all($connection)
        .await
    };
}

/// A page of what is selected in a state, or in any, newest first: those before `before`, at most
/// `limit`.
///
/// # Errors
/// What the database said.
pub async fn page(
    connection: &mut PgConnection,
    selection: &Selection,
    state: Option<State>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Listed>, sqlx::Error> {
    let before = before.unwrap_or(Uuid::max());
    match state {
        None => page_in!("true", connection, selection, before, limit),
        Some(State::Open) => {
            page_in!("closed_at IS NULL", connection, selection, before, limit)
        }
        Some(State::Closed) => {
            page_in!(
                "closed_at IS NOT NULL",
                connection,
                selection,
                before,
                limit
            )
        }
    }
}

/// The groups of what is selected and open, the largest first: those after `after`, which is of so
/// many rows and this id, at most `limit`.
///
/// # Errors
/// What the database said.
pub async fn groups(
    connection: &mut PgConnection,
    selection: &Selection,
    after: Option<(i64, &str)>,
    limit: i64,
) -> Result<Vec<Group>, sqlx::Error> {
    let (count, id) = after.unzip();
    selected!(
        query!(
            r#"SELECT group_id AS "group!", count(*) AS "count!",
                      min(first_failed_at) AS "first!", max(last_failed_at) AS "last!",
                      min(code) AS "code!", min(kind) AS "kind!", min(ce_type) AS ce_type,
                      min(cause) AS "cause!""#
        ),
        selection,
        "GROUP BY group_id
         HAVING $10::bigint IS NULL OR count(*) < $10 OR (count(*) = $10 AND group_id > $11)
         ORDER BY count(*) DESC, group_id LIMIT $9",
        limit,
        count,
        id,
    )
    .map(|row| Group {
        id: row.group,
        key: GroupKey {
            code: row.code,
            kind: row.kind,
            ce_type: row.ce_type,
            cause: row.cause,
        },
        count: row.count,
        first_failed_at: row.first,
        last_failed_at: row.last,
    })
    .fetch_all(connection)
    .await
}

/// Everything that is selected and open now, oldest first.
///
/// # Errors
/// What the database said.
pub async fn select(
    connection: &mut PgConnection,
    selection: &Selection,
) -> Result<Vec<Selected>, sqlx::Error> {
    let mut all: Vec<Selected> = Vec::new();
    loop {
        let after = all.last().map_or(Uuid::nil(), |last| last.id);
        let page = selected!(
            query_as!(
                Selected,
                r#"SELECT id, consumer, topic, key_hash, group_id AS "group", returned"#
            ),
            selection,
            "AND has_bytes AND id > $9 ORDER BY id LIMIT $10",
            after,
            SELECTED,
        )
        .fetch_all(&mut *connection)
        .await?;
        let is_last = i64::try_from(page.len()).is_ok_and(|found| found < SELECTED);
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// One row, open or closed.
///
/// # Errors
/// What the database said.
pub async fn find(
    connection: &mut PgConnection,
    id: Uuid,
) -> Result<Option<DeadLetter>, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        SELECT id, consumer, topic, partition, "offset", ce_id, ce_type, group_id, code, kind,
               detail, attempts, first_failed_at, last_failed_at, key, value, header_names,
               header_values AS "header_values: Vec<Option<Vec<u8>>>", has_bytes, redrive_of,
               returned, closed_as, closed_at
        FROM ops.dead_letters
        WHERE id = $1
        "#,
        id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| DeadLetter {
        summary: Summary {
            id: row.id,
            consumer: row.consumer,
            topic: row.topic,
            partition: row.partition,
            offset: row.offset,
            ce_id: row.ce_id,
            ce_type: row.ce_type,
            group: row.group_id,
            code: row.code,
            kind: row.kind,
            detail: row.detail,
            attempts: row.attempts,
            first_failed_at: row.first_failed_at,
            last_failed_at: row.last_failed_at,
        },
        key: row.key,
        headers: headers(row.header_names, row.header_values),
        value: row.value,
        has_bytes: row.has_bytes,
        redrive_of: row.redrive_of,
        returned: row.returned,
        closed: row.closed_as.zip(row.closed_at),
    }))
}

fn headers(names: Option<Vec<String>>, values: Option<Vec<Option<Vec<u8>>>>) -> Headers {
    let names = names.unwrap_or_default();
    names.into_iter().zip(values.unwrap_or_default()).collect()
}
