//! The folded orders that a reader remembers from batch to batch, within a bound of bytes.

use std::collections::{BTreeSet, HashMap};
use std::error::Error;

use event_store::{StoredEvent, StreamId, Version, load};
use kernel::{EventId, OrderId};
use order_domain::order::stored;
use sqlx::PgConnection;
use uuid::Uuid;

use super::fold::Fold;

/// How many bytes of stored folds are remembered; in memory they take two or three times as much.
const REMEMBERED_BYTES: usize = 32 << 20;

/// Folds, the half that was used last for certain.
#[derive(Debug, Default)]
pub(super) struct Recall {
    recent: HashMap<OrderId, Remembered>,
    older: HashMap<OrderId, Remembered>,
    recent_bytes: usize,
}

/// Why an order has no fold here.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecallError {
    /// The database failed.
    #[error("the fold was not read")]
    Database(#[from] sqlx::Error),
    /// What was stored is of another shape, and this release cannot read the stream.
    #[error("event {event_id} of order {order_id} cannot be read")]
    Unreadable {
        /// The order.
        order_id: OrderId,
        /// The event.
        event_id: EventId,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
}

#[derive(Debug)]
struct Remembered {
    fold: Fold,
    bytes: usize,
}

impl Recall {
    /// Takes out the folds of these orders: those that are remembered, and the others from the
    /// table or, where that has them in another shape, from their streams. An order without events
    /// so far is not among them.
    pub(super) async fn take(
        &mut self,
        connection: &mut PgConnection,
        orders: &BTreeSet<OrderId>,
    ) -> Result<HashMap<OrderId, Fold>, RecallError> {
        let mut folds = HashMap::with_capacity(orders.len());
        let mut missing = Vec::new();
        for order_id in orders {
            let recent = self.recent.remove(order_id);
            if let Some(recent) = &recent {
                self.recent_bytes -= recent.bytes;
            }
            match recent.or_else(|| self.older.remove(order_id)) {
                Some(known) => drop(folds.insert(*order_id, known.fold)),
                None => missing.push(order_id.as_uuid()),
            }
        }
        if !missing.is_empty() {
            for (order_id, fold) in read(connection, &missing).await? {
                folds.insert(order_id, fold);
            }
        }
        Ok(folds)
    }

    /// Remembers a fold that takes so many bytes when stored.
    pub(super) fn put(&mut self, order_id: OrderId, fold: Fold, bytes: usize) {
        self.recent_bytes += bytes;
        if let Some(before) = self.recent.insert(order_id, Remembered { fold, bytes }) {
            self.recent_bytes -= before.bytes;
        }
        if self.recent_bytes > REMEMBERED_BYTES / 2 {
            self.older = std::mem::take(&mut self.recent);
            self.recent_bytes = 0;
        }
    }
}

async fn read(
    connection: &mut PgConnection,
    orders: &[Uuid],
) -> Result<Vec<(OrderId, Fold)>, RecallError> {
    let records = sqlx::query!(
        r#"
        SELECT f.order_id, f.version, f.shape, f.fold
        FROM unnest($1::uuid[]) AS n (order_id)
        CROSS JOIN LATERAL (SELECT * FROM folds f WHERE f.order_id = n.order_id LIMIT 1) f
        "#,
        orders,
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut folds = Vec::with_capacity(records.len());
    for record in records {
        let order_id = OrderId::from_uuid(record.order_id);
        let version = Version::new(record.version);
        let fold = match Fold::read(version, record.shape, &record.fold) {
            Some(fold) => fold,
            None => from_stream(connection, order_id, version).await?,
        };
        folds.push((order_id, fold));
    }
    Ok(folds)
}

/// Folds the first `version` events of an order anew.
pub(super) async fn from_stream(
    connection: &mut PgConnection,
    order_id: OrderId,
    version: Version,
) -> Result<Fold, RecallError> {
    let streams = load(connection, &[StreamId::order(order_id)]).await?;
    let mut fold = Fold::default();
    let events = streams.iter().flat_map(|stream| &stream.events);
    for event in events.filter(|event| event.version <= version) {
        apply(&mut fold, event).map_err(|source| RecallError::Unreadable {
            order_id,
            event_id: event.event_id,
            source,
        })?;
    }
    Ok(fold)
}

fn apply(fold: &mut Fold, event: &StoredEvent) -> Result<(), Box<dyn Error + Send + Sync>> {
    let facts = stored::decode(&event.event_type, &event.event_version, &event.payload)?;
    Ok(fold.apply(&facts, event.version, event.position)?)
}
