//! An order as the rules fold it, with its rows and what touched each of them: the one way in which
//! events become rows.

use event_store::{Position, Version};
use order_domain::order::{Corrupt, ORDER_SHAPE, Order, OrderEvent, evolve};
use serde::{Deserialize, Serialize};

use super::rows::{OrderRows, rows_of};

/// The mark of the shape in which folds are stored: another one is another code.
pub(crate) const FOLD_SHAPE: i32 = Fold::SHAPE;

/// A folded order, as far as its events were applied.
#[derive(Debug, Clone)]
pub(super) struct Fold {
    pub(super) version: Version,
    pub(super) order: Order,
    pub(super) touched: Touches,
    /// What the order comes to in rows; none before it is placed.
    pub(super) rows: Option<OrderRows>,
}

/// The first and the last position that touched a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Touched(i64, i64);

impl Touched {
    /// A new row's.
    const fn at(position: Position) -> Self {
        Self(position.get(), position.get())
    }

    pub(super) const fn first(self) -> i64 {
        self.0
    }

    pub(super) const fn last(self) -> i64 {
        self.1
    }
}

/// What touched the rows of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Touches {
    pub(super) order: Option<Touched>,
    pub(super) seats: Vec<Touched>,
    pub(super) stages: Vec<Touched>,
}

/// The stored form.
#[derive(Serialize)]
struct Stored<'a> {
    order: &'a Order,
    touched: &'a Touches,
}

#[derive(Deserialize)]
struct Read {
    order: Order,
    touched: Touches,
}

impl Default for Fold {
    fn default() -> Self {
        Self {
            version: Version::NONE,
            order: Order::default(),
            touched: Touches::default(),
            rows: None,
        }
    }
}

impl Fold {
    /// The mark of the shape that [`Fold::store`] gives.
    pub(super) const SHAPE: i32 = ORDER_SHAPE.cast_signed();

    /// Reads what was stored after `version` events; none if it is of another shape.
    pub(super) fn read(version: Version, shape: i32, text: &str) -> Option<Self> {
        if shape != Self::SHAPE {
            return None;
        }
        let read: Read = serde_json::from_str(text).ok()?;
        Some(Self {
            version,
            rows: rows_of(&read.order),
            order: read.order,
            touched: read.touched,
        })
    }

    /// The form in which it is stored.
    pub(super) fn store(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Stored {
            order: &self.order,
            touched: &self.touched,
        })
    }

    /// Applies the facts of the event that comes next.
    ///
    /// # Errors
    /// One of them cannot follow; the fold is of no use then.
    pub(super) fn apply(
        &mut self,
        facts: &[OrderEvent],
        version: Version,
        position: Position,
    ) -> Result<(), Corrupt> {
        self.order = facts
            .iter()
            .try_fold(std::mem::take(&mut self.order), evolve)?;
        self.version = version;
        let rows = rows_of(&self.order);
        if let Some(next) = &rows {
            self.touched.touch(self.rows.as_ref(), next, position);
        }
        self.rows = rows;
        Ok(())
    }
}

impl Touches {
    fn touch(&mut self, before: Option<&OrderRows>, after: &OrderRows, position: Position) {
        // The version is a column: each event touches the order's own row.
        self.order.get_or_insert(Touched::at(position)).1 = position.get();
        let seats = before.map_or(&[][..], |rows| &rows.invitations);
        touch(&mut self.seats, seats, &after.invitations, position);
        let stages = before.map_or(&[][..], |rows| &rows.stages);
        touch(&mut self.stages, stages, &after.stages, position);
    }
}

fn touch<R: PartialEq>(touched: &mut Vec<Touched>, before: &[R], after: &[R], position: Position) {
    for (index, row) in after.iter().enumerate() {
        match (touched.get_mut(index), before.get(index)) {
            (Some(_), Some(was)) if was == row => {}
            (Some(touched), _) => touched.1 = position.get(),
            (None, _) => touched.push(Touched::at(position)),
        }
    }
}
