//! The append: events to streams at the versions that the caller has seen, all or nothing.

use serde_json::Value;
use sqlx::PgConnection;

use crate::failure::{SqlFailure, classify};
use crate::{Claim, Generation, NewEvent, Position, PositionToken, StreamId, Version};

/// Events for one stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamAppend {
    /// The stream.
    pub stream: StreamId,
    /// The version that it must have.
    pub expected: Version,
    /// The events, oldest first; none only checks the version.
    pub events: Vec<NewEvent>,
}

/// The answer that a claim of a key stores with the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedAnswer {
    /// The key, its owner and what was asked.
    pub claim: Claim,
    /// HTTP status of the answer.
    pub status: u16,
    /// The name of the state that the first stream is in afterwards.
    pub state: Option<String>,
}

impl ClaimedAnswer {
    pub(crate) fn status_column(&self) -> i16 {
        i16::try_from(self.status).unwrap_or(i16::MAX)
    }
}

/// One append. A claimed answer speaks of the first stream given.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Append {
    /// The streams, each once.
    pub streams: Vec<StreamAppend>,
    /// The key under which it may be repeated.
    pub claim: Option<ClaimedAnswer>,
}

impl Append {
    /// Events for one stream, without a key.
    #[must_use]
    pub fn to(stream: StreamId, expected: Version, events: Vec<NewEvent>) -> Self {
        Self {
            streams: vec![StreamAppend {
                stream,
                expected,
                events,
            }],
            claim: None,
        }
    }
}

impl Append {
    /// The answer to an append that was done, and has put its target's last event at `token`.
    pub(crate) fn answer(&self, token: PositionToken) -> Option<StoredAnswer> {
        let target = self.streams.first()?;
        let events = i64::try_from(target.events.len()).ok()?;
        Some(StoredAnswer {
            status: self.claim.as_ref().map_or(200, |c| c.status),
            stream: target.stream.clone(),
            version: Version::new(target.expected.get() + events),
            state: self.claim.as_ref().and_then(|c| c.state.clone()),
            token,
        })
    }
}

/// An answer as the store gives it, for the first time or again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// The stream that it speaks of.
    pub stream: StreamId,
    /// That stream's version afterwards.
    pub version: Version,
    /// The name of that stream's state afterwards.
    pub state: Option<String>,
    /// Where that stream's last event lies.
    pub token: PositionToken,
}

/// What became of an append that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// The events are stored.
    Now(StoredAnswer),
    /// The key had been used for the same request: nothing was stored now.
    Before(StoredAnswer),
    /// The key had been used for another request: nothing was stored.
    KeyReused,
}

/// Why an append failed. Nothing is stored, except where `Database` says that the connection went.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A stream is at another version than expected.
    #[error("a stream is at another version than expected")]
    Conflict,
    /// The database failed.
    #[error("the append failed in the database")]
    Database(#[source] sqlx::Error),
}

/// Appends on `connection`, in its open transaction or as a transaction of its own.
///
/// In a longer transaction it comes last: from here until the commit every reader of the feed
/// waits at the position before it.
///
/// # Errors
/// [`AppendError::Conflict`] when a stream moved on; else what the database said.
pub async fn append(
    connection: &mut PgConnection,
    append: &Append,
) -> Result<Appended, AppendError> {
    let columns = Columns::of(&[append]);
    let Some(target) = columns.targets.first() else {
        return Err(AppendError::Database(sqlx::Error::Encode(
            "an append names at least one stream".into(),
        )));
    };
    let claim = append.claim.as_ref();

    let row = sqlx::query!(
        r#"
        SELECT outcome AS "outcome!", status, target_type AS "target_type!",
               target_id AS "target_id!", version AS "version!", state,
               position, generation AS "generation!", store_id AS "store_id!"
        FROM store.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        "#,
        claim.map(|c| c.claim.scope.as_str()),
        claim.map(|c| c.claim.key.as_str()),
        claim.map(|c| c.claim.fingerprint.as_slice()),
        claim.map_or(200, ClaimedAnswer::status_column),
        claim.and_then(|c| c.state.as_deref()),
        *target,
        &columns.stream_types as &[&str],
        &columns.stream_ids as &[&str],
        &columns.expected,
        &columns.event_streams,
        &columns.event_ids,
        &columns.event_types as &[&str],
        &columns.event_versions as &[&str],
        &columns.payloads as &[&Value],
        &columns.metadata,
    )
    .fetch_one(connection)
    .await
    .map_err(|error| match classify(&error) {
        SqlFailure::VersionConflict => AppendError::Conflict,
        SqlFailure::Retryable
        | SqlFailure::StalePlan
        | SqlFailure::Unreachable
        | SqlFailure::GaveUp
        | SqlFailure::Other => AppendError::Database(error),
    })?;

    if row.outcome == "reused" {
        return Ok(Appended::KeyReused);
    }
    let answer = StoredAnswer {
        status: row
            .status
            .and_then(|s| u16::try_from(s).ok())
            .unwrap_or(200),
        stream: StreamId::from_parts(row.target_type, row.target_id),
        version: Version::new(row.version),
        state: row.state,
        token: PositionToken {
            generation: Generation {
                store: row.store_id,
                number: row.generation,
            },
            position: Position::new(row.position.unwrap_or(0)),
        },
    };
    Ok(if row.outcome == "replayed" {
        Appended::Before(answer)
    } else {
        Appended::Now(answer)
    })
}

/// The arrays that the SQL functions take: targets, streams ascending by id that name their unit,
/// and events that name their stream, numbered from 1.
#[derive(Default)]
pub(crate) struct Columns<'a> {
    pub(crate) targets: Vec<i32>,
    pub(crate) stream_units: Vec<i32>,
    pub(crate) stream_types: Vec<&'a str>,
    pub(crate) stream_ids: Vec<&'a str>,
    pub(crate) expected: Vec<i64>,
    pub(crate) event_streams: Vec<i32>,
    pub(crate) event_ids: Vec<uuid::Uuid>,
    pub(crate) event_types: Vec<&'a str>,
    pub(crate) event_versions: Vec<&'a str>,
    pub(crate) payloads: Vec<&'a Value>,
    pub(crate) metadata: Vec<Value>,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(appends: &[&'a Append]) -> Self {
        let units = (1..).zip(appends);
        let mut streams: Vec<(i32, bool, &StreamAppend)> = units
            .flat_map(|(unit, append)| {
                let is_target = [true].into_iter().chain(std::iter::repeat(false));
                is_target
                    .zip(&append.streams)
                    .map(move |(is_target, stream)| (unit, is_target, stream))
            })
            .collect();
        streams.sort_by(|(.., a), (.., b)| a.stream.cmp(&b.stream));
        let mut columns = Self::default();
        let mut targets = Vec::new();
        for (number, (unit, is_target, stream)) in (1..).zip(streams) {
            if is_target {
                targets.push((unit, number));
            }
            columns.stream_units.push(unit);
            columns.push_stream(number, stream);
        }
        targets.sort_unstable();
        columns.targets = targets.into_iter().map(|(_, number)| number).collect();
        columns
    }

    fn push_stream(&mut self, number: i32, stream: &'a StreamAppend) {
        self.stream_types.push(stream.stream.kind());
        self.stream_ids.push(stream.stream.key());
        self.expected.push(stream.expected.get());
        for event in &stream.events {
            self.event_streams.push(number);
            self.event_ids.push(event.event_id.as_uuid());
            self.event_types.push(event.event_type);
            self.event_versions.push(event.event_version);
            self.payloads.push(&event.payload);
            let metadata = event.metadata.to_map();
            self.metadata.push(
                metadata
                    .into_iter()
                    .map(|(key, value)| (key, Value::String(value)))
                    .collect(),
            );
        }
    }
}
