//! The heads of accounts: locked for a batch, and moved with their streams.

use std::collections::{BTreeMap, BTreeSet};

use bonus_domain::{Beneficiary, Head, Points, Policy, Standing};
use chrono::{DateTime, Utc};
use event_store::Version;
use kernel::Role;
use sqlx::PgConnection;
use sqlx::error::BoxDynError;
use uuid::Uuid;

/// A head, and how many events its stream has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AtVersion {
    pub(crate) version: Version,
    pub(crate) head: Head,
}

/// Locks the heads of these beneficiaries, ascending, making those that are missing.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    beneficiaries: &BTreeSet<Beneficiary>,
    active: &Policy,
) -> Result<BTreeMap<Beneficiary, AtVersion>, sqlx::Error> {
    let (roles, ids) = columns(beneficiaries.iter());

    // First of all the missing ones, then the locks, each in the same order everywhere: whoever
    // waits for another holds nothing that the other still wants.
    sqlx::query!(
        "INSERT INTO bonus.accounts (beneficiary_role, beneficiary_id, policy_version)
         SELECT b.role, b.id, $3 FROM unnest($1::text[], $2::uuid[]) AS b (role, id)
         ORDER BY b.role, b.id
         ON CONFLICT DO NOTHING",
        &roles as &[&str],
        &ids,
        i32::from(active.version()),
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
    read(rows)
}

/// The columns of keys.
pub(crate) fn columns<'a>(
    beneficiaries: impl Iterator<Item = &'a Beneficiary>,
) -> (Vec<&'static str>, Vec<Uuid>) {
    beneficiaries.map(|b| (b.role.as_str(), b.id)).unzip()
}

/// A row of `bonus.accounts`.
pub(crate) struct HeadRecord {
    pub(crate) beneficiary_role: String,
    pub(crate) beneficiary_id: Uuid,
    pub(crate) version: i64,
    pub(crate) policy_version: i32,
    pub(crate) deferred: bool,
    pub(crate) lifetime_points: i64,
    pub(crate) grade: Option<String>,
    pub(crate) changed_at: Option<DateTime<Utc>>,
    pub(crate) is_vip: bool,
    pub(crate) vip_changes_at: Option<DateTime<Utc>>,
    pub(crate) vip_version: i64,
}

/// Reads rows as heads.
pub(crate) fn read<H: FromIterator<(Beneficiary, AtVersion)>>(
    rows: Vec<HeadRecord>,
) -> Result<H, sqlx::Error> {
    rows.into_iter()
        .map(|row| row.read().map_err(sqlx::Error::Decode))
        .collect()
}

impl HeadRecord {
    fn read(self) -> Result<(Beneficiary, AtVersion), BoxDynError> {
        let role: Role = self.beneficiary_role.parse()?;
        let policy_version = self.policy_version.try_into()?;
        let head = match (self.grade, self.changed_at) {
            (Some(grade), Some(changed_at)) => Head::Open {
                standing: Standing {
                    policy_version,
                    lifetime_points: Points::new(self.lifetime_points),
                    grade: grade.parse()?,
                    vip: self.is_vip,
                    deferred: self.deferred,
                    changed_at,
                },
                // Whoever moved it last did not know of VIP: it is looked at anew.
                next_vip_change: if self.vip_version == self.version {
                    self.vip_changes_at
                } else {
                    Some(changed_at)
                },
            },
            (_, _) => Head::Unopened {
                policy_version,
                deferred: self.deferred,
            },
        };
        let version = Version::new(self.version);
        let beneficiary = Beneficiary::new(role, self.beneficiary_id);
        Ok((beneficiary, AtVersion { version, head }))
    }
}

/// Writes heads that have moved, and are locked.
pub(crate) async fn store(
    connection: &mut PgConnection,
    heads: &[(Beneficiary, AtVersion)],
) -> Result<(), sqlx::Error> {
    if heads.is_empty() {
        return Ok(());
    }
    let (roles, ids) = columns(heads.iter().map(|(beneficiary, _)| beneficiary));
    let each = || heads.iter().map(|(_, it)| it);
    let standing = |it: &AtVersion| match it.head {
        Head::Unopened { .. } => None,
        Head::Open { standing, .. } => Some(standing),
    };
    let versions: Vec<_> = each().map(|it| it.version.get()).collect();
    let policies: Vec<i32> = each().map(|it| it.head.policy_version().into()).collect();
    let deferred: Vec<bool> = each().map(|it| it.head.deferred()).collect();
    let points: Vec<_> = each().map(|it| it.head.lifetime_points().get()).collect();
    let grades: Vec<_> = each()
        .map(|it| standing(it).map(|standing| standing.grade.as_str()))
        .collect();
    let changed: Vec<_> = each()
        .map(|it| standing(it).map(|standing| standing.changed_at))
        .collect();
    let vip: Vec<bool> = each().map(|it| it.head.account().is_vip()).collect();
    let vip_changes: Vec<_> = each().map(|it| it.head.next_vip_change()).collect();
    sqlx::query!(
        "UPDATE bonus.accounts a
         SET version = n.version, policy_version = n.policy_version, deferred = n.deferred,
             lifetime_points = n.lifetime_points, grade = n.grade,
             changed_at = n.changed_at, is_vip = n.is_vip, vip_changes_at = n.vip_changes_at,
             vip_version = n.version
         FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::integer[], $5::boolean[],
                     $6::bigint[], $7::text[], $8::timestamptz[], $9::boolean[],
                     $10::timestamptz[])
             AS n (role, id, version, policy_version, deferred, lifetime_points, grade, changed_at,
                   is_vip, vip_changes_at)
         WHERE a.beneficiary_role = n.role AND a.beneficiary_id = n.id",
        &roles as &[&str],
        &ids,
        &versions,
        &policies,
        &deferred,
        &points,
        &grades as &[Option<&str>],
        &changed as &[Option<DateTime<Utc>>],
        &vip,
        &vip_changes as &[Option<DateTime<Utc>>],
    )
    .execute(connection)
    .await
    .map(drop)
}
