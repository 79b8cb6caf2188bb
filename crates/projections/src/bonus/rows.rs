//! Rows of `bonus_accounts`, loaded and stored set by set.

use std::collections::{BTreeMap, BTreeSet};

use bonus_domain::{Beneficiary, Points, Standing};
use chrono::{DateTime, Utc};
use event_store::{Position, Version};
use sqlx::PgConnection;
use sqlx::error::BoxDynError;
use uuid::Uuid;

use crate::row_sets::{all_moved, column};

/// An account, as of its last applied event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountRow {
    /// Whose account it is.
    pub beneficiary: Beneficiary,
    /// The number of events that it has applied: the ledger is shown as of this version.
    pub version: Version,
    /// How it stands.
    pub standing: Standing,
    pub(super) first_position: Position,
    pub(super) last_position: Position,
}

/// A row that a batch has changed.
pub(super) struct Changed<'a> {
    /// The version that the table has; [`Version::NONE`] where it has no row.
    pub(super) from: Version,
    pub(super) row: &'a AccountRow,
}

struct Record {
    beneficiary_role: String,
    beneficiary_id: Uuid,
    version: i64,
    policy_version: i32,
    lifetime_points: i64,
    grade: String,
    changed_at: DateTime<Utc>,
    first_position: i64,
    last_position: i64,
    deferred: bool,
    is_vip: bool,
}

impl Record {
    fn read(self) -> Result<AccountRow, BoxDynError> {
        Ok(AccountRow {
            beneficiary: Beneficiary::new(self.beneficiary_role.parse()?, self.beneficiary_id),
            version: Version::new(self.version),
            standing: Standing {
                policy_version: self.policy_version.try_into()?,
                lifetime_points: Points::new(self.lifetime_points),
                grade: self.grade.parse()?,
                vip: self.is_vip,
                deferred: self.deferred,
                changed_at: self.changed_at,
            },
            first_position: Position::new(self.first_position),
            last_position: Position::new(self.last_position),
        })
    }
}

/// The rows of these accounts, as far as they have any.
pub(super) async fn load_rows(
    connection: &mut PgConnection,
    beneficiaries: &BTreeSet<Beneficiary>,
) -> Result<BTreeMap<Beneficiary, AccountRow>, sqlx::Error> {
    let roles: Vec<&str> = beneficiaries.iter().map(|b| b.role.as_str()).collect();
    let ids: Vec<Uuid> = beneficiaries.iter().map(|b| b.id).collect();
    let records = sqlx::query_as!(
        Record,
        "SELECT a.beneficiary_role, a.beneficiary_id, a.version, a.policy_version,
                a.lifetime_points, a.grade, a.changed_at, a.first_position, a.last_position,
                a.deferred, a.is_vip
         FROM unnest($1::text[], $2::uuid[]) AS b (role, id)
         CROSS JOIN LATERAL (
             SELECT * FROM bonus_accounts
             WHERE beneficiary_role = b.role AND beneficiary_id = b.id
             LIMIT 1
         ) a",
        &roles as &[&str],
        &ids,
    )
    .fetch_all(connection)
    .await?;
    records
        .into_iter()
        .map(|record| {
            let row = record.read().map_err(sqlx::Error::Decode)?;
            Ok((row.beneficiary, row))
        })
        .collect()
}

/// Writes what a batch has changed.
pub(super) async fn store_rows(
    connection: &mut PgConnection,
    changed: &[Changed<'_>],
) -> Result<(), sqlx::Error> {
    let rows: Vec<&AccountRow> = column(changed, |changed| changed.row);
    let stored = sqlx::query!(
        "MERGE INTO bonus_accounts AS a
         USING unnest(
             $1::text[], $2::uuid[], $3::bigint[], $4::bigint[], $5::integer[], $6::bigint[],
             $7::text[], $8::timestamptz[], $9::bigint[], $10::bigint[], $11::boolean[],
             $12::boolean[]
         ) AS n (
             beneficiary_role, beneficiary_id, from_version, version, policy_version,
             lifetime_points, grade, changed_at, first_position, last_position, deferred, is_vip
         )
         ON a.beneficiary_role = n.beneficiary_role AND a.beneficiary_id = n.beneficiary_id
         WHEN MATCHED AND a.version = n.from_version THEN UPDATE SET
             version = n.version, policy_version = n.policy_version,
             lifetime_points = n.lifetime_points, grade = n.grade, changed_at = n.changed_at,
             last_position = n.last_position, deferred = n.deferred, is_vip = n.is_vip
         WHEN NOT MATCHED AND n.from_version = 0 THEN INSERT (
             beneficiary_role, beneficiary_id, version, policy_version, lifetime_points, grade,
             changed_at, first_position, last_position, deferred, is_vip
         ) VALUES (
             n.beneficiary_role, n.beneficiary_id, n.version, n.policy_version,
             n.lifetime_points, n.grade, n.changed_at, n.first_position, n.last_position,
             n.deferred, n.is_vip
         )",
        &column(&rows, |row| row.beneficiary.role.as_str()) as &[&str],
        &column(&rows, |row| row.beneficiary.id),
        &column(changed, |changed| changed.from.get()),
        &column(&rows, |row| row.version.get()),
        &column(&rows, |row| i32::from(row.standing.policy_version)),
        &column(&rows, |row| row.standing.lifetime_points.get()),
        &column(&rows, |row| row.standing.grade.as_str()) as &[&str],
        &column(&rows, |row| row.standing.changed_at),
        &column(&rows, |row| row.first_position.get()),
        &column(&rows, |row| row.last_position.get()),
        &column(&rows, |row| row.standing.deferred),
        &column(&rows, |row| row.standing.vip),
    )
    .execute(connection)
    .await?
    .rows_affected();
    all_moved("bonus_accounts", rows.len(), stored)
}
