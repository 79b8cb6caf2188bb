//! Follows the order events: one look at the folds a batch, one write a table and transaction.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use event_store::{Sink, SinkError, StoredEvent, StreamId, Version};
use kernel::{Actor, OrderId};
use order_domain::order::{OrderEvent, stored};
use sqlx::PgConnection;
use uuid::Uuid;

use super::fold::{Fold, Touches};
use super::recall::{Recall, RecallError};
use super::store_rows::{Changed, store};
use super::timeline::{Line, Timeline};
use crate::following::comes_next;

/// The read model `orders`.
#[derive(Debug, Default)]
pub struct Orders {
    recall: Recall,
    /// What the open transaction has moved.
    moved: HashMap<OrderId, Moved>,
}

/// How many batches are gathered while the reader is far behind: an order's rows are not written
/// anew for each few of its events.
const GATHERED: usize = 8;

/// Why an event of an order cannot be told, though it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Untellable {
    #[error("nobody is named as the actor")]
    NoActor,
    #[error("it tells nothing")]
    NoFact,
}

/// An event of an order, as it is read.
pub(super) struct Read {
    pub(super) actor: Actor,
    pub(super) on_behalf_of: Option<Actor>,
    /// What it tells, one fact at least.
    pub(super) facts: Vec<OrderEvent>,
}

/// An order that a transaction moves: as it was, and as it is.
#[derive(Debug, Default)]
struct Moved {
    from: Version,
    before: Touches,
    fold: Fold,
}

#[async_trait]
impl Sink for Orders {
    async fn apply(
        &mut self,
        transaction: &mut PgConnection,
        events: &[StoredEvent],
    ) -> Result<(), SinkError> {
        let delivered = events
            .iter()
            .filter(|event| event.stream.kind() == StreamId::ORDER)
            .map(|event| Ok((order_of(event)?, event)))
            .collect::<Result<Vec<_>, SinkError>>()?;
        if delivered.is_empty() {
            return Ok(());
        }
        self.recall_all(transaction, &delivered)
            .await
            .map_err(|error| unfolded(error, &delivered))?;
        let mut timeline = Timeline::open(transaction, delivered.len()).await?;
        match self.fold_all(&delivered, &mut timeline).await {
            Ok(()) => Ok(timeline.close().await?),
            Err(error) => {
                timeline.abandon().await;
                Err(error)
            }
        }
    }

    fn gathers(&self) -> usize {
        GATHERED
    }

    async fn flush(&mut self, transaction: &mut PgConnection) -> Result<(), SinkError> {
        let moved = std::mem::take(&mut self.moved);
        let texts = moved
            .values()
            .map(|order| order.fold.store())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        let mut changed: Vec<Changed<'_>> = moved
            .values()
            .zip(&texts)
            .filter(|(order, _)| order.fold.version > order.from)
            .filter_map(|(order, text)| {
                Some(Changed {
                    from: order.from,
                    before: &order.before,
                    rows: order.fold.rows.as_ref()?,
                    fold: &order.fold,
                    text,
                })
            })
            .collect();
        // Rows are written in the order of their keys, which lie side by side.
        changed.sort_by_key(|changed| changed.rows.order.order_id);
        if !changed.is_empty() {
            store(transaction, &changed).await?;
        }
        for ((order_id, order), text) in moved.into_iter().zip(texts) {
            if order.fold.rows.is_some() {
                self.recall.put(order_id, order.fold, text.len());
            }
        }
        Ok(())
    }

    fn abandon(&mut self) {
        *self = Self::default();
    }
}

impl Orders {
    /// Takes up the orders that the transaction has not moved so far.
    async fn recall_all(
        &mut self,
        transaction: &mut PgConnection,
        delivered: &[(OrderId, &StoredEvent)],
    ) -> Result<(), RecallError> {
        let ids = delivered.iter().map(|(order_id, _)| *order_id);
        let new: BTreeSet<OrderId> = ids.filter(|id| !self.moved.contains_key(id)).collect();
        for (order_id, fold) in self.recall.take(transaction, &new).await? {
            let order = Moved {
                from: fold.version,
                before: fold.touched.clone(),
                fold,
            };
            self.moved.insert(order_id, order);
        }
        Ok(())
    }

    /// Moves the orders on, and tells their timelines.
    async fn fold_all(
        &mut self,
        delivered: &[(OrderId, &StoredEvent)],
        timeline: &mut Timeline<'_>,
    ) -> Result<(), SinkError> {
        for (order_id, event) in delivered {
            let order = self.moved.entry(*order_id).or_default();
            if !comes_next(order.fold.version, event)? {
                continue;
            }
            let read = read(event)?;
            order
                .fold
                .apply(&read.facts, event.version, event.position)
                .map_err(|why| SinkError::unreadable(event, why))?;
            for told in (1..).zip(&read.facts) {
                let line = Line::of(event, told, (read.actor, read.on_behalf_of))?;
                timeline.add(line).await?;
            }
        }
        Ok(())
    }
}

/// An order that cannot be folded as far as its rows are waits from the first event that was to
/// move it on.
fn unfolded(error: RecallError, delivered: &[(OrderId, &StoredEvent)]) -> SinkError {
    match error {
        RecallError::Database(error) => error.into(),
        RecallError::Unreadable { order_id, .. } => {
            let first = delivered.iter().find(|(id, _)| *id == order_id);
            match first {
                Some((_, first)) => SinkError::unreadable(first, error),
                None => SinkError::Failed(error.into()),
            }
        }
    }
}

/// The order that an event belongs to.
fn order_of(stored: &StoredEvent) -> Result<OrderId, SinkError> {
    let id = Uuid::try_parse(stored.stream.key());
    id.map(OrderId::from_uuid)
        .map_err(|why| SinkError::unreadable(stored, why))
}

/// Reads an event as it was delivered.
pub(super) fn read(stored: &StoredEvent) -> Result<Read, SinkError> {
    let facts = stored::decode(&stored.event_type, &stored.event_version, &stored.payload)
        .map_err(|why| SinkError::unreadable(stored, why))?;
    if facts.is_empty() {
        return Err(SinkError::unreadable(stored, Untellable::NoFact));
    }
    let metadata = stored
        .metadata()
        .map_err(|why| SinkError::unreadable(stored, why))?;
    let actor = metadata
        .actor
        .ok_or_else(|| SinkError::unreadable(stored, Untellable::NoActor))?;
    Ok(Read {
        actor,
        on_behalf_of: metadata.on_behalf_of,
        facts,
    })
}
