//! The feed: every committed event of the store, in the order of positions, without a gap.
//!
//! A position is drawn at the insert and seen at the commit, so "greater than my last" would lose
//! what commits late. The feed reads the watermark and then the events on one and the same
//! connection, and remembers nothing over a reconnect (`docs/adr/0002-watermark.md`).

use sqlx::postgres::PgConnectOptions;
use sqlx::types::Json;
use sqlx::{ConnectOptions, Connection, PgConnection};

use crate::{Generation, Position, StoredEvent, StoredJson, StreamId, generation};

/// A reader's own connection.
#[derive(Debug)]
pub struct Feed {
    connection: PgConnection,
    generation: Generation,
}

/// Which events are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// None that lies after this position.
    pub to: Option<Position>,
    /// None of another stream.
    pub stream: Option<StreamId>,
}

/// How much is read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchBound {
    /// Events at most.
    pub events: i64,
    /// No further event once they have this many bytes.
    pub bytes: i64,
}

impl Default for BatchBound {
    fn default() -> Self {
        Self {
            events: 5_000,
            bytes: 4 << 20,
        }
    }
}

/// What one look at the feed brings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Up to here everything that will ever be committed is committed.
    pub watermark: Position,
    /// The events after the position asked for, up to the watermark or the bound.
    pub events: Vec<StoredEvent>,
}

/// The columns `payload` and `metadata`.
pub(crate) type JsonColumn = Json<StoredJson>;

/// The event of a row with its columns.
macro_rules! event_of {
    ($row:expr) => {
        $crate::StoredEvent {
            position: $crate::Position::new($row.position),
            event_id: kernel::EventId::from_uuid($row.event_id),
            stream: $crate::StreamId::from_parts($row.aggregate_type, $row.aggregate_id),
            version: $crate::Version::new($row.sequence),
            event_type: $row.event_type,
            event_version: $row.event_version,
            payload: $row.payload.0,
            raw_metadata: $row.metadata.0,
            recorded_at: $row.recorded_at,
            bytes: usize::try_from($row.bytes).unwrap_or(usize::MAX),
        }
    };
}
pub(crate) use event_of;

/// The events of one of the two ways to read, which the caller names with its arguments.
macro_rules! events {
    ($connection:expr, $which:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query!(
            r#"SELECT position, event_id, aggregate_type, aggregate_id, sequence, event_type,
                      event_version, payload AS "payload: JsonColumn",
                      metadata AS "metadata: JsonColumn",
                      recorded_at, bytes
               FROM (
                   SELECT e.*,
                          sum(bytes) OVER (ORDER BY position ROWS UNBOUNDED PRECEDING) - bytes
                              AS before
                   FROM (
                       SELECT * FROM store.events
                       WHERE position > $1 AND position <= $2 "# + $which + r#"
                       ORDER BY position
                       LIMIT $3
                   ) e
               ) e
               WHERE before < $4
               ORDER BY position"#,
            $($argument),+
        )
        .map(|row| event_of!(row))
        .fetch_all($connection)
        .await
    };
}

/// Up to here everything that will ever be committed is committed.
///
/// # Errors
/// What the database said.
pub async fn watermark(connection: &mut PgConnection) -> Result<Position, sqlx::Error> {
    let watermark = sqlx::query_scalar!(r#"SELECT store.watermark() AS "watermark!""#)
        .fetch_one(connection)
        .await?;
    Ok(Position::new(watermark))
}

impl Feed {
    /// Opens the connection and enters the server's generation.
    ///
    /// # Errors
    /// What the database said.
    pub async fn connect(options: &PgConnectOptions) -> Result<Self, sqlx::Error> {
        let mut connection = options.connect().await?;
        let generation = generation::enter(&mut connection).await?;
        Ok(Self {
            connection,
            generation,
        })
    }

    /// The generation that this connection reads.
    #[must_use]
    pub const fn generation(&self) -> Generation {
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

    /// Up to here everything that will ever be committed is committed.
    ///
    /// # Errors
    /// What the database said; the connection is not to be used again then.
    pub async fn watermark(&mut self) -> Result<Position, sqlx::Error> {
        watermark(&mut self.connection).await
    }

    /// The next of the selected events after `after`, within the bound; one at least, if there is
    /// one.
    ///
    /// # Errors
    /// What the database said; the connection is not to be used again then.
    pub async fn next_batch(
        &mut self,
        after: Position,
        selection: &Selection,
        bound: BatchBound,
    ) -> Result<Batch, sqlx::Error> {
        // Two statements, never one: the events' snapshot has to be younger than the watermark.
        let watermark = self.watermark().await?;
        let last = selection.to.map_or(watermark, |to| to.min(watermark));
        if last <= after {
            return Ok(Batch {
                watermark,
                events: Vec::new(),
            });
        }
        let events = match &selection.stream {
            None => events!(
                &mut self.connection,
                "",
                after.get(),
                last.get(),
                bound.events,
                bound.bytes as _,
            )?,
            Some(stream) => events!(
                &mut self.connection,
                "AND aggregate_type = $5 AND aggregate_id = $6",
                after.get(),
                last.get(),
                bound.events,
                bound.bytes as _,
                stream.kind(),
                stream.key(),
            )?,
        };
        Ok(Batch { watermark, events })
    }
}
