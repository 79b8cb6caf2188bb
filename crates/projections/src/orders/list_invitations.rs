//! A workshop's invitations, the newest first. A line tells a workshop of its own seat alone.

use chrono::{DateTime, Utc};
use kernel::{CommissionerId, OrderId, WorkshopId};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::load_rows::read_word;
use super::rows::is_outdated;
use super::status::InvitationStatus;
use super::view::InvitationItem;
use crate::page::Slice;

/// Where an invitation lies in a workshop's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationKey {
    /// When the workshop was invited last.
    pub invited_at: DateTime<Utc>,
    /// The order, for invitations of the same instant.
    pub order_id: OrderId,
}

/// Lists at most `limit` of the workshop's invitations after `after`, all or those in one status,
/// as they are at the instant `now`.
///
/// # Errors
/// What the database said.
pub async fn list_invitations(
    connection: &mut PgConnection,
    workshop_id: WorkshopId,
    status: Option<InvitationStatus>,
    now: DateTime<Utc>,
    after: Option<InvitationKey>,
    limit: i64,
) -> Result<Slice<InvitationItem, InvitationKey>, sqlx::Error> {
    let wanted = limit.saturating_add(1);
    let records = match status {
        None => select(connection, workshop_id, after, wanted).await?,
        Some(status) => select_in(connection, workshop_id, status, after, wanted).await?,
    };
    let items = records
        .into_iter()
        .map(|record| record.item(now))
        .collect::<Result<_, _>>()?;
    Ok(Slice::cut(items, limit, |last: &InvitationItem| {
        InvitationKey {
            invited_at: last.invited_at,
            order_id: last.order_id,
        }
    }))
}

struct Record {
    order_id: Uuid,
    title: String,
    commissioner_id: Uuid,
    status: String,
    request_revision: i64,
    offer_revision: Option<i64>,
    offer_request_revision: Option<i64>,
    offer_deadline: Option<DateTime<Utc>>,
    invited_at: DateTime<Utc>,
}

/// The columns of a line, and which seats of the workshop they are of.
macro_rules! seats {
    ($connection:ident, $seats:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            Record,
            "SELECT i.order_id, o.title, o.commissioner_id, i.status, o.request_revision,
                    i.offer_revision, i.offer_request_revision, i.offer_deadline, i.invited_at
             FROM read.invitations i
             CROSS JOIN LATERAL (
                 SELECT * FROM read.orders o WHERE o.order_id = i.order_id LIMIT 1
             ) o
             WHERE " + $seats,
            $($argument),+
        )
        .fetch_all($connection)
        .await
    };
}

async fn select(
    connection: &mut PgConnection,
    workshop_id: WorkshopId,
    after: Option<InvitationKey>,
    limit: i64,
) -> Result<Vec<Record>, sqlx::Error> {
    let (before, before_id) = before(after);
    seats!(
        connection,
        "i.workshop_id = $1 AND (i.invited_at, i.order_id) < ($2, $3)
         ORDER BY i.invited_at DESC, i.order_id DESC
         LIMIT $4",
        workshop_id.as_uuid(),
        before,
        before_id,
        limit,
    )
}

async fn select_in(
    connection: &mut PgConnection,
    workshop_id: WorkshopId,
    status: InvitationStatus,
    after: Option<InvitationKey>,
    limit: i64,
) -> Result<Vec<Record>, sqlx::Error> {
    let (before, before_id) = before(after);
    seats!(
        connection,
        // An equality would let the planner walk all invitations, newest first, for a rare status.
        "i.workshop_id = $1 AND i.status >= $2
           AND (i.status, i.invited_at, i.order_id) < ($2, $3, $4)
         ORDER BY i.status DESC, i.invited_at DESC, i.order_id DESC
         LIMIT $5",
        workshop_id.as_uuid(),
        status.as_str(),
        before,
        before_id,
        limit,
    )
}

fn before(after: Option<InvitationKey>) -> (DateTime<Utc>, Uuid) {
    after.map_or((DateTime::<Utc>::MAX_UTC, Uuid::max()), |key| {
        (key.invited_at, key.order_id.as_uuid())
    })
}

impl Record {
    fn item(self, now: DateTime<Utc>) -> Result<InvitationItem, sqlx::Error> {
        let status = read_word(&self.status, "status")?;
        let offer = self.offer_request_revision.zip(self.offer_deadline);
        Ok(InvitationItem {
            order_id: OrderId::from_uuid(self.order_id),
            title: self.title,
            commissioner_id: CommissionerId::from_uuid(self.commissioner_id),
            status,
            request_revision: self.request_revision,
            offer_revision: self.offer_revision,
            outdated: offer.is_some_and(|(answers, deadline)| {
                is_outdated(status, answers, self.request_revision, deadline, now)
            }),
            invited_at: self.invited_at,
        })
    }
}
