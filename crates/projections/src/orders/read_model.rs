//! Follows the order events: one batch, one load, one write.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use event_store::{ApplyError, Position, ReadModel, StoredEvent, StreamId, Version};
use kernel::{Actor, OrderId};
use order_domain::order::{OrderEvent, stored};
use sqlx::PgConnection;

use super::apply_event::{Inapplicable, placed};
use super::load_rows::load_rows;
use super::rows::OrderRows;
use super::store_rows::{Changed, store_rows, store_timeline};
use crate::following::{comes_next, unreadable};

/// The read model `orders`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Orders;

impl Orders {
    /// The name of its checkpoint.
    pub const NAME: &'static str = "orders";
}

/// A fact of an order, with its circumstances.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RecordedEvent {
    /// Its number in the order's life.
    pub(crate) version: Version,
    /// Who did it.
    pub(crate) actor: Actor,
    /// In whose place.
    pub(crate) on_behalf_of: Option<Actor>,
    /// What happened.
    pub(crate) event: OrderEvent,
}

/// An event as it was delivered, and as it was read.
pub(super) struct Delivered<'a> {
    pub(super) stored: &'a StoredEvent,
    pub(super) order_id: OrderId,
    pub(super) occurred_at: DateTime<Utc>,
    pub(super) actor: Actor,
    pub(super) on_behalf_of: Option<Actor>,
    /// What it tells, one fact at least.
    facts: Vec<OrderEvent>,
}

#[async_trait]
impl ReadModel for Orders {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    async fn apply(
        &self,
        transaction: &mut PgConnection,
        events: &[StoredEvent],
    ) -> Result<(), ApplyError> {
        let delivered = events
            .iter()
            .filter(|event| event.stream.kind() == StreamId::ORDER)
            .map(read)
            .collect::<Result<Vec<_>, _>>()?;
        let ids: BTreeSet<OrderId> = delivered.iter().map(|event| event.order_id).collect();
        if ids.is_empty() {
            return Ok(());
        }

        let ids: Vec<OrderId> = ids.into_iter().collect();
        let mut orders = load_rows(transaction, &ids).await?;
        let before: BTreeMap<OrderId, (Version, Position)> = orders
            .iter()
            .map(|(id, rows)| (*id, (rows.order.version, rows.order.touched.last)))
            .collect();
        let mut applied = Vec::new();
        for event in delivered {
            if advance(&mut orders, &event)? {
                applied.push(event);
            }
        }

        let changed: Vec<Changed<'_>> = orders
            .iter()
            .map(|(id, rows)| {
                let (from, since) = before.get(id).copied().unwrap_or_default();
                Changed { from, since, rows }
            })
            .filter(|changed| changed.rows.order.version > changed.from)
            .collect();
        if !changed.is_empty() {
            store_rows(transaction, &changed).await?;
            store_timeline(transaction, &applied).await?;
        }
        Ok(())
    }
}

/// Moves an order's rows from their version to the event's; a repeat is passed over.
fn advance(
    orders: &mut BTreeMap<OrderId, OrderRows>,
    delivered: &Delivered<'_>,
) -> Result<bool, ApplyError> {
    let stored = delivered.stored;
    let row = orders
        .get(&delivered.order_id)
        .map_or(Version::NONE, |rows| rows.order.version);
    if !comes_next(row, stored)? {
        return Ok(false);
    }
    for fact in &delivered.facts {
        match orders.get_mut(&delivered.order_id) {
            Some(rows) => rows.apply(fact, stored.version, stored.position),
            None => placed(fact, stored.version, stored.position)
                .map(|rows| drop(orders.insert(delivered.order_id, rows))),
        }
        .map_err(|why| unreadable(stored, why))?;
    }
    Ok(true)
}

fn read(stored: &StoredEvent) -> Result<Delivered<'_>, ApplyError> {
    let facts = stored::decode(&stored.event_type, &stored.event_version, &stored.payload)
        .map_err(|why| unreadable(stored, why))?;
    let last = facts
        .last()
        .ok_or_else(|| unreadable(stored, Inapplicable::NoFact))?;
    let metadata = stored.metadata().map_err(|why| unreadable(stored, why))?;
    let actor = metadata
        .actor
        .ok_or_else(|| unreadable(stored, Inapplicable::NoActor))?;
    Ok(Delivered {
        stored,
        order_id: last.order_id,
        occurred_at: last.occurred_at,
        actor,
        on_behalf_of: metadata.on_behalf_of,
        facts,
    })
}
