//! What the auditor writes down: who audits, how far each audit has come, what was found.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection};

use crate::Lease;

/// How many findings of an audit are kept, but for those of one page more.
const MOST_FINDINGS: i64 = 1_000;

/// The right to write down what audits find; one process has it at a time.
#[derive(Debug, Clone)]
pub struct Auditorship(Lease);

/// How far an audit has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// What it is of: `store`, or a read model's name.
    pub subject: String,
    /// The version of the read model whose rows are compared.
    pub reader: Option<String>,
    /// The stream after which it goes on; empty at its begin.
    pub cursor: String,
    /// How many streams it has looked at.
    pub streams: i64,
    /// How many streams the last whole round had.
    pub last_streams: i64,
    /// How long ago it began.
    pub age: Duration,
    /// How long ago the last whole round began, if there ever was one: everything has been proved
    /// since.
    pub proved: Option<Duration>,
}

impl Round {
    /// Since when at the latest everything has been proved: the age of the oldest proof.
    #[must_use]
    pub fn oldest_proof(&self) -> Duration {
        self.proved.unwrap_or(self.age)
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The stream concerned, by its key, or the reader whose checkpoint does not hold.
    pub stream: String,
    /// Which part of it; empty where it is the whole.
    pub item: String,
    /// What is wrong.
    pub what: String,
}

/// Something that is wrong, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFinding {
    /// The audit that found it.
    pub subject: String,
    /// What it found.
    pub finding: Finding,
    /// When it was first found.
    pub found_at: DateTime<Utc>,
}

/// A part of an audit: from stream to stream.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The audit.
    pub subject: &'a str,
    /// The version of the read model that was looked at; none for `store`.
    pub reader: Option<&'a str>,
    /// It lies after this stream.
    pub after: &'a str,
    /// Its last stream; none where the round ends with it.
    pub last: Option<&'a str>,
    /// How many streams it had.
    pub streams: i64,
}

/// Somebody else audits: nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Somebody else audits by now.
    #[error("the audit was taken over by another owner")]
    TakenOver,
    /// The database failed.
    #[error("what the audit found was not written down")]
    Database(#[from] sqlx::Error),
}

impl Auditorship {
    /// That of whoever has the lease [`Lease::AUDITOR`].
    #[must_use]
    pub const fn under(lease: Lease) -> Self {
        Self(lease)
    }

    /// Takes or keeps it for the length of the lease; whether it is ours.
    ///
    /// # Errors
    /// What the database said.
    pub async fn hold(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        self.0.hold(connection).await
    }

    /// Where an audit is; it begins anew where it was of another version.
    ///
    /// # Errors
    /// What the database said.
    pub async fn round(
        &self,
        connection: &mut PgConnection,
        subject: &str,
        reader: Option<&str>,
    ) -> Result<Round, sqlx::Error> {
        let mut transaction = connection.begin().await?;
        let begun = sqlx::query!(
            r#"
            INSERT INTO ops.audits AS a (subject, reader) VALUES ($1, $2)
            ON CONFLICT (subject) DO UPDATE SET
                reader = excluded.reader, cursor = '', streams = 0, last_streams = 0,
                began_at = clock_timestamp(), proved_since = NULL
            WHERE a.reader IS DISTINCT FROM excluded.reader
            "#,
            subject,
            reader,
        )
        .execute(&mut *transaction)
        .await?;
        if begun.rows_affected() > 0 {
            sqlx::query!("DELETE FROM ops.audit_findings WHERE subject = $1", subject)
                .execute(&mut *transaction)
                .await?;
        }
        let found = rounds(&mut transaction).await?;
        transaction.commit().await?;
        let mut found = found.into_iter().filter(|round| round.subject == subject);
        found.next().ok_or(sqlx::Error::RowNotFound)
    }

    /// Writes down what came of a part: its findings take the place of those that there were of the
    /// same streams. Returns those that are new.
    ///
    /// # Errors
    /// See [`RecordError`]; nothing was written then.
    pub async fn record(
        &self,
        connection: &mut PgConnection,
        part: Part<'_>,
        findings: &[Finding],
    ) -> Result<Vec<Finding>, RecordError> {
        let mut transaction = connection.begin().await?;
        if !self.hold(&mut transaction).await? {
            transaction.rollback().await?;
            return Err(RecordError::TakenOver);
        }
        let new = keep(&mut transaction, part, findings).await?;
        forget(&mut transaction, part).await?;
        advance(&mut transaction, part).await?;
        transaction.commit().await?;
        Ok(new)
    }
}

async fn keep(
    connection: &mut PgConnection,
    part: Part<'_>,
    findings: &[Finding],
) -> Result<Vec<Finding>, sqlx::Error> {
    if findings.is_empty() {
        return Ok(Vec::new());
    }
    let of = |text: fn(&Finding) -> &str| findings.iter().map(text).collect::<Vec<&str>>();
    let kept = sqlx::query!(
        r#"
        INSERT INTO ops.audit_findings (subject, stream, item, what, seen_at)
        SELECT DISTINCT ON (n.stream, n.item) $1, n.stream, n.item, n.what, now()
        FROM unnest($2::text[], $3::text[], $4::text[]) AS n (stream, item, what)
        WHERE (SELECT count(*) FROM (
                   SELECT FROM ops.audit_findings WHERE subject = $1 LIMIT $5
               ) kept) < $5
        ON CONFLICT (subject, stream, item) DO UPDATE SET
            what = excluded.what, seen_at = excluded.seen_at
        RETURNING stream, item, what, (xmax = 0) AS "is_new!"
        "#,
        part.subject,
        &of(|it| &it.stream) as &[&str],
        &of(|it| &it.item) as &[&str],
        &of(|it| &it.what) as &[&str],
        MOST_FINDINGS,
    )
    .fetch_all(connection)
    .await?;
    let new = kept.into_iter().filter(|row| row.is_new);
    Ok(new
        .map(|row| Finding {
            stream: row.stream,
            item: row.item,
            what: row.what,
        })
        .collect())
}

/// Forgets what was found wrong before, and is right now.
async fn forget(connection: &mut PgConnection, part: Part<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        DELETE FROM ops.audit_findings
        WHERE subject = $1 AND stream > $2 AND ($3::text IS NULL OR stream <= $3)
          AND seen_at < now()
        "#,
        part.subject,
        part.after,
        part.last,
    )
    .execute(connection)
    .await
    .map(drop)
}

async fn advance(connection: &mut PgConnection, part: Part<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        UPDATE ops.audits SET
            cursor = coalesce($2, ''),
            streams = CASE WHEN $2::text IS NULL THEN 0 ELSE streams + $3 END,
            last_streams = CASE WHEN $2 IS NULL THEN streams + $3 ELSE last_streams END,
            proved_since = CASE WHEN $2 IS NULL THEN began_at ELSE proved_since END,
            began_at = CASE WHEN $2 IS NULL THEN clock_timestamp() ELSE began_at END
        WHERE subject = $1
        "#,
        part.subject,
        part.last,
        part.streams,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// How far every audit has come.
///
/// # Errors
/// What the database said.
pub async fn rounds(connection: &mut PgConnection) -> Result<Vec<Round>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        SELECT subject, reader, cursor, streams, last_streams,
               extract(epoch FROM clock_timestamp() - began_at)::double precision AS "age!",
               extract(epoch FROM clock_timestamp() - proved_since)::double precision AS proved
        FROM ops.audits
        ORDER BY subject
        LIMIT 100
        "#,
    )
    .fetch_all(connection)
    .await?;
    let age = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    Ok(rows
        .into_iter()
        .map(|row| Round {
            subject: row.subject,
            reader: row.reader,
            cursor: row.cursor,
            streams: row.streams,
            last_streams: row.last_streams,
            age: age(row.age),
            proved: row.proved.map(age),
        })
        .collect())
}

/// What an audit has found, at most `limit` of it: those of the first streams.
///
/// # Errors
/// What the database said.
pub async fn findings(
    connection: &mut PgConnection,
    subject: &str,
    limit: i64,
) -> Result<Vec<KeptFinding>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        SELECT subject, stream, item, what, found_at FROM ops.audit_findings
        WHERE subject = $1
        ORDER BY stream, item
        LIMIT $2
        "#,
        subject,
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| KeptFinding {
            subject: row.subject,
            finding: Finding {
                stream: row.stream,
                item: row.item,
                what: row.what,
            },
            found_at: row.found_at,
        })
        .collect())
}

/// How many findings of an audit are kept.
///
/// # Errors
/// What the database said.
pub async fn count_findings(
    connection: &mut PgConnection,
    subject: &str,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!" FROM (
            SELECT FROM ops.audit_findings WHERE subject = $1 LIMIT 10000
        ) kept
        "#,
        subject,
    )
    .fetch_one(connection)
    .await
}
