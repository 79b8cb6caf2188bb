//! The heads of accounts: locked for a batch, and moved with their streams.

use std::collections::{BTreeMap, BTreeSet};

use bonus_domain::{Account, Beneficiary, Points, Standing};
use chrono::{DateTime, Utc};
use event_store::Version;
use kernel::Role;
use sqlx::PgConnection;
use sqlx::error::BoxDynError;
use uuid::Uuid;

/// What an account's stream comes to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Head {
    pub(crate) version: Version,
    pub(crate) account: Account,
}

/// Locks the heads of these beneficiaries, ascending, making those that are missing.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    beneficiaries: &BTreeSet<Beneficiary>,
) -> Result<BTreeMap<Beneficiary, Head>, sqlx::Error> {
    let roles: Vec<&str> = beneficiaries.iter().map(|b| b.role.as_str()).collect();
    let ids: Vec<Uuid> = beneficiaries.iter().map(|b| b.id).collect();

    // First of all the missing ones, then the locks, each in the same order everywhere: whoever
    // waits for another holds nothing that the other still wants.
    sqlx::query!(
        "INSERT INTO bonus.accounts (beneficiary_role, beneficiary_id)
         SELECT b.role, b.id FROM unnest($1::text[], $2::uuid[]) AS b (role, id)
         ORDER BY b.role, b.id
         ON CONFLICT DO NOTHING",
        &roles as &[&str],
        &ids,
    )
    .execute(&mut *connection)
    .await?;

    let rows = sqlx::query_file_as!(
        HeadRecord,
        "queries/lock_heads.sql",
        &roles as &[&str],
        &ids,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| row.read().map_err(sqlx::Error::Decode))
        .collect()
}

struct HeadRecord {
    beneficiary_role: String,
    beneficiary_id: Uuid,
    version: i64,
    policy_version: Option<i32>,
    lifetime_points: Option<i64>,
    grade: Option<String>,
    changed_at: Option<DateTime<Utc>>,
}

impl HeadRecord {
    fn read(self) -> Result<(Beneficiary, Head), BoxDynError> {
        let role: Role = self.beneficiary_role.parse()?;
        let account = match (
            self.policy_version,
            self.lifetime_points,
            self.grade,
            self.changed_at,
        ) {
            (Some(policy), Some(lifetime), Some(grade), Some(changed_at)) => {
                Account::Open(Standing {
                    policy_version: policy.try_into()?,
                    lifetime_points: Points::new(lifetime),
                    grade: grade.parse()?,
                    vip: false,
                    deferred: false,
                    changed_at,
                })
            }
            (_, _, _, _) => Account::Unopened,
        };
        let head = Head {
            version: Version::new(self.version),
            account,
        };
        Ok((Beneficiary::new(role, self.beneficiary_id), head))
    }
}

/// Writes heads that have moved, and are locked.
pub(crate) async fn store(
    connection: &mut PgConnection,
    heads: &[(Beneficiary, Version, Standing)],
) -> Result<(), sqlx::Error> {
    let roles: Vec<&str> = heads.iter().map(|(b, _, _)| b.role.as_str()).collect();
    let ids: Vec<Uuid> = heads.iter().map(|(b, _, _)| b.id).collect();
    let versions: Vec<_> = heads.iter().map(|(_, version, _)| version.get()).collect();
    let standings = || heads.iter().map(|(_, _, standing)| standing);
    let policies: Vec<i32> = standings().map(|s| s.policy_version.into()).collect();
    let points: Vec<_> = standings().map(|s| s.lifetime_points.get()).collect();
    let grades: Vec<&str> = standings().map(|s| s.grade.as_str()).collect();
    let changed: Vec<_> = standings().map(|s| s.changed_at).collect();
    sqlx::query!(
        "UPDATE bonus.accounts a
         SET version = n.version, policy_version = n.policy_version,
             lifetime_points = n.lifetime_points, grade = n.grade, changed_at = n.changed_at
         FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::integer[], $5::bigint[], $6::text[],
                     $7::timestamptz[])
             AS n (role, id, version, policy_version, lifetime_points, grade, changed_at)
         WHERE a.beneficiary_role = n.role AND a.beneficiary_id = n.id",
        &roles as &[&str],
        &ids,
        &versions,
        &policies,
        &points,
        &grades as &[&str],
        &changed,
    )
    .execute(connection)
    .await
    .map(drop)
}
