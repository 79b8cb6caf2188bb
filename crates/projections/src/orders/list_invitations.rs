//! A workshop's invitations, the newest first. A line tells a workshop of its own seat alone.

use chrono::{DateTime, Utc};
use kernel::{CommissionerId, OrderId, WorkshopId};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::status::InvitationStatus;
use super::view::InvitationItem;
use super::words::read_word;
use crate::page::Slice;

/// Where an invitation lies in a workshop's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationKey {
    /// When the workshop was invited last.
    pub invited_at: DateTime<Utc>,
    /// The order, for invitations of the same instant.
    pub order_id: OrderId,
}

/// Which invitations to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct InvitationFilter {
    /// In this status.
    pub status: Option<InvitationStatus>,
    /// That wait for the workshop.
    pub mine: bool,
}

/// Lists at most `limit` of the workshop's invitations after `after`, as they are at the instant
/// `now`.
///
/// # Errors
/// What the database said.
pub async fn list_invitations(
    connection: &mut PgConnection,
    workshop_id: WorkshopId,
    filter: InvitationFilter,
    now: DateTime<Utc>,
    after: Option<InvitationKey>,
    limit: i64,
) -> Result<Slice<InvitationItem, InvitationKey>, sqlx::Error> {
    let records = select(
        connection,
        workshop_id,
        filter,
        after,
        limit.saturating_add(1),
    )
    .await?;
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
    workshops_turn: bool,
}

/// The columns of an item, from what gives the seats `i`.
macro_rules! items {
    ($connection:ident, $seats:literal $(+ $more:literal)*, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            Record,
            "SELECT i.order_id AS \"order_id!\", o.title, o.commissioner_id, i.status AS \"status!\",
                    o.request_revision, i.offer_revision, i.offer_request_revision,
                    i.offer_deadline, i.invited_at AS \"invited_at!\",
                    i.workshops_turn AS \"workshops_turn!\"
             FROM (" + $seats $(+ $more)* + ") i
             CROSS JOIN LATERAL (
                 SELECT * FROM orders o WHERE o.order_id = i.order_id LIMIT 1
             ) o
             ORDER BY i.invited_at DESC, i.order_id DESC",
            $($argument),+
        )
        .fetch_all($connection)
        .await
    };
}

/// The newest seats in each of the statuses asked for, one walk along the index a status, and of
/// those the newest; `$turn` narrows the walk to what another index has.
macro_rules! newest {
    ($connection:ident, $turn:literal, $($argument:expr),+ $(,)?) => {
        items!(
            $connection,
            "SELECT i.*
             FROM unnest($2::text[]) AS s (status)
             CROSS JOIN LATERAL (
                 SELECT i.* FROM invitations i
                 WHERE i.workshop_id = $1 AND i.status = s.status" + $turn + "
                   AND (i.invited_at, i.order_id) < ($3, $4)
                 ORDER BY i.invited_at DESC, i.order_id DESC
                 LIMIT $5
             ) i
             ORDER BY i.invited_at DESC, i.order_id DESC
             LIMIT $5",
            $($argument),+
        )
    };
}

async fn select(
    connection: &mut PgConnection,
    workshop_id: WorkshopId,
    filter: InvitationFilter,
    after: Option<InvitationKey>,
    limit: i64,
) -> Result<Vec<Record>, sqlx::Error> {
    let (before, before_id) = before(after);
    let workshop_id = workshop_id.as_uuid();
    let statuses: Vec<&str> = match filter.status {
        Some(status) => vec![status.as_str()],
        None => InvitationStatus::ALL.iter().map(|s| s.as_str()).collect(),
    };
    if filter.mine {
        newest!(
            connection,
            " AND i.workshops_turn",
            workshop_id,
            &statuses as &[&str],
            before,
            before_id,
            limit
        )
    } else {
        newest!(
            connection,
            "",
            workshop_id,
            &statuses as &[&str],
            before,
            before_id,
            limit
        )
    }
}

/// The workshop's invitations to these orders, as they are at the instant `now`.
pub(super) async fn invitations_of(
    connection: &mut PgConnection,
    workshop_id: WorkshopId,
    ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<InvitationItem>, sqlx::Error> {
    let records = items!(
        connection,
        "SELECT i.*
         FROM unnest($2::uuid[]) AS s (order_id)
         CROSS JOIN LATERAL (
             SELECT * FROM invitations i
             WHERE i.order_id = s.order_id AND i.workshop_id = $1 LIMIT 1
         ) i",
        workshop_id.as_uuid(),
        ids,
    )?;
    records.into_iter().map(|record| record.item(now)).collect()
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
            your_turn: self.workshops_turn,
        })
    }
}

/// Whether an offer stands but cannot be confirmed until it is revised: it answers a request of
/// before `current_request`, or its own deadline has passed.
fn is_outdated(
    status: InvitationStatus,
    answers: i64,
    current_request: i64,
    deadline: DateTime<Utc>,
    now: DateTime<Utc>,
) -> bool {
    status == InvitationStatus::Offered && (answers < current_request || deadline <= now)
}
