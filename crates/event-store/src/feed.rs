//! The feed: every committed event of the store, in the order of positions, without a gap.
//!
//! A position is drawn at the insert and seen at the commit, so "greater than my last" would lose
//! what commits late. The feed reads the watermark and then the events on one and the same
//! connection, and remembers nothing over a reconnect (`docs/adr/0002-watermark.md`).

use std::collections::BTreeMap;

use kernel::EventId;
use sqlx::postgres::PgConnectOptions;
use sqlx::types::Json;
use sqlx::{ConnectOptions, Connection, PgConnection};

use crate::{Position, StoredEvent, StreamId, Version, generation};

/// A reader's own connection.
#[derive(Debug)]
pub struct Feed {
    connection: PgConnection,
    generation: i64,
}

/// What one look at the feed brings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Up to here everything that will ever be committed is committed.
    pub watermark: Position,
    /// The events after the position asked for, up to the watermark or the limit.
    pub events: Vec<StoredEvent>,
}

impl Feed {
    /// Opens the connection and enters the server's generation.
    ///
    /// # Errors
    /// What the database said.
    pub async fn connect(options: &PgConnectOptions) -> Result<Self, sqlx::Error> {
        let mut connection = options.connect().await?;
        let generation = generation::enter(&mut connection).await?.number;
        Ok(Self {
            connection,
            generation,
        })
    }

    /// The generation that this connection reads.
    #[must_use]
    pub const fn generation(&self) -> i64 {
        self.generation
    }

    /// The connection, for what the reader commits beside the feed.
    pub const fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Closes the connection in good order.
    ///
    /// # Errors
    /// What the database said.
    pub async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.close().await
    }

    /// The next events after `after`, at most `limit` of them.
    ///
    /// # Errors
    /// What the database said; the connection is not to be used again then.
    pub async fn next_batch(&mut self, after: Position, limit: i64) -> Result<Batch, sqlx::Error> {
        // Two statements, never one: the events' snapshot has to be younger than the watermark.
        let watermark = sqlx::query_scalar!(r#"SELECT store.watermark() AS "watermark!""#)
            .fetch_one(&mut self.connection)
            .await?;
        if watermark <= after.get() {
            return Ok(Batch {
                watermark: Position::new(watermark),
                events: Vec::new(),
            });
        }
        let events = sqlx::query!(
            r#"
            SELECT position, event_id, aggregate_type, aggregate_id, sequence, event_type,
                   event_version, payload,
                   metadata AS "metadata: Json<BTreeMap<String, String>>", recorded_at, bytes
            FROM store.events
            WHERE position > $1 AND position <= $2
            ORDER BY position
            LIMIT $3
            "#,
            after.get(),
            watermark,
            limit,
        )
        .map(|row| StoredEvent {
            position: Position::new(row.position),
            event_id: EventId::from_uuid(row.event_id),
            stream: StreamId::from_parts(row.aggregate_type, row.aggregate_id),
            version: Version::new(row.sequence),
            event_type: row.event_type,
            event_version: row.event_version,
            payload: row.payload,
            raw_metadata: row.metadata.0,
            recorded_at: row.recorded_at,
            bytes: usize::try_from(row.bytes).unwrap_or(usize::MAX),
        })
        .fetch_all(&mut self.connection)
        .await?;
        Ok(Batch {
            watermark: Position::new(watermark),
            events,
        })
    }
}
