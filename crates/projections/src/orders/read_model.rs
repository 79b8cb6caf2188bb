//! Follows the order events: one look at the folds a batch, one write a table and transaction.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use event_store::{Sink, SinkError, StoredEvent, StreamId, Version};
use kernel::{Actor, OrderId};
use order_domain::order::{OrderEvent, stored};
use sqlx::PgConnection;

use super::fold::{Fold, Touches};
use super::recall::{Recall, RecallError};
use super::store_rows::{Changed, Told, store, store_timeline};
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

/// An event as it was delivered, and as it was read.
struct Delivered<'a> {
    stored: &'a StoredEvent,
    order_id: OrderId,
    actor: Actor,
    on_behalf_of: Option<Actor>,
    /// What it tells, one fact at least.
    facts: Vec<OrderEvent>,
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
            .map(read)
            .collect::<Result<Vec<_>, _>>()?;
        let ids: BTreeSet<OrderId> = delivered.iter().map(|event| event.order_id).collect();
        if ids.is_empty() {
            return Ok(());
        }

        self.recall_all(transaction, &ids)
            .await
            .map_err(|error| unfolded(error, &delivered))?;
        let mut told = Vec::with_capacity(delivered.len());
        for event in &delivered {
            let order = self.moved.entry(event.order_id).or_default();
            if comes_next(order.fold.version, event.stored)? {
                let StoredEvent {
                    version, position, ..
                } = event.stored;
                order
                    .fold
                    .apply(&event.facts, *version, *position)
                    .map_err(|why| SinkError::unreadable(event.stored, why))?;
                told.extend(event.told());
            }
        }
        if !told.is_empty() {
            store_timeline(transaction, &told).await?;
        }
        Ok(())
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
        ids: &BTreeSet<OrderId>,
    ) -> Result<(), RecallError> {
        let moved = &self.moved;
        let new: BTreeSet<OrderId> = ids
            .iter()
            .copied()
            .filter(|id| !moved.contains_key(id))
            .collect();
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
}

impl Delivered<'_> {
    /// The lines of the timeline.
    fn told(&self) -> impl Iterator<Item = Told<'_>> {
        (1..).zip(&self.facts).map(|(part, fact)| Told {
            stored: self.stored,
            part,
            fact,
            actor: self.actor,
            on_behalf_of: self.on_behalf_of,
        })
    }
}

/// An order that cannot be folded as far as its rows are waits from the first event that was to
/// move it on.
fn unfolded(error: RecallError, delivered: &[Delivered<'_>]) -> SinkError {
    match error {
        RecallError::Database(error) => error.into(),
        RecallError::Unreadable { order_id, .. } => {
            let first = delivered.iter().find(|event| event.order_id == order_id);
            match first {
                Some(first) => SinkError::unreadable(first.stored, error),
                None => SinkError::Failed(error.into()),
            }
        }
    }
}

fn read(stored: &StoredEvent) -> Result<Delivered<'_>, SinkError> {
    let facts = stored::decode(&stored.event_type, &stored.event_version, &stored.payload)
        .map_err(|why| SinkError::unreadable(stored, why))?;
    let last = facts
        .last()
        .ok_or_else(|| SinkError::unreadable(stored, Untellable::NoFact))?;
    let metadata = stored
        .metadata()
        .map_err(|why| SinkError::unreadable(stored, why))?;
    let actor = metadata
        .actor
        .ok_or_else(|| SinkError::unreadable(stored, Untellable::NoActor))?;
    Ok(Delivered {
        stored,
        order_id: last.order_id,
        actor,
        on_behalf_of: metadata.on_behalf_of,
        facts,
    })
}
