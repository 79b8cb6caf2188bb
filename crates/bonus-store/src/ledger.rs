//! Rows of the ledger, written once and read as facts.

use bonus_domain::{Beneficiary, Fact, SourceType};
use chrono::{DateTime, Utc};
use event_store::Version;
use kernel::{EventId, OrderId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::accounts::columns;

/// The most facts that one statement reads. More of them about a few orders say that something
/// tells the same in a circle, under ever new ids.
pub(crate) const MOST_FACTS: i64 = 50_000;

/// A fact as its row holds it.
pub(crate) struct FactRecord {
    pub(crate) source_event_id: Uuid,
    pub(crate) event_type: String,
    pub(crate) beneficiary_role: String,
    pub(crate) beneficiary_id: Uuid,
    pub(crate) order_id: Option<Uuid>,
    pub(crate) by_dispute: bool,
    pub(crate) occurred_at: DateTime<Utc>,
}

impl FactRecord {
    /// The fact; none of a type that only another release knows, which is worth nothing here.
    pub(crate) fn read(self) -> Result<Option<Fact>, sqlx::Error> {
        let Some(source_type) = SourceType::known(&self.event_type) else {
            return Ok(None);
        };
        let role = self
            .beneficiary_role
            .parse()
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok(Some(Fact {
            source_event_id: EventId::from_uuid(self.source_event_id),
            source_type,
            beneficiary: Beneficiary::new(role, self.beneficiary_id),
            order_id: self.order_id.map(OrderId::from_uuid),
            by_dispute: self.by_dispute,
            occurred_at: self.occurred_at,
        }))
    }
}

/// Those of these events that the ledger holds.
///
/// # Errors
/// What the database said.
pub async fn kept(
    connection: &mut PgConnection,
    events: &[EventId],
) -> Result<Vec<EventId>, sqlx::Error> {
    let ids: Vec<Uuid> = events.iter().map(|event| event.as_uuid()).collect();
    let found = sqlx::query_scalar!(
        "
        SELECT l.source_event_id
        FROM unnest($1::uuid[]) AS told (id)
        CROSS JOIN LATERAL (
            SELECT source_event_id FROM bonus.ledger WHERE source_event_id = told.id LIMIT 1
        ) l
        ",
        &ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(EventId::from_uuid).collect())
}

/// Refuses to go on with a part of the facts.
pub(crate) fn within_bounds<T>(rows: Vec<T>) -> Result<Vec<T>, sqlx::Error> {
    if i64::try_from(rows.len()).is_ok_and(|found| found <= MOST_FACTS) {
        return Ok(rows);
    }
    let what = format!("the ledger holds more than {MOST_FACTS} facts about a few orders");
    Err(sqlx::Error::Decode(what.into()))
}

/// Adds rows, each with the version of the account that counts it first; none where it is deferred.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    rows: &[(&Fact, Option<Version>)],
) -> Result<(), sqlx::Error> {
    let facts = || rows.iter().map(|(fact, _)| fact);
    let ids: Vec<Uuid> = facts().map(|f| f.source_event_id.as_uuid()).collect();
    let types: Vec<&str> = facts().map(|f| f.source_type.as_str()).collect();
    let roles: Vec<&str> = facts().map(|f| f.beneficiary.role.as_str()).collect();
    let beneficiaries: Vec<Uuid> = facts().map(|f| f.beneficiary.id).collect();
    let orders: Vec<Option<Uuid>> = facts().map(|f| f.order_id.map(OrderId::as_uuid)).collect();
    let by_dispute: Vec<bool> = facts().map(|f| f.by_dispute).collect();
    let occurred: Vec<DateTime<Utc>> = facts().map(|f| f.occurred_at).collect();
    let versions: Vec<Option<i64>> = rows.iter().map(|(_, v)| v.map(Version::get)).collect();
    sqlx::query!(
        "INSERT INTO bonus.ledger
             (source_event_id, event_type, beneficiary_role, beneficiary_id, order_id, by_dispute,
              occurred_at, account_version)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[],
                              $6::boolean[], $7::timestamptz[], $8::bigint[]) AS n (id)
         ORDER BY n.id",
        &ids,
        &types as &[&str],
        &roles as &[&str],
        &beneficiaries,
        &orders as &[Option<Uuid>],
        &by_dispute,
        &occurred,
        &versions as &[Option<i64>],
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Lets the versions of accounts count the facts that were deferred until now.
pub(crate) async fn count_deferred(
    connection: &mut PgConnection,
    accounts: &[(Beneficiary, Version)],
) -> Result<(), sqlx::Error> {
    let (roles, ids) = columns(accounts.iter().map(|(beneficiary, _)| beneficiary));
    let versions: Vec<i64> = accounts.iter().map(|(_, v)| v.get()).collect();
    sqlx::query_file!(
        "queries/count_deferred.sql",
        &roles as &[&str],
        &ids,
        &versions,
    )
    .execute(connection)
    .await
    .map(drop)
}
