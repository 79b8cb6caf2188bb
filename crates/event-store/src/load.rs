//! Reading whole streams, and with them the answer that a key may already have.

use std::collections::BTreeMap;

use kernel::EventId;
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::append::StoredAnswer;
use crate::{Claim, LoadedStream, Position, PositionToken, StoredEvent, StreamId, Version};

/// The longest stream that is read. A limit keeps the planner on the index, and a stream of this
/// length says that something writes in a circle.
pub const LONGEST_STREAM: i64 = 100_000;

/// What one round trip brings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LoadedWithKey {
    pub(crate) generation: i64,
    pub(crate) streams: Vec<LoadedStream>,
    pub(crate) stored: Option<StoredUnderKey>,
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredUnderKey {
    pub(crate) fingerprint: Vec<u8>,
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
    load_with_key(connection, streams, None)
        .await
        .map(|loaded| loaded.streams)
}

/// Reads streams and what `claim`'s key holds, in one statement and so in one snapshot.
pub(crate) async fn load_with_key(
    connection: &mut PgConnection,
    streams: &[StreamId],
    claim: Option<&Claim>,
) -> Result<LoadedWithKey, sqlx::Error> {
    let kinds: Vec<&str> = streams.iter().map(StreamId::kind).collect();
    let keys: Vec<&str> = streams.iter().map(StreamId::key).collect();
    let rows = sqlx::query!(
        r#"
        SELECT 0::bigint AS "ord!", g.number AS generation,
               k.fingerprint, k.status, k.aggregate_type, k.aggregate_id, k.state,
               answered.position, k.sequence,
               NULL::uuid AS event_id, NULL::text AS event_type, NULL::text AS event_version,
               NULL::jsonb AS payload,
               NULL::jsonb AS "metadata: Json<BTreeMap<String, String>>",
               NULL::timestamptz AS recorded_at
        FROM (SELECT number FROM store.generation ORDER BY number DESC LIMIT 1) g
        LEFT JOIN store.idempotency_keys k ON k.scope = $3 AND k.key = $4
        LEFT JOIN store.events answered
            ON answered.aggregate_type = k.aggregate_type
            AND answered.aggregate_id = k.aggregate_id
            AND answered.sequence = k.sequence
        UNION ALL
        SELECT s.ord, NULL, NULL, NULL, NULL, NULL, NULL,
               e.position, e.sequence, e.event_id, e.event_type, e.event_version,
               e.payload, e.metadata, e.recorded_at
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS s (kind, key, ord)
        CROSS JOIN LATERAL (
            SELECT * FROM store.events e
            WHERE e.aggregate_type = s.kind AND e.aggregate_id = s.key
            ORDER BY e.sequence
            LIMIT $5
        ) e
        "#,
        &kinds as &[&str],
        &keys as &[&str],
        claim.map(|c| c.scope.as_str()),
        claim.map(|c| c.key.as_str()),
        LONGEST_STREAM + 1,
    )
    .fetch_all(connection)
    .await?;

    let mut loaded = LoadedWithKey {
        generation: 0,
        streams: streams
            .iter()
            .map(|id| LoadedStream {
                id: id.clone(),
                events: Vec::new(),
            })
            .collect(),
        stored: None,
    };
    for row in rows {
        if row.ord == 0 {
            loaded.generation = row.generation.unwrap_or(0);
            loaded.stored = stored_under_key(
                row.fingerprint,
                row.status,
                row.aggregate_type.zip(row.aggregate_id),
                row.sequence,
                row.state,
                PositionToken {
                    generation: loaded.generation,
                    position: Position::new(row.position.unwrap_or(0)),
                },
            );
            continue;
        }
        let index = usize::try_from(row.ord - 1).unwrap_or(usize::MAX);
        let Some(stream) = loaded.streams.get_mut(index) else {
            continue;
        };
        stream.events.push(StoredEvent {
            position: Position::new(required(row.position, "position")?),
            event_id: EventId::from_uuid(required(row.event_id, "event_id")?),
            stream: stream.id.clone(),
            version: Version::new(required(row.sequence, "sequence")?),
            event_type: required(row.event_type, "event_type")?,
            event_version: required(row.event_version, "event_version")?,
            payload: required(row.payload, "payload")?,
            raw_metadata: required(row.metadata, "metadata")?.0,
            recorded_at: required(row.recorded_at, "recorded_at")?,
        });
    }
    for stream in &mut loaded.streams {
        stream.events.sort_by_key(|event| event.version);
        let length = i64::try_from(stream.events.len()).unwrap_or(i64::MAX);
        if length > LONGEST_STREAM || stream.version().get() != length {
            return Err(sqlx::Error::Decode(
                format!(
                    "stream {} has {length} events up to version {}",
                    stream.id,
                    stream.version()
                )
                .into(),
            ));
        }
    }
    Ok(loaded)
}

fn stored_under_key(
    fingerprint: Option<Vec<u8>>,
    status: Option<i16>,
    stream: Option<(String, String)>,
    version: Option<i64>,
    state: Option<String>,
    token: PositionToken,
) -> Option<StoredUnderKey> {
    let (kind, key) = stream?;
    Some(StoredUnderKey {
        fingerprint: fingerprint?,
        answer: StoredAnswer {
            status: u16::try_from(status?).ok()?,
            stream: StreamId::from_parts(kind, key),
            version: Version::new(version?),
            state,
            token,
        },
    })
}

/// A column that is never null in a row of events, though the union makes it look so.
fn required<T>(value: Option<T>, column: &'static str) -> Result<T, sqlx::Error> {
    value.ok_or_else(|| sqlx::Error::ColumnNotFound(column.to_owned()))
}
