//! Whom it concerns that a read model has moved: asked once a move, so that of many who follow it
//! only those look who have something to see.

use std::collections::BTreeSet;

use event_store::{Position, StreamId, parks_any, streams_between};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Model;
use crate::redaction::Viewer;
use crate::version::reader_here;

/// How many positions a move may span before it is taken to concern everybody.
const MOST: i64 = 2_000;

/// What somebody follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interest {
    /// The orders of a viewer.
    Orders(Viewer),
    /// One stream.
    Stream(StreamId),
}

/// What a move has touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// More than can be said: whoever follows has to look.
    Anything,
    /// These streams, and the parties of those that are orders.
    Only {
        /// The keys of the streams.
        streams: BTreeSet<String>,
        /// Who placed them.
        commissioners: BTreeSet<Uuid>,
        /// Who has a seat.
        workshops: BTreeSet<Uuid>,
    },
}

impl Touched {
    /// Whether it may be something for who follows that.
    #[must_use]
    pub fn concerns(&self, interest: &Interest) -> bool {
        let Self::Only {
            streams,
            commissioners,
            workshops,
        } = self
        else {
            return true;
        };
        match interest {
            Interest::Stream(stream) => streams.contains(stream.key()),
            Interest::Orders(Viewer::Commissioner(id)) => commissioners.contains(&id.as_uuid()),
            Interest::Orders(Viewer::Workshop(id)) => workshops.contains(&id.as_uuid()),
            Interest::Orders(Viewer::Operator | Viewer::Analyst) => !streams.is_empty(),
        }
    }
}

/// What the read model has taken between two positions, in the caller's snapshot of it. While anything
/// is parked that is anything: what waits is told at positions that were passed.
///
/// # Errors
/// What the database said.
pub async fn touched(
    connection: &mut PgConnection,
    model: Model,
    after: Position,
    up_to: Position,
) -> Result<Touched, sqlx::Error> {
    let reader = reader_here(connection).await?;
    if up_to.get() - after.get() > MOST || parks_any(connection, &reader).await? {
        return Ok(Touched::Anything);
    }
    let keys = streams_between(connection, model.stream_kind(), after, up_to).await?;
    let streams: BTreeSet<String> = keys.into_iter().collect();
    let (mut commissioners, mut workshops) = (BTreeSet::new(), BTreeSet::new());
    if model == Model::Orders && !streams.is_empty() {
        let orders: Vec<Uuid> = streams.iter().filter_map(|key| key.parse().ok()).collect();
        let parties = sqlx::query!(
            r#"
            SELECT o.commissioner_id AS "commissioner_id!", i.workshop_id AS "workshop_id?"
            FROM unnest($1::uuid[]) AS s (order_id)
            CROSS JOIN LATERAL (
                SELECT * FROM orders o WHERE o.order_id = s.order_id LIMIT 1
            ) o
            LEFT JOIN LATERAL (
                SELECT i.workshop_id FROM invitations i WHERE i.order_id = o.order_id
                LIMIT 1000
            ) i ON true
            "#,
            &orders,
        )
        .fetch_all(connection)
        .await?;
        for party in parties {
            commissioners.insert(party.commissioner_id);
            workshops.extend(party.workshop_id);
        }
    }
    Ok(Touched::Only {
        streams,
        commissioners,
        workshops,
    })
}
