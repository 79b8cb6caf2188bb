//! A fact of an order, as the table keeps it.

use chrono::{DateTime, Utc};
use event_store::{Position, Version};
use kernel::Actor;
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use super::words::read_actor;

/// A fact of an order, whole.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recorded {
    /// Its number in the order's life.
    pub(crate) version: Version,
    /// Its public name.
    pub(crate) event: String,
    pub(crate) occurred_at: DateTime<Utc>,
    /// Who did it.
    pub(crate) actor: Actor,
    /// In whose place.
    pub(crate) on_behalf_of: Option<Actor>,
    /// Its public payload, whole.
    pub(crate) data: Map<String, Value>,
}

/// A row of the timeline.
pub(super) struct Record {
    pub(super) order_id: Uuid,
    pub(super) position: i64,
    pub(super) version: i64,
    pub(super) event: String,
    pub(super) data: Json<Map<String, Value>>,
    pub(super) actor_role: String,
    pub(super) actor_id: Uuid,
    pub(super) on_behalf_of_role: Option<String>,
    pub(super) on_behalf_of_id: Option<Uuid>,
    pub(super) occurred_at: DateTime<Utc>,
}

impl Record {
    /// Its place in the global log.
    pub(super) const fn position(&self) -> Position {
        Position::new(self.position)
    }

    /// The fact that it holds.
    pub(super) fn fact(self) -> Result<Recorded, sqlx::Error> {
        let in_place_of = self.on_behalf_of_role.zip(self.on_behalf_of_id);
        Ok(Recorded {
            version: Version::new(self.version),
            event: self.event,
            occurred_at: self.occurred_at,
            actor: read_actor(&self.actor_role, self.actor_id, "actor_role")?,
            on_behalf_of: in_place_of
                .map(|(role, id)| read_actor(&role, id, "on_behalf_of_role"))
                .transpose()?,
            data: self.data.0,
        })
    }
}

/// The rows `t` of the timeline, from what gives them.
macro_rules! records {
    ($connection:expr, $from:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            $crate::orders::recorded::Record,
            "SELECT t.order_id, t.position, t.version, t.event,
                    t.data AS \"data: _\",
                    t.actor_role, t.actor_id, t.on_behalf_of_role, t.on_behalf_of_id, t.occurred_at
             FROM " + $from,
            $($argument),+
        )
        .fetch_all($connection)
        .await
    };
}

pub(super) use records;
