//! A message is given up: its row, new or known.

use chrono::{DateTime, SecondsFormat, Utc};
use contracts::{DeadLetterCode, Incoming, dead_letter_header};
use kernel::{EventId, IdSource as _, RandomIds};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// The longest detail that is kept, in characters.
const LONGEST_DETAIL: usize = 1000;
/// The longest type that is kept beside the headers, in characters.
const LONGEST_TYPE: usize = 200;

/// Headers in order, each with its value if it has one.
pub type Headers = Vec<(String, Option<Vec<u8>>)>;

/// A message that is given up, and why.
#[derive(Debug, Clone, Copy)]
pub struct Failure<'a> {
    /// The consumer group that gives it up.
    pub consumer: &'a str,
    /// The topic that it lies on.
    pub topic: &'a str,
    /// Which topic of that name; empty where the broker is too old to say.
    pub topic_id: &'a str,
    /// The partition that it lies on.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// Its key, if it has one.
    pub key: Option<&'a [u8]>,
    /// Its headers and its value.
    pub message: Incoming<'a>,
    /// What is wrong, in a word.
    pub code: DeadLetterCode,
    /// What is wrong, in a sentence.
    pub detail: &'a str,
    /// How often it was tried.
    pub attempts: u32,
    /// When it failed first.
    pub first_failed_at: DateTime<Utc>,
    /// When it failed last.
    pub last_failed_at: DateTime<Utc>,
}

/// What its row says now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its id.
    pub id: Uuid,
    /// How often it was tried, over all its redrives.
    pub attempts: i32,
    /// When it failed first.
    pub first_failed_at: DateTime<Utc>,
}

/// Writes the row. The same failure again changes nothing; a redrive that failed too is told in the
/// row that it was sent for, where that is one of the same event.
///
/// # Errors
/// What the database said.
pub async fn record(database: &PgPool, failure: Failure<'_>) -> Result<Recorded, sqlx::Error> {
    let mut connection = database.acquire().await?;
    if let Some(id) = failure.message.redrive_of() {
        let known = repeat(&mut connection, id, failure).await?;
        if let Some(recorded) = known {
            return Ok(recorded);
        }
    }
    insert(&mut connection, failure).await
}

/// The columns that a failure sets anew.
struct Columns {
    ce_id: Option<Uuid>,
    detail: String,
    cause: String,
    attempts: i32,
}

impl Columns {
    fn of(failure: Failure<'_>) -> Self {
        let detail = storable(failure.detail, LONGEST_DETAIL);
        Self {
            ce_id: failure.message.event_id().ok().map(EventId::as_uuid),
            cause: cause(&detail),
            detail,
            attempts: i32::try_from(failure.attempts).unwrap_or(i32::MAX),
        }
    }
}

async fn repeat(
    connection: &mut PgConnection,
    id: Uuid,
    failure: Failure<'_>,
) -> Result<Option<Recorded>, sqlx::Error> {
    let columns = Columns::of(failure);
    sqlx::query_as!(
        Recorded,
        r#"
        UPDATE ops.dead_letters SET
            attempts = CASE WHEN (last_partition, last_offset) = ($5, $6) THEN attempts
                       ELSE (attempts::bigint + $7::integer)::integer END,
            returned = CASE WHEN (last_partition, last_offset) = ($5, $6) THEN returned
                       ELSE returned + 1 END,
            code = $8, kind = $9, detail = $10, cause = $11,
            last_failed_at = greatest(last_failed_at, $12),
            last_partition = $5, last_offset = $6
        WHERE id = $1 AND consumer = $2 AND topic = $3 AND ce_id IS NOT DISTINCT FROM $4
        RETURNING id, attempts, first_failed_at
        "#,
        id,
        failure.consumer,
        failure.topic,
        columns.ce_id,
        failure.partition,
        failure.offset,
        columns.attempts,
        failure.code.as_str(),
        failure.code.kind().as_str(),
        columns.detail,
        columns.cause,
        failure.last_failed_at,
    )
    .fetch_optional(connection)
    .await
}

async fn insert(
    connection: &mut PgConnection,
    failure: Failure<'_>,
) -> Result<Recorded, sqlx::Error> {
    let message = failure.message;
    let columns = Columns::of(failure);
    let ce_type = message.event_type().ok();
    let (names, values): (Vec<String>, Vec<Option<Vec<u8>>>) =
        message.headers.iter().cloned().unzip();
    sqlx::query_as!(
        Recorded,
        r#"
        INSERT INTO ops.dead_letters AS known
            (id, consumer, topic, topic_id, partition, "offset", key, value, header_names,
             header_values, ce_id, ce_type, redrive_of, code, kind, detail, cause, attempts,
             first_failed_at, last_failed_at, last_partition, last_offset)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                $19, greatest($19, $20::timestamptz), $5, $6)
        ON CONFLICT (consumer, topic_id, partition, "offset") DO UPDATE SET
            code = excluded.code, kind = excluded.kind, detail = excluded.detail,
            cause = excluded.cause, attempts = greatest(known.attempts, excluded.attempts),
            last_failed_at = greatest(known.last_failed_at, excluded.last_failed_at)
        RETURNING id, attempts, first_failed_at
        "#,
        RandomIds.next(),
        failure.consumer,
        failure.topic,
        failure.topic_id,
        failure.partition,
        failure.offset,
        failure.key,
        message.value,
        &names,
        &values as &[Option<Vec<u8>>],
        columns.ce_id,
        ce_type.map(|text| storable(text, LONGEST_TYPE)),
        message.redrive_of(),
        failure.code.as_str(),
        failure.code.kind().as_str(),
        columns.detail,
        columns.cause,
        columns.attempts,
        first_failed_at(failure),
        failure.last_failed_at,
    )
    .fetch_one(connection)
    .await
}

/// What the message says of an earlier failure, where somebody sent on what had been given up.
fn first_failed_at(failure: Failure<'_>) -> DateTime<Utc> {
    let told = failure
        .message
        .header(dead_letter_header::FIRST_FAILED_AT)
        .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
        .map(DateTime::<Utc>::from);
    told.filter(|told| *told < failure.first_failed_at)
        .unwrap_or(failure.first_failed_at)
}

/// The message's headers as its dead letter has them: its own, and each of ours once.
#[must_use]
pub fn headers(failure: Failure<'_>, recorded: &Recorded) -> Headers {
    let since = recorded
        .first_failed_at
        .to_rfc3339_opts(SecondsFormat::Micros, true);
    let ours = [
        (dead_letter_header::CODE, failure.code.to_string()),
        (dead_letter_header::KIND, failure.code.kind().to_string()),
        (
            dead_letter_header::DETAIL,
            storable(failure.detail, LONGEST_DETAIL),
        ),
        (dead_letter_header::TOPIC, failure.topic.to_owned()),
        (dead_letter_header::PARTITION, failure.partition.to_string()),
        (dead_letter_header::OFFSET, failure.offset.to_string()),
        (dead_letter_header::ATTEMPTS, recorded.attempts.to_string()),
        (dead_letter_header::FIRST_FAILED_AT, since),
        (dead_letter_header::CONSUMER, failure.consumer.to_owned()),
    ];
    let ours = ours.map(|(name, value)| (name.to_owned(), Some(value.into_bytes())));
    foreign(failure.message.headers)
        .cloned()
        .chain(ours)
        .collect()
}

/// The headers that are not those of a dead letter.
pub fn foreign(
    headers: &[(String, Option<Vec<u8>>)],
) -> impl Iterator<Item = &(String, Option<Vec<u8>>)> {
    let is_ours = |name: &str| name.starts_with(dead_letter_header::PREFIX);
    headers.iter().filter(move |(name, _)| !is_ours(name))
}

/// A text that the database takes: so long, and without the one character that it cannot hold.
fn storable(text: &str, longest: usize) -> String {
    let characters = text.chars().take(longest);
    characters
        .map(|c| {
            if c == '\0' {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

/// A detail without what is particular to one message: numbers and ids are told as `#`.
fn cause(detail: &str) -> String {
    let is_particular = |word: &str| word.chars().any(|c| c.is_ascii_digit());
    let mut cause = String::new();
    let ends = |c: char| !(c.is_alphanumeric() || c == '-');
    for word in detail.split_inclusive(ends) {
        let stem = word.trim_end_matches(ends);
        let rest = word.get(stem.len()..).unwrap_or_default();
        cause.push_str(if is_particular(stem) { "#" } else { stem });
        cause.push_str(rest);
    }
    cause
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_what_many_messages_have_in_common() {
        for (detail, expected) in [
            ("the value has 1048577 bytes", "the value has # bytes"),
            (
                "event 01938f6e-0000-7000-8000-000000000001 was refused by workshop:\
                 01938f6e-0000-7000-8000-000000000002: too many",
                "event # was refused by workshop:#: too many",
            ),
            ("EOF at line 1 column 17", "EOF at line # column #"),
            ("", ""),
        ] {
            assert_eq!(cause(detail), expected);
        }
    }

    #[test]
    fn what_the_database_cannot_hold_is_replaced_or_cut() {
        assert_eq!(storable("a\0b", 10), "a\u{fffd}b");
        assert_eq!(storable("äöü", 2), "äö");
    }
}
