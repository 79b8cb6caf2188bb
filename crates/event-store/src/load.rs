//! Reading streams, and with them the answer that a key may already have. A statement is bounded by
//! number and by bytes: what is longer is read page by page.

use std::time::Duration;

use kernel::EventId;
use sqlx::PgConnection;
use sqlx::postgres::types::PgInterval;

use crate::append::StoredAnswer;
use crate::feed::JsonColumn;
use crate::{
    Claim, Generation, LoadedStream, Position, PositionToken, StoredEvent, StreamId, Version,
};

/// The longest stream that is read. A limit keeps the planner on the index, and a stream of this
/// length says that something writes in a circle.
pub const LONGEST_STREAM: i64 = 100_000;

/// How much one statement reads at most, beside the last event of each stream.
const LARGEST_LOAD: usize = 4 << 20;
/// The same of [`load_page`]: readers of many streams at once hold one page of each, and small
/// values take ten times their text in memory.
const LARGEST_PAGE: usize = 1 << 20;
/// How many events of one stream a statement reads at most.
const LONGEST_PAGE: usize = 1000;

/// Streams to read, and the key to look up.
#[derive(Debug, Clone, Default)]
pub(crate) struct LoadRequest {
    pub(crate) streams: Vec<StreamId>,
    /// Where to begin in each of them.
    pub(crate) after: Version,
    pub(crate) claim: Option<Claim>,
}

/// What is there for one request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LoadedWithKey {
    pub(crate) generation: Generation,
    pub(crate) streams: Vec<LoadedStream>,
    pub(crate) stored: Option<StoredUnderKey>,
}

/// A part of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Its events, oldest first.
    pub events: Vec<StoredEvent>,
    /// Whether there may be more after them.
    pub more: bool,
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredUnderKey {
    pub(crate) fingerprint: Vec<u8>,
    /// For how long it has held it, by the database's clock.
    pub(crate) age: Duration,
    pub(crate) answer: StoredAnswer,
}

/// Reads streams, in the order asked for; one without events comes back empty.
///
/// # Errors
/// What the database said.
pub async fn load(
    connection: &mut PgConnection,
    streams: &[StreamId],
) -> Result<Vec<LoadedStream>, sqlx::Error> {
    let request = LoadRequest {
        streams: streams.to_vec(),
        ..LoadRequest::default()
    };
    Ok(load_whole(connection, &request).await?.streams)
}

/// Reads a part of a stream: the next events after `after`, about a mebibyte of them at most.
///
/// # Errors
/// What the database said.
pub async fn load_page(
    connection: &mut PgConnection,
    stream: &StreamId,
    after: Version,
) -> Result<Page, sqlx::Error> {
    page(connection, stream, after, LARGEST_PAGE).await
}

async fn page(
    connection: &mut PgConnection,
    stream: &StreamId,
    after: Version,
    most: usize,
) -> Result<Page, sqlx::Error> {
    let request = LoadRequest {
        streams: vec![stream.clone()],
        after,
        claim: None,
    };
    let loaded = load_many(connection, &[&request], most).await?;
    let streams = loaded.into_iter().flat_map(|one| one.streams);
    Ok(streams
        .map(|stream| page_of(stream, most))
        .next()
        .unwrap_or(Page {
            events: Vec::new(),
            more: false,
        }))
}

fn page_of(stream: LoadedStream, most: usize) -> Page {
    Page {
        more: may_be_cut(&stream, most),
        events: stream.events,
    }
}

/// Reads the streams of a request to their ends.
pub(crate) async fn load_whole(
    connection: &mut PgConnection,
    request: &LoadRequest,
) -> Result<LoadedWithKey, sqlx::Error> {
    let most = LARGEST_LOAD / request.streams.len().max(1);
    let mut loaded = load_many(connection, &[request], most).await?;
    let mut loaded = loaded.pop().ok_or(sqlx::Error::RowNotFound)?;
    for stream in &mut loaded.streams {
        let mut more = may_be_cut(stream, most);
        while more {
            check_length(stream)?;
            let next = page(connection, &stream.id, stream.version(), LARGEST_LOAD).await?;
            stream.events.extend(next.events);
            more = next.more;
        }
        check_length(stream)?;
    }
    Ok(loaded)
}

/// Reads the streams and looks up the keys of several requests. Nothing comes back for one whose
/// streams are too long to be read together with others.
pub(crate) async fn load_together(
    connection: &mut PgConnection,
    requests: &[&LoadRequest],
) -> Result<Vec<Option<LoadedWithKey>>, sqlx::Error> {
    let streams: usize = requests.iter().map(|one| one.streams.len()).sum();
    let most = LARGEST_LOAD / streams.max(1);
    let loaded = load_many(connection, requests, most).await?;
    let whole = |one: &LoadedWithKey| !one.streams.iter().any(|it| may_be_cut(it, most));
    Ok(loaded
        .into_iter()
        .map(|one| whole(&one).then_some(one))
        .collect())
}

/// Reads of each stream no more than passes `most` bytes, in one statement and so in one snapshot.
async fn load_many(
    connection: &mut PgConnection,
    requests: &[&LoadRequest],
    most: usize,
) -> Result<Vec<LoadedWithKey>, sqlx::Error> {
    let columns = Columns::of(requests);
    let rows = sqlx::query!(
        r#"
        SELECT k.request AS "request!", 0::bigint AS "ord!", g.number AS generation,
               i.store_id,
               held.fingerprint, clock_timestamp() - held.created_at AS age, held.status, held.aggregate_type, held.aggregate_id, held.state,
               answered.position, held.sequence,
               NULL::uuid AS event_id, NULL::text AS event_type, NULL::text AS event_version,
               NULL::jsonb AS "payload: JsonColumn",
               NULL::jsonb AS "metadata: JsonColumn",
               NULL::timestamptz AS recorded_at, NULL::integer AS bytes
        FROM (SELECT number FROM store.generation ORDER BY number DESC LIMIT 1) g
        CROSS JOIN (SELECT store_id FROM store.identity LIMIT 1) i
        CROSS JOIN unnest($1::text[], $2::text[]) WITH ORDINALITY AS k (scope, key, request)
        LEFT JOIN LATERAL (
            SELECT * FROM store.idempotency_keys u
            WHERE u.scope = k.scope AND u.key = k.key
            LIMIT 1
        ) held ON true
        LEFT JOIN LATERAL (
            SELECT e.position FROM store.events e
            WHERE e.aggregate_type = held.aggregate_type
              AND e.aggregate_id = held.aggregate_id
              AND e.sequence = held.sequence
            LIMIT 1
        ) answered ON true
        UNION ALL
        SELECT s.request, s.ord, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
               e.position, e.sequence, e.event_id, e.event_type, e.event_version,
               e.payload, e.metadata, e.recorded_at, e.bytes
        FROM unnest($3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[])
            AS s (request, ord, kind, key, after)
        CROSS JOIN LATERAL (
            SELECT * FROM (
                SELECT e.*, sum(e.bytes) OVER (ORDER BY e.sequence ROWS UNBOUNDED PRECEDING)
                            - e.bytes AS before
                FROM store.events e
                WHERE e.aggregate_type = s.kind AND e.aggregate_id = s.key AND e.sequence > s.after
                ORDER BY e.sequence
                LIMIT $8
            ) page
            WHERE page.before < $9
        ) e
        "#,
        &columns.scopes as &[Option<&str>],
        &columns.keys as &[Option<&str>],
        &columns.stream_requests,
        &columns.stream_numbers,
        &columns.stream_types as &[&str],
        &columns.stream_ids as &[&str],
        &columns.after,
        i64::try_from(LONGEST_PAGE).unwrap_or(i64::MAX),
        i64::try_from(most).unwrap_or(i64::MAX),
    )
    .fetch_all(connection)
    .await?;

    let mut loaded: Vec<LoadedWithKey> = requests.iter().map(|r| nothing_for(r)).collect();
    for row in rows {
        let Some(one) = numbered(&mut loaded, row.request) else {
            continue;
        };
        if row.ord == 0 {
            one.generation = Generation {
                store: required(row.store_id, "store_id")?,
                number: required(row.generation, "generation")?,
            };
            one.stored = stored_under_key(
                row.fingerprint.zip(row.age),
                row.status,
                row.aggregate_type.zip(row.aggregate_id),
                row.sequence,
                row.state,
                PositionToken {
                    generation: one.generation,
                    position: Position::new(row.position.unwrap_or(0)),
                },
            );
            continue;
        }
        let Some(stream) = numbered(&mut one.streams, row.ord) else {
            continue;
        };
        stream.events.push(StoredEvent {
            position: Position::new(required(row.position, "position")?),
            event_id: EventId::from_uuid(required(row.event_id, "event_id")?),
            stream: stream.id.clone(),
            version: Version::new(required(row.sequence, "sequence")?),
            event_type: required(row.event_type, "event_type")?,
            event_version: required(row.event_version, "event_version")?,
            payload: required(row.payload, "payload")?.0,
            raw_metadata: required(row.metadata, "metadata")?.0,
            recorded_at: required(row.recorded_at, "recorded_at")?,
            bytes: usize::try_from(required(row.bytes, "bytes")?).unwrap_or(usize::MAX),
        });
    }
    for (one, request) in loaded.iter_mut().zip(requests) {
        for stream in &mut one.streams {
            stream.events.sort_by_key(|event| event.version);
            check_without_gaps(stream, request.after)?;
        }
    }
    Ok(loaded)
}

/// The arrays that the statement takes: requests, and streams that name theirs, numbered from 1.
#[derive(Default)]
struct Columns<'a> {
    scopes: Vec<Option<&'a str>>,
    keys: Vec<Option<&'a str>>,
    stream_requests: Vec<i64>,
    stream_numbers: Vec<i64>,
    stream_types: Vec<&'a str>,
    stream_ids: Vec<&'a str>,
    after: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn of(requests: &[&'a LoadRequest]) -> Self {
        let mut columns = Self::default();
        for (number, request) in (1..).zip(requests) {
            let claim = request.claim.as_ref();
            columns.scopes.push(claim.map(|c| c.scope.as_str()));
            columns.keys.push(claim.map(|c| c.key.as_str()));
            for (stream_number, stream) in (1..).zip(&request.streams) {
                columns.stream_requests.push(number);
                columns.stream_numbers.push(stream_number);
                columns.stream_types.push(stream.kind());
                columns.stream_ids.push(stream.key());
                columns.after.push(request.after.get());
            }
        }
        columns
    }
}

fn nothing_for(request: &LoadRequest) -> LoadedWithKey {
    let streams = request.streams.iter().map(|id| LoadedStream {
        id: id.clone(),
        events: Vec::new(),
    });
    LoadedWithKey {
        generation: Generation::default(),
        streams: streams.collect(),
        stored: None,
    }
}

/// The item with this number, from 1.
fn numbered<T>(items: &mut [T], number: i64) -> Option<&mut T> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    items.get_mut(index)
}

/// Whether the statement may have stopped before the stream's end.
fn may_be_cut(stream: &LoadedStream, most: usize) -> bool {
    stream.events.len() >= LONGEST_PAGE || stream.bytes() >= most
}

fn check_without_gaps(stream: &LoadedStream, after: Version) -> Result<(), sqlx::Error> {
    let length = i64::try_from(stream.events.len()).unwrap_or(i64::MAX);
    let last = stream.events.last().map_or(after, |last| last.version);
    if last.get() == after.get() + length {
        return Ok(());
    }
    let id = &stream.id;
    let gap = format!("stream {id} has {length} events between versions {after} and {last}");
    Err(sqlx::Error::Decode(gap.into()))
}

fn check_length(stream: &LoadedStream) -> Result<(), sqlx::Error> {
    if stream.version().get() <= LONGEST_STREAM {
        return Ok(());
    }
    let long = format!("stream {} has more than {LONGEST_STREAM} events", stream.id);
    Err(sqlx::Error::Decode(long.into()))
}

fn stored_under_key(
    claimed: Option<(Vec<u8>, PgInterval)>,
    status: Option<i16>,
    stream: Option<(String, String)>,
    version: Option<i64>,
    state: Option<String>,
    token: PositionToken,
) -> Option<StoredUnderKey> {
    let (kind, key) = stream?;
    let (fingerprint, age) = claimed?;
    Some(StoredUnderKey {
        fingerprint,
        age: at_least(&age),
        answer: StoredAnswer {
            status: u16::try_from(status?).ok()?,
            stream: StreamId::from_parts(kind, key),
            version: Version::new(version?),
            state,
            token,
        },
    })
}

/// A difference of two instants; nothing of a negative one.
fn at_least(age: &PgInterval) -> Duration {
    let days = u64::try_from(age.days).unwrap_or(0);
    let micros = u64::try_from(age.microseconds).unwrap_or(0);
    Duration::from_secs(days * 24 * 60 * 60) + Duration::from_micros(micros)
}

/// A column that is never null in a row of events, though the union makes it look so.
fn required<T>(value: Option<T>, column: &'static str) -> Result<T, sqlx::Error> {
    value.ok_or_else(|| sqlx::Error::ColumnNotFound(column.to_owned()))
}

/// The version that `stream` had at `position`: that of its last event up to there.
///
/// # Errors
/// What the database said.
pub async fn version_at(
    connection: &mut PgConnection,
    stream: &StreamId,
    position: Position,
) -> Result<Version, sqlx::Error> {
    let version = sqlx::query_scalar!(
        r#"
        SELECT e.sequence FROM store.events e
        WHERE e.aggregate_type = $1 AND e.aggregate_id = $2 AND e.position <= $3
        ORDER BY e.sequence DESC
        LIMIT 1
        "#,
        stream.kind(),
        stream.key(),
        position.get(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(version.map_or(Version::NONE, Version::new))
}

/// The keys of the streams of a kind that have an event after one position, up to the other; the two
/// are to be near to each other.
///
/// # Errors
/// What the database said.
pub async fn streams_between(
    connection: &mut PgConnection,
    kind: &str,
    after: Position,
    up_to: Position,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        SELECT DISTINCT e.aggregate_id FROM (
            SELECT aggregate_type, aggregate_id FROM store.events
            WHERE position > $1 AND position <= $2
            ORDER BY position
            LIMIT $4
        ) e
        WHERE e.aggregate_type = $3
        "#,
        after.get(),
        up_to.get(),
        kind,
        LONGEST_STREAM,
    )
    .fetch_all(connection)
    .await
}

/// How much room the events of `stream` take, in bytes, as [`LoadedStream::bytes`] counts it.
///
/// # Errors
/// What the database said.
pub async fn stream_bytes(
    connection: &mut PgConnection,
    stream: &StreamId,
) -> Result<usize, sqlx::Error> {
    let bytes = sqlx::query_scalar!(
        r#"
        SELECT coalesce(sum(e.bytes), 0)::bigint AS "bytes!" FROM store.events e
        WHERE e.aggregate_type = $1 AND e.aggregate_id = $2
        "#,
        stream.kind(),
        stream.key(),
    )
    .fetch_one(connection)
    .await?;
    Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
}
